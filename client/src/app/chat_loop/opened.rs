//! The conversation that is open: opened, closed and kept. What is unread elsewhere.

use chatroom_proto::{Conversation, Notification};

use super::chat::ChatLoop;
use crate::app::arrival;
use crate::app::screen::{OutputGone, Screen};

impl ChatLoop {
    /// What is open was opened when the line was read. A group has to be one of this person's.
    pub(super) async fn open(
        &mut self,
        screen: &Screen,
        asked: Option<Conversation>,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        match asked {
            Some(Conversation::Group(group)) if !self.parts.directory.is_in(&group) => {
                self.parts.open.left(&group);
                self.has_failed = true;
                screen.note(view.not_opened(&group)).await?;
            }
            Some(conversation) => {
                self.unread.seen(&conversation);
                screen.note(view.opened(&conversation)).await?;
            }
            None => return screen.note(view.which_is_open(self.parts.open.get().as_ref())).await,
        }
        self.keep_open(screen).await
    }

    /// It was closed when the line was read.
    pub(super) async fn close(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        screen.note(self.parts.view.closed()).await?;
        self.keep_open(screen).await
    }

    /// A group in which one is no more can't be spoken in.
    pub(super) async fn close_if_out(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        match self.parts.open.get() {
            Some(Conversation::Group(group)) if !self.parts.directory.is_in(&group) => {
                self.parts.open.set(None);
                screen.note(self.parts.view.closed_with(&group)).await?;
                self.keep_open(screen).await
            }
            _ => Ok(()),
        }
    }

    /// Takes in what somebody said: it is unread where nobody looks. `is_missed`: it came while
    /// this person was away.
    pub(super) fn count_unread(&mut self, said: &Notification, is_missed: bool) {
        let me = &self.parts.name;
        let (Some(post), Some(place)) =
            (arrival::post(said), arrival::conversation(said, Some(me)))
        else {
            return;
        };
        let open = self.parts.open.get();
        let is_looked_at = match &open {
            Some(open) => arrival::is_same(open, &place),
            None => !is_missed,
        };
        if arrival::is_by(post, Some(me)) {
            // With another device they were there.
            self.unread.seen(&place);
        } else if !is_looked_at {
            self.unread.add(place, &post.from);
        }
    }

    /// Lists what is unread where it can be read.
    pub(super) async fn show_unread(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        let directory = &self.parts.directory;
        self.unread.each.retain(|unread| match &unread.place {
            Conversation::Group(group) => directory.is_in(group),
            Conversation::User(_) => true,
        });
        screen.note(self.parts.view.unread(&self.unread)).await?;
        self.unread.forget_beyond();
        Ok(())
    }

    /// Has what is open opened again by the next run, for a person at a terminal.
    async fn keep_open(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        let open = self.parts.open.get();
        self.choose(screen, |chosen| chosen.open.clone_from(&open)).await
    }
}
