//! Keys that do something with the line, whatever brought them.

use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount};

/// What a key does with the line and the cursor in it.
pub(crate) trait LineKey: Send + Sync {
    /// Nothing, where the line editor is to do what it always does.
    fn command(&self, line: &str, cursor: usize) -> Option<Cmd>;
}

/// Such a key, for the line editor.
pub(crate) struct OnLine<K>(pub(crate) K);

impl<K: LineKey> ConditionalEventHandler for OnLine<K> {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        self.0.command(context.line(), context.pos())
    }
}
