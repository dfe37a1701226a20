//! Several addresses of one name, of which some may not answer (RFC 8305).
//!
//! The next one is tried a moment after the one before, and not only when that has failed: an
//! address that is silent does not keep anybody from the others.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Duration, sleep};

/// When to try the next address, as the RFC recommends it.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// The most addresses that are tried: all of them within the deadline for connecting.
const ADDRESSES_MAX: usize = 16;

/// What the first of these attempts gives that succeeds. They begin one after the other: each a
/// moment after the one before, or as soon as one has failed.
///
/// # Errors
/// That of the attempt that failed last.
pub(super) async fn first<T, A>(attempts: impl IntoIterator<Item = A>) -> io::Result<T>
where
    A: Future<Output = io::Result<T>>,
{
    let mut attempts = attempts.into_iter().take(ADDRESSES_MAX).peekable();
    let mut running = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        running.extend(attempts.next());
        let has_more = attempts.peek().is_some();
        tokio::select! {
            ended = running.next() => match ended {
                Some(Ok(value)) => return Ok(value),
                Some(Err(error)) => failed = error,
                None => return Err(failed),
            },
            () = sleep(NEXT_AFTER), if has_more => {}
        }
    }
}

/// In the order in which to try them: as they came, but the two families take turns. When one of
/// them leads nowhere, it is often all of it.
pub(super) fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first = |address: &&SocketAddr| {
        addresses.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6())
    };
    let mut first = addresses.iter().filter(is_first);
    let mut second = addresses.iter().filter(|address| !is_first(address));
    let mut turns = Vec::with_capacity(addresses.len());
    while turns.len() < addresses.len() {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::Pin;

    use tokio::time::{Instant, sleep};

    use super::*;

    type Attempt = Pin<Box<dyn Future<Output = io::Result<&'static str>>>>;

    fn silent() -> Attempt {
        Box::pin(pending())
    }

    fn refused() -> Attempt {
        Box::pin(ready(Err(io::ErrorKind::ConnectionRefused.into())))
    }

    fn answers(after_ms: u64, name: &'static str) -> Attempt {
        Box::pin(async move {
            sleep(Duration::from_millis(after_ms)).await;
            Ok(name)
        })
    }

    async fn won(attempts: Vec<Attempt>) -> (Result<&'static str, io::ErrorKind>, u128) {
        let begun = Instant::now();
        let won = first(attempts).await.map_err(|error| error.kind());
        (won, begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_silent_holds_the_next_up_for_a_quarter_of_a_second() {
        assert_eq!(won(vec![silent(), answers(10, "second")]).await, (Ok("second"), 260));
        assert_eq!(won(vec![silent(), silent(), answers(0, "third")]).await, (Ok("third"), 500));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_refused_holds_nobody_up_and_a_slow_one_may_still_win() {
        assert_eq!(won(vec![refused(), answers(10, "second")]).await, (Ok("second"), 10));
        assert_eq!(won(vec![answers(300, "first"), silent()]).await, (Ok("first"), 300));
        assert_eq!(won(vec![answers(10, "first"), refused()]).await, (Ok("first"), 10));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_have_failed_that_is_told() {
        assert_eq!(won(vec![refused(), refused()]).await.0, Err(io::ErrorKind::ConnectionRefused));
        assert_eq!(won(vec![]).await.0, Err(io::ErrorKind::AddrNotAvailable));
    }

    #[test]
    fn the_families_take_turns() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(
            in_turns(&addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"])),
            addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"])
        );
        assert!(in_turns(&[]).is_empty());
    }
}
