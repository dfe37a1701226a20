//! Idle timers: which clients have been silent for too long.
//!
//! One queue of deadlines serves all connections, in place of a timer for each. A timer costs
//! memory for as long as its connection lives, and time whenever something is heard. Here, hearing
//! something is writing down a number.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::UptimeMillis;
use crate::chat::entry::ConnectionId;

/// The connections that were let in, by when to look after each.
#[derive(Debug)]
pub(crate) struct IdleTimers {
    /// After so much silence a client is asked whether it is there, again and again.
    ask_after: Duration,
    /// After so much it counts as gone.
    end_after: Duration,
    began: Instant,
    now: Moment,
    due: BTreeSet<(Moment, ConnectionId)>,
}

/// Milliseconds since the server began.
type Moment = u64;

/// When a connection was heard, and when it is looked after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastSeen {
    at: Moment,
    due: Moment,
    /// Whether it was asked since it was heard.
    is_asked: bool,
}

/// What to do about a connection that has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdleAction {
    /// It was heard.
    Nothing,
    /// Its client is asked whether it is there.
    Ping,
    /// It was asked, and said nothing.
    Close,
}

impl IdleTimers {
    /// Nobody yet.
    pub(crate) fn new(ask_after: Duration, end_after: Duration) -> IdleTimers {
        IdleTimers { ask_after, end_after, began: Instant::now(), now: 0, due: BTreeSet::new() }
    }

    /// How often to look, so that nobody waits for much longer than the deadlines say.
    pub(crate) fn precision(&self) -> Duration {
        (self.ask_after / 4).max(Duration::from_millis(1))
    }

    /// It is now, until this is called again: once for many connections.
    pub(crate) fn look_at_the_clock(&mut self) {
        self.now = millis(self.began.elapsed());
    }

    /// What time it is, since the server began.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    /// The same for the chat.
    pub(crate) fn uptime(&self) -> UptimeMillis {
        UptimeMillis(self.now)
    }

    /// A connection that was heard now, and is not looked after yet.
    pub(crate) fn last_seen(&self) -> LastSeen {
        LastSeen { at: self.now, due: self.now, is_asked: false }
    }

    /// Something was heard of a connection.
    pub(crate) fn refresh(&self, last_seen: &mut LastSeen) {
        (last_seen.at, last_seen.is_asked) = (self.now, false);
    }

    /// From now on a connection is looked after.
    pub(crate) fn begin(&mut self, connection: ConnectionId, last_seen: &mut LastSeen) {
        self.refresh(last_seen);
        self.look_after(connection, last_seen, self.now + millis(self.ask_after));
    }

    /// A connection is no more.
    pub(crate) fn end(&mut self, connection: ConnectionId, last_seen: &LastSeen) {
        self.due.remove(&(last_seen.due, connection));
    }

    /// Takes out a connection that has to be judged now.
    pub(crate) fn next_due(&mut self) -> Option<ConnectionId> {
        let (due, connection) = *self.due.first()?;
        (due <= self.now).then(|| {
            self.due.pop_first();
            connection
        })
    }

    /// What to do about a connection that was taken out. One that we owe something has a reason to
    /// be silent.
    pub(crate) fn judge(
        &mut self,
        connection: ConnectionId,
        last_seen: &mut LastSeen,
        is_owed: bool,
    ) -> IdleAction {
        if is_owed {
            self.refresh(last_seen);
        }
        let (ask_after, end_after) = (millis(self.ask_after), millis(self.end_after));
        let idle = self.now - last_seen.at;
        if last_seen.is_asked && idle >= end_after {
            return IdleAction::Close;
        }
        if idle < ask_after {
            self.look_after(connection, last_seen, last_seen.at + ask_after);
            return IdleAction::Nothing;
        }
        last_seen.is_asked = true;
        let end = (last_seen.at + end_after).max(self.now + 1);
        self.look_after(connection, last_seen, end.min(self.now + ask_after));
        IdleAction::Ping
    }

    fn look_after(&mut self, connection: ConnectionId, last_seen: &mut LastSeen, due: Moment) {
        last_seen.due = due.max(self.now + 1);
        self.due.insert((last_seen.due, connection));
    }
}

fn millis(duration: Duration) -> Moment {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    const JIM: ConnectionId = ConnectionId(1);

    /// What is done about jim, second by second.
    async fn watch(
        idle: &mut IdleTimers,
        last_seen: &mut LastSeen,
        seconds: u64,
        is_owed: bool,
    ) -> Vec<(u64, IdleAction)> {
        let mut actions = Vec::new();
        for second in 1..=seconds {
            time::advance(Duration::from_secs(1)).await;
            idle.look_at_the_clock();
            while let Some(connection) = idle.next_due() {
                actions.push((second, idle.judge(connection, last_seen, is_owed)));
            }
        }
        actions
    }

    #[tokio::test(start_paused = true)]
    async fn the_silent_are_asked_twice_and_then_they_are_gone() {
        let mut idle = IdleTimers::new(Duration::from_secs(30), Duration::from_secs(90));
        let mut jim = idle.last_seen();
        idle.begin(JIM, &mut jim);
        let actions = watch(&mut idle, &mut jim, 200, false).await;
        assert_eq!(
            actions,
            [(30, IdleAction::Ping), (60, IdleAction::Ping), (90, IdleAction::Close)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_heard_in_time_stays() {
        let mut idle = IdleTimers::new(Duration::from_secs(30), Duration::from_secs(90));
        let mut jim = idle.last_seen();
        idle.begin(JIM, &mut jim);
        watch(&mut idle, &mut jim, 20, false).await;
        idle.refresh(&mut jim);
        let actions = watch(&mut idle, &mut jim, 85, false).await;
        assert_eq!(
            actions,
            [(10, IdleAction::Nothing), (30, IdleAction::Ping), (60, IdleAction::Ping)]
        );
        idle.refresh(&mut jim);
        let actions = watch(&mut idle, &mut jim, 40, false).await;
        assert_eq!(
            actions,
            [(5, IdleAction::Nothing), (30, IdleAction::Ping)],
            "from the last word on"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whom_we_owe_an_answer_may_be_silent() {
        let mut idle = IdleTimers::new(Duration::from_secs(30), Duration::from_secs(90));
        let mut jim = idle.last_seen();
        idle.begin(JIM, &mut jim);
        let actions = watch(&mut idle, &mut jim, 200, true).await;
        assert!(actions.iter().all(|(_, action)| *action == IdleAction::Nothing), "{actions:?}");
        let actions = watch(&mut idle, &mut jim, 100, false).await;
        assert_eq!(actions.last().map(|(_, action)| *action), Some(IdleAction::Close));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_not_looked_after() {
        let mut idle = IdleTimers::new(Duration::from_secs(30), Duration::from_secs(90));
        let mut jim = idle.last_seen();
        idle.begin(JIM, &mut jim);
        idle.end(JIM, &jim);
        assert_eq!(watch(&mut idle, &mut jim, 200, false).await, []);
    }
}
