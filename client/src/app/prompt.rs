//! The line being typed: the line editor on a thread of its own.
//!
//! The editor blocks that thread until a line is finished, and nothing can call it back from there;
//! so the thread shares nothing with the rest but bounded queues, a snapshot to complete from and
//! the [`Gate`].

mod interrupt;
mod password_input;
mod words;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use chatroom_proto::{Password, Request};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    ColorMode, CompletionType, Config, Editor, Event, EventHandler, ExternalPrinter, KeyCode,
    KeyEvent, Modifiers,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::app::command::{self, PasswordCommand, TypedCommand};
use crate::app::completer::{EditorHelper, OFFERED_MAX};
use crate::app::gate::Gate;
use crate::app::history::{self, HISTORY_LINES_MAX};
use crate::app::keyboard::Keyboard;
use crate::app::keyboard::keys::{BEFORE_INTERRUPT, WAKE};
use crate::app::keyboard::on_line::{LineKey, OnLine};
use crate::app::lines::Typed;
use crate::app::open_conversation::OpenConversation;
use crate::app::screen::Aside;
use crate::app::terminal;
use crate::app::view::View;
use crate::client::new_token;
use interrupt::{BeforeInterrupt, ClearLine, HadText};
use password_input::PasswordInput;
use words::WordKey;

/// The assignment's question.
pub(crate) const NAME_QUESTION: &str = "Choose username: ";

/// The most lines that were typed and not carried out, while the connection is lost, say. One more
/// is not taken: if this thread waited for the rest of the program, which may be waiting for the
/// screen, which needs this thread to print, nobody would ever move again.
const LINES_WAITING_MAX: usize = 1_024;

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Name,
    Password,
    Commands {
        /// Whether passwords are asked for where one is needed. On a line on which they are not
        /// said, nobody need type them.
        with_passwords: bool,
    },
}

/// The question for a password that is known.
const PASSWORD_QUESTION: &str = "Password: ";
const OLD_PASSWORD_QUESTION: &str = "Password until now: ";
const NEW_PASSWORD_QUESTION: &str = "New password: ";
const AGAIN_QUESTION: &str = "The same again: ";

/// The editor before its thread has started.
pub(crate) struct Prompt {
    editor: Editor<EditorHelper, FileHistory>,
    gate: Arc<Gate>,
    aside: Option<Aside>,
    left: Arc<Notify>,
    view: View,
    history: Option<PathBuf>,
    password_input: PasswordInput,
    keyboard: Keyboard,
    open: OpenConversation,
    had_text: HadText,
    /// Commands are read. Before that there may be nothing to do but to wait, and Ctrl-C must end
    /// that.
    is_chatting: bool,
}

/// The other end of the thread.
pub(crate) struct InputHandle {
    wants: SyncSender<Want>,
    pub(crate) typed: mpsc::Receiver<Typed>,
    pub(crate) keyboard: Keyboard,
}

