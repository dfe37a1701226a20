//! What an outbox takes, shares and gives.

use bytes::Buf;

use super::*;

fn outbox(bytes_max: usize) -> Outbox {
    Outbox::new(Bounds::new(bytes_max, usize::MAX))
}

async fn drain(outbox: &Outbox) -> (Vec<u8>, Taken) {
    let mut pieces = Pieces::default();
    let taken = poll_fn(|cx| outbox.poll_take(cx, &mut pieces)).await;
    (pieces.copy_to_bytes(pieces.len()).to_vec(), taken)
}

#[tokio::test]
async fn frames_come_out_together_and_in_order() {
    let outbox = outbox(100);
    assert_eq!(outbox.push(b"one "), Pushed::First);
    assert_eq!(outbox.push(b"two"), Pushed::More);
    outbox.wake();
    assert_eq!(drain(&outbox).await, (b"one two".to_vec(), Taken::More));
    assert_eq!(outbox.push(b"three"), Pushed::First);
}

#[tokio::test]
async fn an_overflow_drops_what_waits_and_says_why() {
    let outbox = outbox(8);
    let _ = outbox.push(b"12345678");
    let _ = outbox.push(b"9");
    let _ = outbox.push(b"never");
    let too_slow = closing(CloseReason::TooSlow).unwrap().to_vec();
    assert_eq!(drain(&outbox).await, (too_slow, Taken::Last));
}

#[tokio::test]
async fn the_first_reason_for_closing_is_the_one_that_is_told() {
    let outbox = outbox(100);
    outbox.close(Some(CloseReason::Replaced));
    outbox.close(Some(CloseReason::Shutdown));
    let replaced = closing(CloseReason::Replaced).unwrap().to_vec();
    assert_eq!(drain(&outbox).await, (replaced, Taken::Last));
}

#[tokio::test]
async fn one_who_has_asked_enough_waits_for_an_answer() {
    let outbox = outbox(100);
    assert_eq!(outbox.ask(0).await, Some(()));
    let mut second = Box::pin(outbox.ask(0));
    assert!(futures_util::poll!(&mut second).is_pending());
    let _ = outbox.answer(b"yes");
    outbox.wake();
    assert_eq!(second.await, Some(()));
    outbox.close(None);
    assert_eq!(outbox.ask(9).await, None);
}

#[tokio::test]
async fn one_who_does_not_read_asks_no_more() {
    let outbox = outbox(2 * OUTBOX_PAUSE_BYTES);
    let _ = outbox.push(&vec![0; OUTBOX_PAUSE_BYTES + 1]);
    let mut asking = Box::pin(outbox.ask(9));
    assert!(futures_util::poll!(&mut asking).is_pending());
    drain(&outbox).await;
    assert_eq!(asking.await, Some(()));
}

#[tokio::test]
async fn what_was_missed_goes_out_before_what_happens_meanwhile() {
    let outbox = outbox(100);
    let _ = outbox.push(b"welcome ");
    outbox.hold();
    let _ = outbox.push(b"live");
    outbox.wake();
    assert_eq!(drain(&outbox).await.0, b"welcome ");
    assert_eq!(outbox.catch_up(b"one ").await, Some(()));
    let mut next = Box::pin(outbox.catch_up(b"two "));
    assert!(futures_util::poll!(&mut next).is_pending(), "one part at a time");
    assert_eq!(drain(&outbox).await.0, b"one ");
    assert_eq!(next.await, Some(()));
    outbox.go_live();
    assert_eq!(drain(&outbox).await.0, b"two live");
}

#[tokio::test]
async fn what_is_held_for_one_who_has_not_caught_up_is_not_sent_when_it_is_closed() {
    let (slow, told) = (outbox(12), closing(CloseReason::TooSlow).unwrap().to_vec());
    slow.hold();
    assert_eq!(slow.catch_up(b"missed").await, Some(()));
    let _ = slow.push(b"live");
    let _ = slow.push(b"too much");
    assert_eq!(slow.catch_up(b"more").await, None);
    slow.go_live();
    assert_eq!(
        drain(&slow).await,
        (told, Taken::Last),
        "it would take the live for all that there was"
    );

    let (closed, told) = (outbox(100), closing(CloseReason::Shutdown).unwrap().to_vec());
    closed.hold();
    let _ = closed.push(b"live");
    closed.close(Some(CloseReason::Shutdown));
    assert_eq!(drain(&closed).await, (told, Taken::Last));
}

