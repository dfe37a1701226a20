//! When it is safe to print above the line being typed.
//!
//! rustyline's printer hands text to the reading thread while a line is being read, and writes it
//! straight to the terminal otherwise. At the moment when a line is finished that is a race: a text
//! may be written behind the typed line, before its line end, or overtake one that was handed over
//! and waits for the next line. So the reading thread closes this gate when Enter is pressed, and
//! opens it when the next line is being read; the printer prints only while it is open.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long closing waits for a print that has begun: handing a text over takes microseconds. One
/// that takes longer waits for the reading thread itself, and is no danger.
const PRINT_WAIT: Duration = Duration::from_millis(5);

/// How long [`Gate::settle`] waits for the reading thread to show what it was handed.
const SETTLE_WAIT: Duration = Duration::from_millis(200);

/// Shared by the reading thread and the printing thread.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    is_printing: bool,
    /// How often the line was painted.
    painted: u64,
    /// How often it was when the latest print began; nothing when that one went straight to the
    /// terminal.
    painted_before: Option<u64>,
    /// A search in the history is open: nothing that is printed is shown until it is over.
    is_searching: bool,
    /// Something was printed that is not shown because of that.
    is_held_back: bool,
    /// There is no reading thread any more.
    is_deserted: bool,
}

/// What has become of a print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// It is on the screen.
    Shown,
    /// The reading thread has it.
    HandedOver,
    /// The reading thread had it, and went away.
    Lost,
}

impl State {
    fn is_settled(&self) -> bool {
        self.painted_before.is_none_or(|before| self.painted > before)
    }
}

impl Gate {
    /// A line is being read.
    pub fn open(&self) {
        self.change(|state| state.is_open = true);
    }

    /// A line is finished: what is printed from now on waits for the next.
    pub fn close(&self) {
        self.change(|state| state.is_open = false);
        let waited =
            self.changed.wait_timeout_while(self.lock(), PRINT_WAIT, |state| state.is_printing);
        drop(waited);
    }

    /// No line will be read any more, and the terminal is as it was: printing is always safe.
    pub fn desert(&self) {
        self.change(|state| state.is_deserted = true);
    }

    /// The line being typed was painted, which is what happens after a print, too.
    pub fn painted(&self) {
        self.change(|state| state.painted += 1);
    }

    /// A prompt is about to be painted: of a search in the history, or another one.
    pub fn searching(&self, is_searching: bool) {
        self.change(|state| {
            let opens = is_searching && !state.is_searching;
            state.is_held_back =
                is_searching && (state.is_held_back || opens && !state.is_settled());
            state.is_searching = is_searching;
        });
    }

    /// Whether something was printed that is not shown before the search is over.
    pub fn is_held_back(&self) -> bool {
        self.lock().is_held_back
    }

    /// How often the line was painted.
    pub fn paints(&self) -> u64 {
        self.lock().painted
    }

    /// Waits until it was painted so often, but not longer than that.
    pub fn wait_for_paints(&self, painted: u64, patience: Duration) {
        let is_waiting = |state: &mut State| state.painted < painted && !state.is_deserted;
        drop(self.changed.wait_timeout_while(self.lock(), patience, is_waiting));
    }

    /// Waits until the gate is open, and prints. The print is told what has become of the one
    /// before it.
    pub fn print<T>(&self, print: impl FnOnce(Former) -> T) -> T {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| !state.is_open && !state.is_deserted);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let former = match (state.is_settled(), state.is_deserted) {
            (true, _) => Former::Shown,
            (false, false) => Former::HandedOver,
            (false, true) => Former::Lost,
        };
        state.is_printing = true;
        state.is_held_back |= state.is_searching;
        state.painted_before = (!state.is_deserted).then_some(state.painted);
        drop(state);
        let printed = print(former);
        self.change(|state| state.is_printing = false);
        printed
    }

    /// Waits a moment for what was printed last to be on the screen, and tells whether it is.
    pub fn settle(&self) -> bool {
        let is_waiting = |state: &mut State| !state.is_settled() && !state.is_deserted;
        let waited = self.changed.wait_timeout_while(self.lock(), SETTLE_WAIT, is_waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_settled()
    }

    /// Whether a line is being read, so that the terminal is in raw mode.
    pub fn is_typing(&self) -> bool {
        let state = self.lock();
        state.is_open && !state.is_deserted
    }

    /// Whether no line will be read any more.
    pub fn is_deserted(&self) -> bool {
        self.lock().is_deserted
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;
    use std::thread;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[test]
    fn printing_waits_for_the_gate_to_open() {
        let gate = Arc::new(Gate::default());
        let (printed, prints) = sync_channel(1);
        let printer = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.print(|_| printed.send("printed").unwrap())
        });
        assert!(prints.try_recv().is_err());
        gate.open();
        assert_eq!(prints.recv(), Ok("printed"));
        printer.join().unwrap();
    }

    #[test]
    fn closing_waits_for_a_print_that_has_begun() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let (begun, begins) = sync_channel(0);
        let printer = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.print(|_| begun.send(()).unwrap())
        });
        begins.recv().unwrap();
        gate.close();
        assert!(!gate.is_typing());
        printer.join().unwrap();
    }

    #[test]
    fn closing_does_not_wait_for_ever_for_a_print_that_waits_for_the_reader() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let (stuck, release) = sync_channel::<()>(0);
        let (begun, begins) = sync_channel(0);
        let printer = thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                gate.print(|_| {
                    begun.send(()).unwrap();
                    stuck.send(()).unwrap();
                });
            }
        });
        begins.recv().unwrap();
        gate.close();
        release.recv().unwrap();
        printer.join().unwrap();
    }

    #[test]
    fn a_deserted_gate_lets_everything_pass_and_settles_at_once() {
        let gate = Gate::default();
        gate.desert();
        gate.print(|_| ());
        assert!(gate.settle());
        assert!(gate.is_deserted() && !gate.is_typing());
    }

    #[test]
    fn a_print_that_went_away_with_the_reading_thread_is_known() {
        let gate = Gate::default();
        gate.open();
        assert_eq!(gate.print(|former| former), Former::Shown);
        assert_eq!(gate.print(|former| former), Former::HandedOver);
        gate.close();
        gate.desert();
        assert_eq!(gate.print(|former| former), Former::Lost);
        assert_eq!(gate.print(|former| former), Former::Shown);
    }

    #[test]
    fn what_is_printed_during_a_search_is_held_back_until_it_is_over() {
        let gate = Gate::default();
        gate.open();
        gate.searching(false);
        gate.painted();
        gate.print(|_| ());
        assert!(!gate.is_held_back());
        gate.searching(true);
        assert!(gate.is_held_back(), "it was not shown before");
        gate.searching(false);
        gate.painted();
        gate.searching(true);
        assert!(!gate.is_held_back());
        gate.print(|_| ());
        gate.searching(true);
        assert!(gate.is_held_back());
        gate.wait_for_paints(2, DEADLINE);
        assert_eq!(gate.paints(), 2);
    }

    #[test]
    fn a_print_is_settled_when_the_line_was_painted_after_it() {
        let gate = Gate::default();
        gate.open();
        gate.painted();
        gate.print(|_| ());
        assert!(!gate.settle());
        gate.painted();
        assert!(gate.settle());
    }
}
