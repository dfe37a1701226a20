//! What is shown, and the thread that shows it. Writing may block for as long as the terminal, the
//! line editor or the reader of a pipe likes, so nothing but this thread ever waits for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use crate::event::Receipt;
use rustyline::ExternalPrinter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

use crate::app::fold::{Fold, folded};
use crate::app::gate::{Former, Gate};
use crate::app::teletype::Teletype;
use crate::app::terminal;

/// The most texts that wait to be shown: some seconds of a busy group while a search is open. With
/// the longest messages these are 33 MB. When it is full, the program stops taking events; see the
/// crate's bounds.
const PRINT_QUEUE_MAX: usize = 4_096;

/// The most texts that go into one print: enough to make the price of a print negligible, few
/// enough to be quick.
const PRINT_BATCH_MAX: usize = 512;

/// How long the end of the program waits for what is still to be shown.
const FINISH_WAIT: Duration = Duration::from_secs(1);

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    /// What the server says.
    Said,
    /// The same, with the terminal's bell.
    Rung,
    /// What this program says itself.
    Noted,
}

/// Rings the terminal's bell.
const BELL: &str = "\x07";

/// What the thread is to do.
enum PrintJob {
    /// Show a text of whole lines.
    Show { text: String, tone: Tone },
    /// What came before this is shown: say so.
    Sign(Receipt),
    /// Show what came before this, and end. (The queue does not end by itself: the prompt's thread
    /// holds a handle to it.)
    Finish,
}

/// Where texts go.
pub(crate) enum Output {
    /// Above the line being typed.
    AboveTheLine(AboveTheLine),
    /// What the server said to standard output, the rest to standard error.
    Streams,
    /// Everything to a terminal on which nothing can be painted over.
    Teletype(Teletype),
}

/// The line editor's printer, and what it was given last.
pub(crate) struct AboveTheLine {
    printer: Box<dyn ExternalPrinter + Send>,
    gate: Arc<Gate>,
    last: String,
}

/// What is shown goes nowhere any more; [`Screen::finish`] tells why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputGone;

/// Shows texts, in order.
pub(crate) struct Screen {
    queue: mpsc::Sender<PrintJob>,
    finished: oneshot::Receiver<io::Result<()>>,
}

/// A handle to the screen for one who can't wait.
#[derive(Clone)]
pub(crate) struct Aside(mpsc::Sender<PrintJob>);

