//! The conversation that is open: where it was opened, closed, and kept.

use chatroom_proto::Conversation;

use super::chat::ChatLoop;
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
            Some(conversation) => screen.note(view.opened(&conversation)).await?,
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

    /// Has what is open opened again by the next run, for a person at a terminal.
    async fn keep_open(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        let open = self.parts.open.get();
        match self.parts.settings.choose(|chosen| chosen.open.clone_from(&open)) {
            Some((file, why)) => {
                screen.note(self.parts.view.not_kept(&file, &why.to_string())).await
            }
            None => Ok(()),
        }
    }
}
