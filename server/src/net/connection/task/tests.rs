//! Scenes of one connection's task, through a pipe in place of a socket.

use chatroom_proto::codec;
use chatroom_proto::{
    CloseReason, GroupName, Notification, Request, Response, Seq, ServerFrame, Tag,
};
use futures_util::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::*;
use crate::chat::Limits;
use crate::config::Config;
use crate::dispatch::handle::Lifetime;
use crate::dispatch::outbox::Pushed;
use crate::net::stream::Stream;
use crate::storage::log::MemoryLog;
use kit::{ClientReport, Cursed, HeldLog, TaskHost, hello};

mod kit;

/// What the task of a connection takes beside its stream while it is silent, in bytes. With the
/// stream, 32 bytes in the server, and tokio's part that is an allocation of 256, and with a little
/// more it were one of 384.
const TASK_BYTES_MAX: usize = 120;

/// Whatever is under way fits.
const PIPE_BYTES: usize = 1 << 16;

/// The answer to a list does not fit behind some others.
const SMALL_PIPE_BYTES: usize = 256;

/// Some times what a small pipe holds.
const PINGS: usize = 100;

/// A client whose connection's task has a bug that the second frame hits.
fn connect_cursed(connection: Connection) -> (ClientReport, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(PIPE_BYTES);
    let stream = Cursed { stream: server, reads_left: 1 };
    (ClientReport::new(client), tokio::spawn(ConnectionTask::new(connection, stream, None)))
}

