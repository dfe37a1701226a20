//! What a person chooses for this run and the next.

use super::chat::ChatLoop;
use crate::app::bell::Bell;
use crate::app::clock;
use crate::app::screen::{OutputGone, Screen};
use crate::app::settings::Choices;
use crate::app::times::Times;
use crate::app::view::Layout;

impl ChatLoop {
    /// Shows the time before what arrives, or not.
    pub(super) async fn choose_times(
        &mut self,
        screen: &Screen,
        chosen: Option<bool>,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        if view.layout == Layout::Lines {
            return self.refuse_to_choose(screen).await;
        }
        if let Some(are_on) = chosen {
            self.parts.times = Times::new(are_on, view.day(clock::now()));
            self.choose(screen, |choices| choices.times = are_on).await?;
        }
        screen.note(view.times(self.parts.times.are_on())).await
    }

    /// Rings for other things than before.
    pub(super) async fn choose_bell(
        &mut self,
        screen: &Screen,
        chosen: Option<Bell>,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        if view.layout == Layout::Lines {
            return self.refuse_to_choose(screen).await;
        }
        if let Some(bell) = chosen {
            self.choose(screen, |choices| choices.bell = bell).await?;
        }
        screen.note(view.bell(self.parts.settings.choices.bell)).await
    }

    async fn refuse_to_choose(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        self.has_failed = true;
        screen.note(self.parts.view.for_terminals()).await
    }

    /// Keeps a choice, and says so when it can't be kept.
    pub(super) async fn choose(
        &mut self,
        screen: &Screen,
        choose: impl Fn(&mut Choices),
    ) -> Result<(), OutputGone> {
        match self.parts.settings.choose(choose) {
            Some((file, why)) => {
                screen.note(self.parts.view.not_kept(&file, &why.to_string())).await
            }
            None => Ok(()),
        }
    }
}
