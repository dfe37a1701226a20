//! Lines in, requests out.

use crate::client::new_post_id;
use chatroom_proto::Request;
use tokio::time::{Duration, Instant};

use super::chat::ChatLoop;
use super::history::PartialHistory;
use super::list::List;
use super::request::is_post;
use crate::app::command::{self, PasswordCommand, TypedCommand};
use crate::app::completer::ListRequest;
use crate::app::ignore::Change;
use crate::app::lines::Typed;
use crate::app::screen::{OutputGone, Screen};
use crate::app::view::Layout;

/// How long the server may take to say goodbye.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);

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
                self.has_failed = true;
                return screen.note(view.unreadable(why)).await;
            }
            Typed::End => {
                self.leave().await;
                return Ok(());
            }
        };
        match command::parse(&line) {
            Ok(None) => Ok(()),
            Ok(Some(command)) => self.carry_out(screen, command).await,
            Err(mistake) => {
                self.has_failed = true;
                screen.note(view.mistake(&mistake)).await
            }
        }
    }

    async fn carry_out(
        &mut self,
        screen: &Screen,
        command: TypedCommand,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        match command {
            TypedCommand::Ask(_) | TypedCommand::Say(..) => {
                if let TypedCommand::Say(place, _) = &command {
                    self.unread.seen(place);
                }
                if let Some(request) = command.into_request(new_post_id()) {
                    self.submit(request).await;
                }
                Ok(())
            }
            TypedCommand::AskWithPasswords(command) => {
                self.ask_with_passwords(screen, command).await
            }
            TypedCommand::Help(topic) => screen.note(view.help(topic)).await,
            TypedCommand::Exit => {
                self.leave().await;
                Ok(())
            }
            TypedCommand::DeleteLast => self.delete_last(screen).await,
            TypedCommand::Open(asked) => self.open(screen, asked).await,
            TypedCommand::Close => self.close(screen).await,
            TypedCommand::Unread => self.show_unread(screen).await,
            TypedCommand::Times(chosen) => self.choose_times(screen, chosen).await,
            TypedCommand::RingFor(chosen) => self.choose_bell(screen, chosen).await,
            TypedCommand::Ignore(None) => {
                screen.note(view.ignored(&self.parts.ignore.ignored)).await
            }
            TypedCommand::Ignore(Some(name)) => self.ignore(screen, name).await,
            TypedCommand::Unignore(name) => {
                let change = self.parts.ignore.remove(&name);
                self.has_failed |= !matches!(change, Change::Done);
                screen.note(view.hearing_again(&name, &change)).await
            }
        }
    }

    /// Takes back what was said last in this run, and is there still.
    async fn delete_last(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        let view = self.parts.view;
        match self.own_posts.back() {
            _ if self.posts_in_flight > 0 => {
                self.has_failed = true;
                screen.note(view.not_yet_accepted()).await
            }
            Some(post) => {
                let post = *post;
                // The next time it is the one before.
                self.own_posts.pop_back();
                self.submit(Request::Delete { post }).await;
                Ok(())
            }
            None => {
                self.has_failed = true;
                screen.note(view.nothing_to_delete()).await
            }
        }
    }

    /// Passwords are asked for at an editor only, from which such a command comes as a request with
    /// them. A pipe can register with the password that it came with.
    async fn ask_with_passwords(
        &mut self,
        screen: &Screen,
        command: PasswordCommand,
    ) -> Result<(), OutputGone> {
        if command == PasswordCommand::Register
            && let Some(password) = self.parts.password.clone()
        {
            return self.ask_in_private(screen, Request::Register { password }).await;
        }
        let view = self.parts.view;
        self.has_failed = true;
        let is_private = self.parts.client.is_private();
        screen.note(if is_private { view.no_way_to_ask() } else { view.no_password_here() }).await
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

    /// Asks for something with a password in it, where nobody can read along.
    async fn ask_in_private(
        &mut self,
        screen: &Screen,
        request: Request,
    ) -> Result<(), OutputGone> {
        if !self.parts.client.is_private() {
            self.has_failed = true;
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
        // Programs are told what came of it, and nothing before.
        let message =
            (is_post && self.parts.view.layout == Layout::Screen).then(|| request.clone());
        let asked = Instant::now();
        let Ok(tag) = self.parts.client.submit(request).await else { return };
        if let Some(message) = message {
            self.unsent.asked(tag, &message, asked);
        }
        self.in_flight += 1;
        self.posts_in_flight += usize::from(is_post);
        if let Some(what) = what {
            self.lists.insert(tag, List::new(what, true));
        }
        if let Some(past) = past {
            self.histories.insert(tag, past);
        }
    }
}