impl Prompt {
    /// Makes the editor. Fails where there is no terminal to edit at. `left` is told when somebody
    /// leaves.
    pub(crate) fn open(
        helper: EditorHelper,
        left: Arc<Notify>,
        view: View,
    ) -> rustyline::Result<Prompt> {
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)?
            .history_ignore_dups(true)?
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(OFFERED_MAX)
            // Not for colours, which are the helper's choice: without this it is not asked to
            // paint the line at all when NO_COLOR is set, and the gate would not know when a print
            // is on the screen.
            .color_mode(ColorMode::Forced)
            // The whole time, and not for each line: the terminal is not the editor's.
            .bracketed_paste(false)
            .build();
        let (gate, password_input) = (Arc::clone(&helper.gate), PasswordInput::default());
        let open = helper.open.clone();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(helper));
        editor
            .bind_sequence(Event::Any, EventHandler::Conditional(Box::new(password_input.clone())));
        Ok(Prompt {
            editor,
            gate,
            aside: None,
            left,
            view,
            history: None,
            password_input,
            keyboard: Keyboard::default(),
            open,
            had_text: HadText::default(),
            is_chatting: false,
        })
    }

    /// A printer above the line.
    pub(crate) fn printer(&mut self) -> rustyline::Result<Box<dyn ExternalPrinter + Send>> {
        Ok(Box::new(self.editor.create_external_printer()?))
    }

    /// Keeps the lines of this run and of earlier ones in this file.
    pub(crate) fn keep_history(&mut self, file: PathBuf) -> io::Result<()> {
        history::prepare(&file)?;
        self.history = Some(file);
        Ok(())
    }

    /// Starts the thread, which waits to be told what to ask. The terminal is this program's from
    /// now on.
    pub(crate) fn start(mut self, aside: Aside) -> io::Result<InputHandle> {
        self.aside = Some(aside);
        let (wants, wanted) = sync_channel(1);
        let (lines, typed) = mpsc::channel(LINES_WAITING_MAX);
        terminal::take();
        self.keyboard = Keyboard::plug_in(Arc::clone(&self.gate)).unwrap_or_else(|error| {
            tracing::warn!(%error, "there is no pseudo-terminal");
            Keyboard::default()
        });
        let (keyboard, prompts) = (self.keyboard.clone(), self.keyboard.clone());
        self.open.on_change(move |prompt| prompts.set_prompt(prompt));
        self.bind(WAKE, self.keyboard.waking.clone());
        for (key, handler) in WordKey::all() {
            self.editor.bind_sequence(key, handler);
        }
        self.bind(BEFORE_INTERRUPT, BeforeInterrupt(self.had_text.clone()));
        thread::Builder::new().name("prompt".to_owned()).spawn(move || {
            self.run(&wanted, &lines);
            self.gate.desert();
        })?;
        Ok(InputHandle { wants, typed, keyboard })
    }

    fn bind(&mut self, key: char, does: impl LineKey + 'static) {
        let key = KeyEvent(KeyCode::Char(key), Modifiers::NONE);
        self.editor.bind_sequence(key, EventHandler::Conditional(Box::new(OnLine(does))));
    }

    fn run(&mut self, wanted: &Receiver<Want>, lines: &mpsc::Sender<Typed>) {
        while let Ok(want) = wanted.recv() {
            let typed = match want {
                Want::Commands { with_passwords } => {
                    return self.read_commands(lines, with_passwords);
                }
                Want::Password => Typed::Secret(self.read_secret(PASSWORD_QUESTION)),
                Want::Name => self.read(Some(NAME_QUESTION)).unwrap_or(Typed::End),
            };
            if lines.blocking_send(typed).is_err() {
                return;
            }
        }
    }

    /// Reads one line after the other, until the one that leaves.
    fn read_commands(&mut self, lines: &mpsc::Sender<Typed>, with_passwords: bool) {
        if let Some(helper) = self.editor.helper_mut() {
            helper.knows_commands = true;
        }
        if let Some(aside) = self.aside.clone() {
            let clears = EventHandler::Conditional(Box::new(OnLine(ClearLine {
                aside,
                view: self.view,
                password_input: self.password_input.clone(),
                had_text: self.had_text.clone(),
            })));
            self.editor.bind_sequence(KeyEvent::ctrl('C'), clears);
        }
        // Not before: a name is not asked for with the commands of earlier days.
        if let Some(file) = &self.history
            && let Err(error) = self.editor.load_history(file)
        {
            self.note(self.view.no_history(&file.display().to_string(), &error.to_string()));
        }
        self.is_chatting = true;
        loop {
            let Some(mut typed) = self.read(None) else { continue };
            let mut leaves = typed == Typed::End;
            if let Typed::Line(line) = &mut typed {
                let command = self.open.take(line.clone());
                self.remember(line, &command);
                *line = command;
                match command::parse(line) {
                    Ok(Some(TypedCommand::Exit)) => leaves = true,
                    Ok(Some(TypedCommand::AskWithPasswords(command))) if with_passwords => {
                        match self.with_passwords(command) {
                            Some(request) => typed = Typed::Request(Box::new(request)),
                            None => continue,
                        }
                    }
                    _ => {}
                }
            }
            if leaves {
                // Nothing is edited any more: from here on Ctrl-C is a signal, as anywhere. And
                // this thread is not needed for printing.
                self.keyboard.rest();
                terminal::stop_editing();
                self.gate.desert();
                // Not only in the queue: while the connection is lost, nobody may come to its end.
                self.left.notify_one();
                let _ = lines.blocking_send(typed);
                return;
            }
            match lines.try_send(typed) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.note(self.view.too_much_typed()),
                Err(TrySendError::Closed(_)) => return,
            }
        }
    }

    /// Asks for the passwords that a command needs; nothing when they are not given.
    fn with_passwords(&mut self, command: PasswordCommand) -> Option<Request> {
        Some(match command {
            PasswordCommand::Register => Request::Register { password: self.read_new()? },
            PasswordCommand::ChangePassword => {
                let old = self.read_secret(OLD_PASSWORD_QUESTION)?;
                Request::ChangePasswordAndToken { old, new: self.read_new()?, token: new_token() }
            }
            PasswordCommand::Unregister => {
                Request::Unregister { password: self.read_secret(PASSWORD_QUESTION)? }
            }
        })
    }

    /// A new password, typed twice: nobody sees what they type.
    fn read_new(&mut self) -> Option<Password> {
        let new = self.read_secret(NEW_PASSWORD_QUESTION)?;
        if self.read_secret(AGAIN_QUESTION)? == new {
            return Some(new);
        }
        self.note(self.view.passwords_differ());
        None
    }

    /// A password, of which nothing is shown, not even how long it is, and which the editor never
    /// sees.
    fn read_secret(&mut self, question: &str) -> Option<Password> {
        self.password_input.begin();
        let read = self.read(Some(question));
        let text = self.password_input.end();
        let Some(Typed::Line(_)) = read else { return None };
        let password = Password::try_from(text);
        if let Err(error) = &password {
            self.note(self.view.bad_password(error));
        }
        password.ok()
    }

    fn note(&self, text: String) {
        if let Some(aside) = &self.aside {
            aside.note(text);
        }
    }

    /// One line, behind a question or the prompt for commands; nothing when it was given up by an
    /// interrupt.
    fn read(&mut self, question: Option<&str>) -> Option<Typed> {
        terminal::set_interrupts(false);
        let read = self.read_on(question);
        if !self.is_chatting {
            terminal::set_interrupts(true);
        }
        match read {
            _ if self.keyboard.waking.is_gone() => Some(Typed::End),
            Ok(line) => Some(Typed::Line(line)),
            Err(ReadlineError::Interrupted) => None,
            Err(ReadlineError::Eof) => Some(Typed::End),
            Err(error) => {
                tracing::warn!(%error, "the terminal can't be read");
                Some(Typed::End)
            }
        }
    }

    /// Reads a line, and reads it on when the editor was woken meanwhile.
    fn read_on(&mut self, question: Option<&str>) -> rustyline::Result<String> {
        let mut initial = (String::new(), String::new());
        loop {
            let prompt = self.keyboard.waking.reads(question);
            let read = self.editor.readline_with_initial(&prompt, (&initial.0, &initial.1));
            self.gate.close();
            let line = read?;
            let Some(kept) = self.keyboard.waking.kept(&line) else { return Ok(line) };
            // Nothing is printed before the line is on the screen again: the gate is closed.
            if let Some(clear) = kept.clear() {
                terminal::write(&clear);
            }
            initial = kept.into_halves();
        }
    }

    /// Puts a line into the history, and into its file at once: other terminals share it, and this
    /// one may crash.
    fn remember(&mut self, line: &str, command: &str) {
        // What ends one run is not what the next begins with.
        if command::is_secret(line) || command::is_secret(command) || command::leaves(command) {
            return;
        }
        let is_new =
            !line.trim().is_empty() && self.editor.add_history_entry(line).unwrap_or(false);
        if let (true, Some(file)) = (is_new, &self.history)
            && let Err(error) = self.editor.append_history(file)
        {
            tracing::warn!(%error, "the history can't be written");
        }
    }
}

impl InputHandle {
    /// Asks for a name; it comes as one line.
    pub(crate) fn ask_name(&self) {
        // A thread that has ended has said so already.
        let _ = self.wants.try_send(Want::Name);
    }

    /// Asks for a password; it comes as a secret.
    pub(crate) fn ask_password(&self) {
        let _ = self.wants.try_send(Want::Password);
    }

    /// From now on, lines are commands. Those that need passwords come as requests with them, or as
    /// they are.
    pub(crate) fn read_commands(self, with_passwords: bool) -> mpsc::Receiver<Typed> {
        let _ = self.wants.try_send(Want::Commands { with_passwords });
        self.typed
    }
}