#[tokio::test]
async fn what_is_being_written_counts() {
    let outbox = outbox(8);
    let _ = outbox.push(b"12345");
    assert_eq!(drain(&outbox).await.0, b"12345");
    let _ = outbox.push(b"6789");
    let too_slow = closing(CloseReason::TooSlow).unwrap().to_vec();
    assert_eq!(drain(&outbox).await, (too_slow, Taken::Last));
}

#[tokio::test]
async fn when_all_together_hold_too_much_those_are_closed_who_hold_the_most() {
    let bounds = Bounds::new(100 * OUTBOX_FAIR_BYTES, 3 * OUTBOX_FAIR_BYTES);
    let new = || Outbox::new(Arc::clone(&bounds));
    let (slow, quick) = (new(), new());
    let _ = slow.push(&vec![0; 3 * OUTBOX_FAIR_BYTES]);
    let _ = quick.push(&[1; 1_000]);
    assert_eq!(drain(&quick).await, (vec![1; 1_000], Taken::More));
    let _ = slow.push(b"more");
    assert_eq!(drain(&slow).await.1, Taken::Last, "too slow");

    drop((slow, quick));
    let fresh = new();
    let _ = fresh.push(&vec![0; 2 * OUTBOX_FAIR_BYTES]);
    let _ = fresh.push(b"more");
    assert_eq!(drain(&fresh).await.1, Taken::More, "what the others held was given back");
}

/// Takes what waits and writes it, into pieces that were used before, as a connection's task does.
async fn write_with(outbox: &Outbox, pieces: &mut Pieces) -> Taken {
    let taken = poll_fn(|cx| outbox.poll_take(cx, pieces)).await;
    pieces.advance(pieces.len());
    taken
}

#[tokio::test]
async fn what_was_written_is_given_back_once_when_pieces_are_used_again() {
    let bounds = Bounds::new(1_000, usize::MAX);
    let (outbox, mut pieces) = (Outbox::new(Arc::clone(&bounds)), Pieces::default());
    for round in 1..=4 {
        // More is put in before the task comes back for it, as with several threads.
        let _ = outbox.push(&[0; 100]);
        assert_eq!(bounds.held(), if round == 1 { 100 } else { 200 }, "round {round}");
        assert_eq!(write_with(&outbox, &mut pieces).await, Taken::More);
        assert_eq!(bounds.held(), 100, "what is being written counts, in round {round}");
    }
    assert!(futures_util::poll!(Box::pin(write_with(&outbox, &mut pieces))).is_pending());
    assert_eq!(bounds.held(), 0);
    let _ = outbox.push(&[0; 100]);
    drop(outbox);
    assert_eq!(bounds.held(), 0);
}

#[tokio::test]
async fn one_that_reads_stays_open_however_often_its_pieces_are_used_again() {
    let bounds = Bounds::new(100 * OUTBOX_FAIR_BYTES, 3 * OUTBOX_FAIR_BYTES);
    let (outbox, mut pieces) = (Outbox::new(Arc::clone(&bounds)), Pieces::default());
    for _ in 0..9 {
        let _ = outbox.push(&[0; 1_000]);
        assert_eq!(write_with(&outbox, &mut pieces).await, Taken::More);
    }
    let _ = outbox.push(&vec![0; OUTBOX_FAIR_BYTES + 1]);
    assert_eq!(write_with(&outbox, &mut pieces).await, Taken::More, "nothing else is held");
}

#[tokio::test]
async fn what_is_held_for_one_who_leaves_is_dropped_with_a_reason_when_it_can_not_be_caught_up() {
    let outbox = outbox(100);
    outbox.hold();
    let _ = outbox.push(b"goodbye");
    outbox.finish();
    assert!(outbox.owes(), "it is not silent without a reason");
    outbox.close(Some(CloseReason::Failed));
    let failed = closing(CloseReason::Failed).unwrap().to_vec();
    assert_eq!(drain(&outbox).await, (failed, Taken::Last));
}