impl Screen {
    /// Starts the thread.
    pub(crate) fn start(output: Output) -> io::Result<Screen> {
        let (queue, shown) = mpsc::channel(PRINT_QUEUE_MAX);
        let (finish, finished) = oneshot::channel();
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            // Nobody waits for the end: that is fine, too.
            let _ = finish.send(show(output, shown));
        })?;
        Ok(Screen { queue, finished })
    }

    /// Shows what the server said. Waits while too much is waiting already.
    pub(crate) async fn say(&self, text: String) -> Result<(), OutputGone> {
        self.show(text, Tone::Said).await
    }

    /// The same, with the terminal's bell, where there is a terminal.
    pub(crate) async fn ring(&self, text: String) -> Result<(), OutputGone> {
        self.show(text, Tone::Rung).await
    }

    /// Shows what this program has to say itself.
    pub(crate) async fn note(&self, text: String) -> Result<(), OutputGone> {
        self.show(text, Tone::Noted).await
    }

    async fn show(&self, text: String, tone: Tone) -> Result<(), OutputGone> {
        self.queue.send(PrintJob::Show { text, tone }).await.map_err(|_| OutputGone)
    }

    /// Signs this as soon as everything is shown that was handed in before. Waits while too much is
    /// waiting already.
    pub(crate) async fn sign(&self, receipt: Receipt) -> Result<(), OutputGone> {
        self.queue.send(PrintJob::Sign(receipt)).await.map_err(|_| OutputGone)
    }

    /// Lets another thread show something, or drop it when too much is waiting.
    pub(crate) fn aside(&self) -> Aside {
        Aside(self.queue.clone())
    }

    /// Waits until what is shown goes nowhere any more.
    pub(crate) async fn gone(&self) {
        self.queue.closed().await;
    }

    /// Waits, but not for long, until everything is shown.
    ///
    /// # Errors
    /// Why it can't be shown. A reader that is gone is no error: it has read what it wanted.
    pub(crate) async fn finish(self) -> io::Result<()> {
        let finish = async {
            // A thread that has ended already has nothing more to show.
            let _ = self.queue.send(PrintJob::Finish).await;
            self.finished.await
        };
        match timeout(FINISH_WAIT, finish).await {
            Ok(Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

impl Aside {
    pub(crate) fn note(&self, text: String) {
        // Too much is waiting: this is the least of it.
        let _ = self.0.try_send(PrintJob::Show { text, tone: Tone::Noted });
    }
}

/// Shows what comes: what is waiting, in one print.
fn show(mut output: Output, mut queue: mpsc::Receiver<PrintJob>) -> io::Result<()> {
    let mut next = queue.blocking_recv();
    loop {
        let (mut batch, mut receipt) = match next.take() {
            Some(PrintJob::Show { text, tone }) => (PrintBatch::new(&text, tone), None),
            Some(PrintJob::Sign(receipt)) => (PrintBatch::default(), Some(receipt)),
            Some(PrintJob::Finish) | None => return output.finish(),
        };
        for _ in 1..PRINT_BATCH_MAX {
            match queue.try_recv() {
                Ok(PrintJob::Show { text, tone }) if batch.takes(tone) => batch.add(&text, tone),
                // The newest stands for all.
                Ok(PrintJob::Sign(newer)) => receipt = Some(newer),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        if !batch.text.is_empty() {
            output.print(batch)?;
        }
        if let Some(receipt) = receipt {
            receipt.sign();
        }
        next = next.or_else(|| queue.blocking_recv());
    }
}

/// Texts that go into one print: all of the server's, or all of this program's.
#[derive(Debug, Default)]
struct PrintBatch {
    /// Whole lines.
    text: String,
    /// How often it rings.
    bells: usize,
    is_note: bool,
}

impl PrintBatch {
    fn new(text: &str, tone: Tone) -> PrintBatch {
        let mut batch = PrintBatch { is_note: tone == Tone::Noted, ..PrintBatch::default() };
        batch.add(text, tone);
        batch
    }

    fn takes(&self, tone: Tone) -> bool {
        self.is_note == (tone == Tone::Noted)
    }

    fn add(&mut self, text: &str, tone: Tone) {
        self.text.push_str(text);
        self.text.push('\n');
        self.bells += usize::from(tone == Tone::Rung);
    }
}

impl Output {
    fn print(&mut self, batch: PrintBatch) -> io::Result<()> {
        let PrintBatch { text, bells, is_note } = batch;
        match self {
            Output::AboveTheLine(above) => {
                // Not folded with the text: it takes no room in a row.
                let text = BELL.repeat(bells) + &above.folded(text, is_note);
                match above.print(text) {
                    Ok(()) => Ok(()),
                    Err(unshown) => {
                        *self = Output::Streams;
                        self.print(PrintBatch { text: unshown, ..PrintBatch::default() })
                    }
                }
            }
            Output::Teletype(teletype) => teletype.show(&(BELL.repeat(bells) + &text)),
            Output::Streams if is_note => {
                // Without a standard error there is still a chat.
                let _ = io::stderr().lock().write_all(text.as_bytes());
                Ok(())
            }
            Output::Streams => write_out(&text),
        }
    }

    /// What was handed over to the line editor shall be on the screen.
    fn finish(self) -> io::Result<()> {
        match self {
            Output::AboveTheLine(above) if !above.gate.settle() => write_out(&above.last),
            Output::AboveTheLine(_) | Output::Streams | Output::Teletype(_) => Ok(()),
        }
    }
}

impl AboveTheLine {
    pub(crate) fn new(printer: Box<dyn ExternalPrinter + Send>, gate: Arc<Gate>) -> AboveTheLine {
        AboveTheLine { printer, gate, last: String::new() }
    }

    /// What somebody else may have written, so that it can't look like a line of its own; what this
    /// program says itself, between words.
    fn folded(&self, text: String, is_note: bool) -> String {
        let fold = if is_note { Fold::BetweenWords } else { Fold::Everywhere };
        match terminal::columns() {
            Some(columns) => folded(&text, columns, fold).into_owned(),
            None => text,
        }
    }

    /// Gives back what is not on the screen when the line editor has gone.
    fn print(&mut self, text: String) -> Result<(), String> {
        let AboveTheLine { printer, gate, last } = self;
        gate.print(|before| {
            let former = std::mem::replace(last, text);
            if before == Former::Lost {
                last.insert_str(0, &former);
            }
            printer.print(last.clone()).map_err(|_| match before {
                Former::HandedOver => former + last,
                Former::Shown | Former::Lost => std::mem::take(last),
            })
        })
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
