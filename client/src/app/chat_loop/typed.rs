//! Lines in, requests out.

use crate::client::new_post_id;
use chatroom_proto::{Request, UserName};
use tokio::time::{Duration, Instant};

use super::ChatLoop;
use super::list::List;
use super::past::PartialHistory;
use crate::app::command::{self, TypedCommand};
use crate::app::completer::ListRequest;
use crate::app::ignore::Change;
use crate::app::lines::Typed;
use crate::app::screen::{OutputGone, Screen};

/// How long the server may take to say goodbye.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);

/// What somebody has asked for who is about to leave: that they leave is nothing to be done.
pub(super) fn unsent(typed: Typed) -> Option<Request> {
    match typed {
        Typed::Request(request) => Some(*request),
        Typed::Line(line) => match command::parse(&line) {
            Ok(Some(TypedCommand::Exit)) => None,
            Ok(command) => command?.into_request(new_post_id()),
            Err(_) => None,
        },
        Typed::Secret(_) | Typed::Unreadable(_) | Typed::End => None,
    }
}

impl ChatLoop {
    pub(super) async fn handle_typed(
        &mut self,
        screen: &Screen,
        typed: Typed,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        let line = match typed {
            Typed::Line(line) => line,
            Typed::Request(request) => return self.ask_in_private(screen, *request).await,
            // Nobody asked for one.
            Typed::Secret(_) => return Ok(()),
            Typed::Unreadable(why) => {
                self.has_trouble = true;
                return screen.note(view.unreadable(why)).await;
            }
            Typed::End => {
                self.leave().await;
                return Ok(());
            }
        };
        match command::parse(&line) {
            Ok(None) => Ok(()),
            Ok(Some(TypedCommand::Help(row))) => screen.note(view.help(row)).await,
            Ok(Some(TypedCommand::Exit)) => {
                self.leave().await;
                Ok(())
            }
            Ok(Some(TypedCommand::Register)) if self.parts.password.is_some() => {
                let Some(password) = self.parts.password.clone() else { return Ok(()) };
                self.ask_in_private(screen, Request::Register { password }).await
            }
            // At an editor, what is said in private has come as a request, with its passwords.
            Ok(Some(command)) if command.needs_password() => {
                self.has_trouble = true;
                let is_private = self.parts.client.is_private();
                screen
                    .note(if is_private { view.no_way_to_ask() } else { view.no_password_here() })
                    .await
            }
            Ok(Some(TypedCommand::Ignore(None))) => {
                screen.note(view.ignored(&self.parts.ignore.ignored)).await
            }
            Ok(Some(TypedCommand::Ignore(Some(name)))) => {
                let said = self.ignore(&name);
                screen.note(said).await
            }
            Ok(Some(TypedCommand::Unignore(name))) => {
                let change = self.parts.ignore.remove(&name);
                self.has_trouble |= !matches!(change, Change::Done);
                screen.note(view.hearing_again(&name, &change)).await
            }
            Ok(Some(command)) => {
                self.ask(command).await;
                Ok(())
            }
            Err(mistake) => {
                self.has_trouble = true;
                screen.note(view.mistake(&mistake)).await
            }
        }
    }

    /// Hears nothing more of somebody; gives what is to be said about that.
    fn ignore(&mut self, name: &UserName) -> String {
        let view = self.parts.view;
        if name.key() == self.parts.name.key() {
            self.has_trouble = true;
            return view.ignoring_oneself();
        }
        let change = self.parts.ignore.add(name.clone());
        self.has_trouble |= !matches!(change, Change::Done);
        view.ignoring(name, &change)
    }

    async fn leave(&mut self) {
        self.is_leaving = true;
        if self.lost_with.is_some() {
            return;
        }
        self.leave_by = Some(Instant::now() + GOODBYE_WAIT);
        // A link that has ended says so among the events.
        let _ = self.parts.client.submit(Request::Exit).await;
    }

    async fn ask(&mut self, command: TypedCommand) {
        let Some(request) = command.into_request(new_post_id()) else { return };
        self.submit(request).await;
    }

    /// Asks for something with a password in it, where nobody can read along.
    async fn ask_in_private(
        &mut self,
        screen: &Screen,
        request: Request,
    ) -> Result<(), OutputGone> {
        if !self.parts.client.is_private() {
            self.has_trouble = true;
            return screen.note(self.parts.view.no_password_here()).await;
        }
        self.submit(request).await;
        Ok(())
    }

    async fn submit(&mut self, request: Request) {
        let what = match request {
            Request::Groups { .. } => Some(ListRequest::Groups),
            Request::Users { .. } => Some(ListRequest::Users),
            _ => None,
        };
        let past = PartialHistory::new(&request);
        let is_post = is_post(&request);
        let Ok(tag) = self.parts.client.submit(request).await else { return };
        self.in_flight += 1;
        self.posts_in_flight += usize::from(is_post);
        if let Some(what) = what {
            self.lists.insert(tag, List::new(what, true));
        }
        if let Some(past) = past {
            self.pasts.insert(tag, past);
        }
    }
}

pub(super) fn is_post(request: &Request) -> bool {
    matches!(request, Request::Public { .. } | Request::Private { .. })
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Password;

    use super::*;

    #[test]
    fn what_was_typed_last_is_undone_unless_it_asks_for_nothing() {
        let line = |text: &str| Typed::Line(text.to_owned());
        let password = Password::try_from("hunter2".to_owned()).unwrap();
        for asks in [
            Typed::Request(Box::new(Request::Register { password })),
            line("users"),
            line("join tea"),
        ] {
            assert!(unsent(asks).is_some());
        }
        for asks_nothing in
            [line("exit"), line("help"), line("ignore"), line("jion tea"), line(""), Typed::End]
        {
            assert!(unsent(asks_nothing).is_none());
        }
    }
}
