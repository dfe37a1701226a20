//! Hearing nothing more of somebody, whoever that is.

use chatroom_proto::{Refusal, Request, Response, UserName};

use super::chat::ChatLoop;
use crate::app::ignore::Change;
use crate::app::screen::{OutputGone, Screen};
use crate::app::view::Layout;

/// The most names that are looked for at once. Of one more, nobody is told that it is nobody's.
const SOUGHT_MAX: usize = 8;

impl ChatLoop {
    /// Hears nothing more of somebody.
    pub(super) async fn ignore(
        &mut self,
        screen: &Screen,
        name: UserName,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        if name.key() == self.parts.name.key() {
            self.has_failed = true;
            return screen.note(view.ignoring_oneself()).await;
        }
        let change = self.parts.ignore.add(name.clone());
        self.has_failed |= !matches!(change, Change::Done);
        screen.note(view.ignoring(&name, &change)).await?;
        if matches!(change, Change::Done | Change::NotKept(..)) {
            self.seek(name).await;
        }
        Ok(())
    }

    /// Asks whether there is such a person, unless that is known. A pipe has given the name that
    /// it means; a person may have mistyped it.
    async fn seek(&mut self, name: UserName) {
        let is_for_people = self.parts.view.layout == Layout::Screen;
        let has_room = self.sought.len() < SOUGHT_MAX && self.lost_with.is_none();
        if !is_for_people || !has_room || self.parts.directory.knows(&name) {
            return;
        }
        let request = Request::Who { user: name.clone() };
        // Without an answer nothing is said.
        if let Ok(tag) = self.parts.client.submit(request).await {
            self.sought.insert(tag, name);
        }
    }

    /// Somebody was looked for who is ignored from now on.
    pub(super) async fn found(
        &mut self,
        screen: &Screen,
        name: &UserName,
        result: &Result<Response, Refusal>,
    ) -> Result<(), OutputGone> {
        if !matches!(result, Err(Refusal::NoSuchUser { .. })) {
            return Ok(());
        }
        let meant = self.parts.directory.user_like(name);
        screen.note(self.parts.view.ignoring_nobody(name, meant)).await
    }
}