#[test]
fn the_task_of_a_connection_is_small() {
    let bytes = size_of::<ConnectionTask<Stream>>() - size_of::<Stream>();
    assert!(bytes <= TASK_BYTES_MAX, "{bytes} bytes");
    assert_eq!(size_of::<Stream>(), size_of::<TcpStream>(), "a plain stream is its socket");
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_connection_and_the_others_chat_on() {
    let limits = Limits { grace_ms: 0, ..Limits::default() };
    let host = TaskHost::new(Config { limits, ..Config::default() });
    let (mut jim, _) = host.connect(1, PIPE_BYTES);
    jim.come("jim").await;

    let (mut eve, _) = connect_cursed(host.connection(2));
    eve.come("eve").await;
    eve.say(Request::Ping).await;
    while let Some(Ok(_)) = eve.reader.next().await {}

    // The dispatch task knows that she is gone, and jim hears it when her grace is over.
    loop {
        match jim.reader.next().await {
            Some(Ok(ServerFrame::Notification(Notification::Departed { user, .. }))) => {
                assert_eq!(user.as_str(), "eve");
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("jim was hung up on: {other:?}"),
        }
    }
    jim.ask(Request::Ping).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_after_the_write_deadline() {
    let host = TaskHost::new(Config::default());
    // What she is answered does not fit, and she reads nothing of it.
    let (mut eve, living) = host.connect(1, SMALL_PIPE_BYTES);
    eve.come("eve").await;
    eve.ask_much().await;
    let began = Instant::now();
    living.await.unwrap();
    let waited = began.elapsed();
    let deadline = host.config().write_deadline;
    assert!(waited >= deadline && waited < deadline * 2, "given up after {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn one_who_is_hung_up_on_can_finish_what_it_was_sending() {
    let host = TaskHost::new(Config::default());
    let (ClientReport { reader: mut frames, mut writer }, _) = host.connect(1, 1024);
    // A length, two bytes that are no request, and much more than the pipe holds: on a socket that
    // nobody reads any more, that would end in a reset, which can overtake the reason.
    let garbage = [&[0, 0, 0, 2, 0xee, 0xee][..], &[0xee; 100_000]].concat();
    let sending = tokio::spawn(async move { writer.stream_mut().write_all(&garbage).await });
    let last = frames.next().await;
    assert!(
        matches!(last, Some(Ok(ServerFrame::Notification(Notification::Closing(_))))),
        "{last:?}"
    );
    sending.await.unwrap().expect("somebody reads it");
}

#[tokio::test(start_paused = true)]
async fn one_who_closes_its_side_still_gets_the_answers_that_are_under_way() {
    let (hold, held) = watch::channel(false);
    let log = HeldLog { log: MemoryLog::new(), held };
    let host = TaskHost::with(&Lifetime::default(), Config::default(), log);
    let (mut eve, _) = host.connect(1, PIPE_BYTES);
    eve.come("eve").await;
    hold.send_replace(true);
    eve.say(Request::Create { group: GroupName::parse("tea").unwrap() }).await;
    eve.writer.stream_mut().shutdown().await.unwrap();
    // Time for the server to see the end of the stream, and to do something rash about it.
    sleep(Duration::from_secs(5)).await;
    hold.send_replace(false);
    let answer = eve.reader.next().await;
    let created = |result: &Result<Response, _>| matches!(result, Ok(Response::Created { .. }));
    assert!(
        matches!(&answer, Some(Ok(ServerFrame::Response { result, .. })) if created(result)),
        "{answer:?}"
    );
    assert!(eve.reader.next().await.is_none(), "and then the connection ends");
}

#[tokio::test(start_paused = true)]
async fn one_whose_hello_comes_behind_the_goodbyes_is_told_too() {
    let lifetime = Lifetime::default();
    let host = TaskHost::with(&lifetime, Config::default(), MemoryLog::new());
    lifetime.shutdown.cancel();
    // The dispatch task says goodbye to everyone; this connection is about to say hello, and has
    // not heard of it.
    sleep(Duration::from_millis(1)).await;
    let (mut eve, _) = host.connect(1, PIPE_BYTES);
    eve.say(hello("eve")).await;
    let last = eve.reader.next().await;
    let goodbye = Notification::Closing(CloseReason::Shutdown);
    assert_eq!(last.and_then(Result::ok), Some(ServerFrame::Notification(goodbye)));
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_nobody_waits_for_what_is_not_written_any_more() {
    let host = TaskHost::new(Config::default());
    let connection = host.connection(1);
    let outbox = connection.outbox.clone();
    let (mut eve, living) = connect_cursed(connection);
    eve.come("eve").await;
    // What she has missed is on its way: each part waits until the one before it is being written.
    outbox.hold();
    assert_eq!(outbox.catch_up(b"one part").await, Some(()));
    eve.say(Request::Ping).await;
    living.await.unwrap();
    assert_eq!(outbox.catch_up(b"the next").await, None);
}

#[tokio::test(start_paused = true)]
async fn one_who_is_hung_up_on_and_takes_a_byte_now_and_then_is_given_up_after_the_flush_deadline()
{
    let host = TaskHost::new(Config::default());
    let connection = host.connection(1);
    let outbox = connection.outbox.clone();
    let (client, server) = tokio::io::duplex(SMALL_PIPE_BYTES);
    let mut living = tokio::spawn(ConnectionTask::new(connection, server, None));
    let mut eve = ClientReport::new(client);
    eve.come("eve").await;
    eve.ask_much().await;
    let Config { write_deadline, flush_deadline, linger_deadline, .. } = *host.config();

    // For long before that, too: as long as she is welcome she may take her time.
    let now_and_then = write_deadline / 4;
    for _ in 0..8 {
        sleep(now_and_then).await;
        eve.reader.stream_mut().read_u8().await.unwrap();
    }
    outbox.close(Some(CloseReason::Shutdown));
    let closed = Instant::now();
    while time::timeout(now_and_then, &mut living).await.is_err() {
        eve.reader.stream_mut().read_u8().await.expect("there is more than that in the pipe");
    }
    let waited = closed.elapsed();
    let given_up = flush_deadline..=flush_deadline + linger_deadline;
    assert!(given_up.contains(&waited), "given up after {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_that_takes_everything_in_the_end_goes_on_as_if_nothing_had_been() {
    let host = TaskHost::new(Config::default());
    let connection = host.connection(1);
    let outbox = connection.outbox.clone();
    let (client, server) = tokio::io::duplex(SMALL_PIPE_BYTES);
    let (mut task, mut eve) =
        (ConnectionTask::new(connection, server, None), ClientReport::new(client));
    while_it_runs(&mut task, eve.come("eve")).await;
    until(&mut task, |task| task.busy.is_none()).await;

    let pings =
        codec::encode(&ServerFrame::Notification(Notification::Ping)).unwrap().repeat(PINGS);
    assert_eq!(outbox.push(&pings), Pushed::First);
    outbox.wake();
    let is_slow = |task: &ConnectionTask<_>| {
        task.busy.as_ref().is_some_and(|busy| matches!(busy.writing, Writing::Slow(_)))
    };
    until(&mut task, is_slow).await;
    for _ in 0..PINGS {
        let ping = while_it_runs(&mut task, eve.reader.next()).await.and_then(Result::ok);
        assert_eq!(ping, Some(ServerFrame::Notification(Notification::Ping)));
    }
    until(&mut task, |task| task.busy.is_none()).await;
    assert_eq!(while_it_runs(&mut task, eve.ask(Request::Ping)).await, Response::Pong);
}

/// Lives on until something else is done.
async fn while_it_runs<T>(
    task: &mut ConnectionTask<DuplexStream>,
    done: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        () = task => panic!("it has ended"),
        done = done => done,
    }
}

/// Lives on until this is so, without any time going by.
async fn until(
    task: &mut ConnectionTask<DuplexStream>,
    is_so: impl Fn(&ConnectionTask<DuplexStream>) -> bool,
) {
    const TURNS_MAX: usize = 1_000;
    for _ in 0..TURNS_MAX {
        assert!(poll!(&mut *task).is_pending(), "it has ended");
        if is_so(task) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never comes to that");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_all_at_once_is_answered_in_order() {
    /// More than may be unanswered, and than a turn takes in.
    const ASKS: u32 = 600;
    let host = TaskHost::new(Config::default());
    let (mut eve, _) = host.connect(1, PIPE_BYTES);
    eve.come("eve").await;
    for n in 0..ASKS {
        eve.writer.feed(ClientFrame { tag: Tag(n), request: any_of(n) }).await.unwrap();
    }
    eve.writer.flush().await.unwrap();
    for n in 0..ASKS {
        let (tag, answer) = eve.answer().await;
        assert_eq!(tag, Tag(n), "{answer:?}");
    }
}

/// Questions, commands, and lists.
fn any_of(n: u32) -> Request {
    match n % 7 {
        0 => Request::Users { after: Seq::ZERO },
        1..=3 => Request::Create { group: GroupName::parse(&format!("g{n}")).unwrap() },
        _ => Request::Ping,
    }
}
