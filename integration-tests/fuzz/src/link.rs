//! The client's side of a connection, and a server that says what it likes: before the welcome and
//! after it, answers to what was asked and to what was not, cuts and silence.
//!
//! None of that panics. What the client sends is frames, a hello first. What it tells its program
//! ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chatroom_client::dial::{Dial, Dialled};
use chatroom_client::{Client, ConnectError, Event, Events, Reconnect};
use chatroom_proto::chance::Chance;
use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, encode};
use chatroom_proto::{ClientFrame, Request, Response, ServerFrame, Tag, UserName};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::{few_bytes, many_bytes};

/// How much the server does.
const STEPS_MAX: usize = 48;

/// What is on its way in one direction, in bytes.
const PIPE_BYTES: usize = 8 * 1024;

/// How long each side tries to write and to read. The clock is the scene's: nobody waits in vain.
const PATIENCE: Duration = Duration::from_millis(2);

/// How long a client tries to come back.
const RECONNECT: Duration = Duration::from_secs(60);

/// How long a link may take to end that has no server any more: it is patient with the last
/// attempt.
const DEADLINE: Duration = Duration::from_secs(300);

/// What a link and its pipes take, in bytes: what a program has not taken has bounds of its own.
pub fn memory_max(_: &[u8]) -> usize {
    8 * 1024 * 1024
}

/// What must hold for any server. The runtime's clock is to be paused: it then goes on when nobody
/// has anything to do.
pub fn check(runtime: &Runtime, input: &[u8]) {
    runtime.block_on(scene(Chance::of_input(input)));
}

/// Gives a stream for each attempt, until there are no more.
struct Pipes(Arc<Mutex<mpsc::Receiver<DuplexStream>>>);

impl Dial for Pipes {
    type Stream = DuplexStream;

    async fn dial(&self) -> Result<Dialled<DuplexStream>, ConnectError> {
        let stream = self.0.lock().await.recv().await;
        let stream = stream
            .ok_or_else(|| ConnectError::Unreachable(io::ErrorKind::ConnectionRefused.into()))?;
        Ok(Dialled { stream, is_private: true })
    }
}

async fn scene(mut chance: Chance) {
    let (pipes, dialled) = mpsc::channel(1);
    let dial = Pipes(Arc::new(Mutex::new(dialled)));
    let reconnect = if chance.flag() { Reconnect::For(RECONNECT) } else { Reconnect::Never };
    let name = UserName::parse("Jim").expect("a valid name");
    let password = chance.flag().then(|| chance.any());
    let program = tokio::spawn(async move {
        // Whoever is not let in has nothing to do.
        let Ok((client, events, _)) = Client::over(dial, (name, password), reconnect, None).await
        else {
            return;
        };
        live(client, events).await;
    });
    let mut server = Fake { line: None, asked: Vec::new() };
    for _ in 0..STEPS_MAX {
        if chance.is_over() {
            break;
        }
        server.step(&mut chance, &pipes).await;
    }
    // There is no server any more.
    drop((pipes, server));
    end(program).await;
}

async fn end(program: JoinHandle<()>) {
    let ended =
        timeout(DEADLINE, program).await.expect("without a server, a program hears of the end");
    ended.expect("no panic");
}

/// A program that asks one thing for each that it hears, until it hears that it is over.
async fn live(client: Client, mut events: Events) {
    let mut ask = 0_u8;
    while let Some(event) = events.next().await {
        if matches!(event, Event::Ended(_)) {
            break;
        }
        let request = Chance::of_input(&[ask; 24]).request();
        ask = ask.wrapping_add(1);
        let is_exit = matches!(request, Request::Exit);
        if !is_exit
            && timeout(PATIENCE, client.submit(request)).await.is_ok_and(|asked| asked.is_err())
        {
            break;
        }
    }
}

struct Fake {
    line: Option<Line>,
    /// The requests that it has read, and not answered.
    asked: Vec<ClientFrame>,
}

/// One connection of it.
struct Line {
    voice: WriteHalf<DuplexStream>,
    ears: FrameReader<ReadHalf<DuplexStream>, ClientFrame>,
    is_greeted: bool,
}

impl Fake {
    async fn step(&mut self, chance: &mut Chance, pipes: &mpsc::Sender<DuplexStream>) {
        match chance.below(12_u8) {
            0 => self.hang_up(),
            1 => self.say(&few_bytes(chance)).await,
            // A frame's length, and whatever: seeds have every kind of frame in it.
            2 => {
                let frame = many_bytes(chance);
                let length = u32::try_from(frame.len()).expect("a short input").to_be_bytes();
                self.say(&[&length, &frame[..]].concat()).await;
            }
            3 => sleep(Duration::from_millis(u64::from(chance.any::<u16>()) * 2)).await,
            4 => self.accept(pipes).await,
            5 => {
                let response = Response::WelcomeInLife {
                    welcome: Box::new(chance.any()),
                    lives: chance.any(),
                    put_back: chance.any(),
                };
                self.answer(chance, Ok(response)).await;
            }
            6 | 7 => {
                let response = chance.any();
                self.answer(chance, Ok(response)).await;
            }
            8 => {
                let refusal = chance.any();
                self.answer(chance, Err(refusal)).await;
            }
            _ => self.say_frame(&ServerFrame::Notification(chance.any())).await,
        }
    }

    fn hang_up(&mut self) {
        self.line = None;
        self.asked.clear();
    }

    /// Takes the next attempt, if there is one.
    async fn accept(&mut self, pipes: &mpsc::Sender<DuplexStream>) {
        self.hang_up();
        let (near, far) = duplex(PIPE_BYTES);
        if timeout(RECONNECT, pipes.send(far)).await.is_ok_and(|sent| sent.is_ok()) {
            let (ears, voice) = split(near);
            let ears = FrameReader::new(ears, FRAME_BYTES_MAX);
            self.line = Some(Line { voice, ears, is_greeted: false });
            self.listen().await;
        }
    }

    /// Answers the oldest request, or one that nobody has made.
    async fn answer(
        &mut self,
        chance: &mut Chance,
        result: Result<Response, chatroom_proto::Refusal>,
    ) {
        self.listen().await;
        let tag = match chance.any::<u8>() {
            other @ 128.. => Tag(other.into()),
            _ if self.asked.is_empty() => return,
            _ => self.asked.remove(0).tag,
        };
        self.say_frame(&ServerFrame::Response { tag, result }).await;
    }

    /// Hears what there is: frames, and a hello first.
    async fn listen(&mut self) {
        let Some(line) = &mut self.line else { return };
        while let Ok(Some(heard)) = timeout(PATIENCE, line.ears.next()).await {
            let Ok(frame) = heard else {
                // A client that gives up in the middle of a write leaves half a frame; anything
                // else is no frame.
                assert!(
                    matches!(heard, Err(chatroom_proto::codec::FrameError::Io(_))),
                    "{heard:?}"
                );
                return;
            };
            let greets = matches!(frame.request, Request::Hello(_) | Request::ComeBack { .. });
            assert_eq!(greets, !line.is_greeted, "{frame:?}");
            line.is_greeted = true;
            self.asked.push(frame);
        }
    }

    async fn say_frame(&mut self, frame: &ServerFrame) {
        if let Ok(frame) = encode(frame) {
            self.say(&frame).await;
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        if let Some(line) = &mut self.line {
            let _ = timeout(PATIENCE, line.voice.write_all(bytes)).await;
        }
    }
}
