//! Lines in, requests out.

use crate::client::new_post_id;
use chatroom_proto::{Conversation, Request, UserName};
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
                if let Some(request) = command.into_request(new_post_id()) {
                    self.submit(request).await;
                }
                Ok(())
            }
            TypedCommand::AskWithPasswords(command) => {
                self.ask_with_passwords(screen, command).await
            }
            TypedCommand::Help(row) => screen.note(view.help(row)).await,
            TypedCommand::Exit => {
                self.leave().await;
                Ok(())
            }
            TypedCommand::DeleteLast => self.delete_last(screen).await,
            TypedCommand::Open(asked) => self.open(screen, asked).await,
            TypedCommand::Close => screen.note(view.closed()).await,
            TypedCommand::Ignore(None) => {
                screen.note(view.ignored(&self.parts.ignore.ignored)).await
            }
            TypedCommand::Ignore(Some(name)) => {
                let said = self.ignore(&name);
                screen.note(said).await
            }
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
                self.submit(Request::Delete { post }).await;
                Ok(())
            }
            None => {
                self.has_failed = true;
                screen.note(view.nothing_to_delete()).await
            }
        }
    }

    /// What is open was opened when the line was read. A group has to be one of this person's.
    async fn open(
        &mut self,
        screen: &Screen,
        asked: Option<Conversation>,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        match asked {
            Some(Conversation::Group(group)) if !self.parts.directory.is_in(&group) => {
                self.parts.open.left(&group);
                self.has_failed = true;
                screen.note(view.not_opened(&group)).await
            }
            Some(conversation) => screen.note(view.opened(&conversation)).await,
            None => screen.note(view.which_is_open(self.parts.open.get().as_ref())).await,
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

    /// Hears nothing more of somebody; gives what is to be said about that.
    fn ignore(&mut self, name: &UserName) -> String {
        let view = self.parts.view;
        if name.key() == self.parts.name.key() {
            self.has_failed = true;
            return view.ignoring_oneself();
        }
        let change = self.parts.ignore.add(name.clone());
        self.has_failed |= !matches!(change, Change::Done);
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
        let Ok(tag) = self.parts.client.submit(request).await else { return };
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
