//! Whether the certificate that clients are shown has run out, or soon will.

use std::time::Duration;

use chatroom_proto::UnixMillis;
use tokio::time::{self, MissedTickBehavior};
use tracing::warn;

use super::log_reading::time;
use crate::clock::Clock;
use crate::net::tls::{ServerTls, Validity};

/// How many days ahead the end of a certificate is told: time to get another one by hand.
const NOTICE_DAYS: u64 = 14;

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How often it is looked at. By a clock that does not jump: the time of day may stand still.
const EVERY: Duration = Duration::from_millis(DAY_MS);

/// Looks at once.
pub(super) fn check(tls: &ServerTls, clock: &Clock) {
    if let Some(wrong) = wrong(tls.validity(), clock.now()) {
        warn!("{wrong}");
    }
}

/// Looks every day, at once for the first time, and says what is wrong, for ever.
pub(super) async fn watch(check: impl Fn()) {
    let mut days = time::interval(EVERY);
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        days.tick().await;
        check();
    }
}

/// What is wrong with a certificate at this time of day.
fn wrong(validity: Option<Validity>, now: UnixMillis) -> Option<String> {
    let Some(Validity { from, until }) = validity else {
        return Some("can't tell from when until when the TLS certificate is valid".to_owned());
    };
    let left_ms = until.0.saturating_sub(now.0);
    if until < now {
        Some(format!("the TLS certificate ran out at {}: renew it", time(until)))
    } else if now < from {
        Some(format!("the TLS certificate is not valid before {}", time(from)))
    } else if left_ms < NOTICE_DAYS * DAY_MS {
        let (until, left) = (time(until), days(left_ms / DAY_MS));
        Some(format!("the TLS certificate runs out at {until}, in {left}: renew it"))
    } else {
        None
    }
}

/// So many whole days.
fn days(count: u64) -> String {
    match count {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const VALID: Option<Validity> =
        Some(Validity { from: UnixMillis(100 * DAY_MS), until: UnixMillis(190 * DAY_MS) });

    #[test]
    fn what_is_valid_for_two_weeks_more_is_fine() {
        let on_day = |day: u64| wrong(VALID, UnixMillis(day * DAY_MS)).unwrap_or_default();
        assert_eq!(
            on_day(99),
            "the TLS certificate is not valid before 1970-04-11T00:00:00Z",
            "the day before"
        );
        assert_eq!([on_day(100), on_day(176)], [""; 2]);
        assert_eq!(
            on_day(177),
            "the TLS certificate runs out at 1970-07-10T00:00:00Z, in 13 days: renew it"
        );
        assert!(on_day(189).contains(", in 1 day: "));
        assert!(on_day(190).contains(", in less than a day: "));
        assert_eq!(on_day(191), "the TLS certificate ran out at 1970-07-10T00:00:00Z: renew it");
        assert!(wrong(None, UnixMillis(0)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_once_a_day_whatever_the_time_of_day_does() {
        let (now, said) = (AtomicU64::new(150 * DAY_MS), Mutex::new(Vec::new()));
        let check = || {
            let wrong = wrong(VALID, UnixMillis(now.load(Ordering::Relaxed)));
            said.lock().unwrap().push(wrong.is_some());
        };
        let test = async {
            time::sleep(Duration::from_secs(1)).await;
            now.store(200 * DAY_MS, Ordering::Relaxed);
            time::sleep(EVERY - Duration::from_secs(2)).await;
            assert_eq!(*said.lock().unwrap(), [false], "the clock has jumped, and no day is over");
            time::sleep(EVERY + Duration::from_secs(2)).await;
            assert_eq!(*said.lock().unwrap(), [false, true, true]);
            now.store(150 * DAY_MS, Ordering::Relaxed);
            time::sleep(EVERY).await;
            assert_eq!(*said.lock().unwrap(), [false, true, true, false]);
        };
        tokio::select! {
            () = watch(check) => {}
            () = test => {}
        }
    }
}
