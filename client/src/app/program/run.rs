//! From the first question to the last word.

use std::sync::Arc;

use chatroom_proto::GroupName;
use tokio::sync::mpsc;

use super::ending::{
    Ending, NAME_REFUSED, NO_CONNECTION, OTHER_PROTOCOL, REFUSED, SIGNALLED, UNSHOWN, failed,
    refused_code, say,
};
use super::login::ReadyChat;
use super::setup::{InputSource, LIST_REQUESTS_MAX, Program};
use crate::app::args::Args;
use crate::app::chat_loop::{ChatLoop, ChatOutcome, Pace, Parts};
use crate::app::clock;
use crate::app::directory::Directory;
use crate::app::signals::Signals;
use crate::app::terminal;
use crate::app::times::Times;
use crate::app::view::Layout;
use crate::error::Ended;

/// Runs the program, and leaves the terminal as it was.
pub(crate) async fn run(args: Args) -> i32 {
    let set = Program::set_up(&args).and_then(|(program, input, warnings)| {
        let signals = Signals::listen(input.keyboard())?;
        Ok((program, input, warnings, signals))
    });
    let (mut program, input, warnings, mut signals) = match set {
        Ok(set) => set,
        Err(error) => {
            return failed(&error);
        }
    };
    let mut ending = Ending::quiet(0);
    for warning in warnings {
        if program.screen.note(warning).await.is_err() {
            return ending.code;
        }
    }
    // In a box: it is large.
    ending = Box::pin(program.chat(args, input, &mut signals)).await;
    program.finish(ending).await
}

impl Program {
    /// All of it, from the name to the goodbye.
    async fn chat(&mut self, args: Args, input: InputSource, signals: &mut Signals) -> Ending {
        let at_editor = matches!(input, InputSource::Editor(_));
        let ready = tokio::select! {
            biased;
            signal = signals.next(|| true) => return Ending::quiet(SIGNALLED + signal),
            ready = self.log_in(args, input) => ready,
        };
        let mut chat = match ready {
            Ok(ready) => self.begin(ready),
            Err(ending) => return ending,
        };
        let interrupts = || !at_editor || self.gate.is_deserted();
        let outcome = tokio::select! {
            biased;
            signal = signals.next(interrupts) => Err(signal),
            outcome = chat.run(&self.screen) => Ok(outcome),
        };
        let has_failed = chat.has_failed() && !self.is_typed;
        let code = if has_failed { REFUSED } else { 0 };
        // A signal does not wait to see what is answered after all.
        let left_over = if outcome.is_ok() { chat.sent_next_time() } else { 0 };
        let sent_next_time = self.view.sent_next_time(left_over, chat.name());
        let mut ending = self.end(chat, outcome, code).await;
        if let Some(text) = sent_next_time {
            ending.words =
                Some(ending.words.map_or(text.clone(), |words| format!("{words}\n{text}")));
            ending.code = if ending.code == 0 { NO_CONNECTION } else { ending.code };
        }
        ending
    }

    async fn end(&self, chat: ChatLoop, outcome: Result<ChatOutcome, i32>, code: i32) -> Ending {
        match outcome {
            Ok(ChatOutcome::Ended(ended)) => self.ended(&ended, code),
            Ok(ChatOutcome::Unanswered(0)) => Ending::quiet(code),
            Ok(ChatOutcome::Unanswered(count)) => {
                Ending::saying(NO_CONNECTION, self.view.unanswered(count))
            }
            Ok(ChatOutcome::Away(undone)) => {
                match self.view.undone(undone.unanswered, undone.unsent) {
                    Some(words) => Ending::saying(NO_CONNECTION, words),
                    None => Ending::quiet(code),
                }
            }
            Ok(ChatOutcome::OutputGone) => {
                chat.farewell().await;
                Ending::quiet(code)
            }
            Err(signal) => {
                chat.farewell().await;
                Ending::quiet(SIGNALLED + signal)
            }
        }
    }

    fn begin(&mut self, ready: ReadyChat) -> ChatLoop {
        let ReadyChat { client, events, welcome, typed, password, ignore, settings } = ready;
        let groups = welcome.groups.as_slice().iter().map(|membership| membership.group.clone());
        let groups: Vec<GroupName> = groups.collect();
        let (_, no_requests) = mpsc::channel(LIST_REQUESTS_MAX);
        let is_for_people = self.view.layout == Layout::Screen;
        let times = is_for_people && (self.times || settings.choices.times);
        let kept = client.kept();
        let last_here = kept.last_used.filter(|_| welcome.resumed).map(clock::millis);
        ChatLoop::new(Parts {
            retention: welcome.retention,
            arrived: welcome.seq,
            last_here,
            sent_again: kept.sent_again,
            name: welcome.name.clone(),
            password,
            client,
            events,
            typed,
            ignore,
            times: Times::new(times, self.view.day(clock::now())),
            settings,
            left: Arc::clone(&self.left),
            list_requests: std::mem::replace(&mut self.list_requests, no_requests),
            directory: Directory::new(&welcome.name, &groups),
            published: Arc::clone(&self.published),
            open: self.open.clone(),
            view: self.view,
            pace: if self.is_typed { Pace::AsTyped } else { Pace::OneByOne },
        })
    }

    fn ended(&self, ended: &Ended, code_of_exit: i32) -> Ending {
        let code = match ended {
            Ended::Left => code_of_exit,
            Ended::GaveUp(_) | Ended::Replaced | Ended::Disconnected | Ended::Untrusted(_) => {
                NO_CONNECTION
            }
            Ended::PasswordChanged => NAME_REFUSED,
            Ended::Refused(refusal) => refused_code(refusal),
            Ended::Misbehaved(_) | Ended::Garbled(_) => OTHER_PROTOCOL,
        };
        Ending { code, words: self.view.ended(ended, &self.target) }
    }

    /// Clears up: everything is shown, the terminal is as it was, and only then the last words are
    /// said. Gives the exit code: one that tells of nothing worse tells of an output that can't be
    /// written.
    async fn finish(self, ending: Ending) -> i32 {
        let Ending { mut code, words } = ending;
        let shown = self.screen.finish().await;
        terminal::restore(self.gate.is_typing());
        let unshown = shown.err().map(|error| self.view.no_output(&error.to_string()));
        if unshown.is_some() && code == 0 {
            code = UNSHOWN;
        }
        for words in unshown.into_iter().chain(words) {
            say(&words);
        }
        code
    }
}
