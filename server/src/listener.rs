//! The accept loop: who gets a connection, and what happens to those who don't.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use chatroom_proto::CloseReason;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::chat::effect::ConnectionId;
use crate::config::{ACCEPT_BACKOFF, Config, LISTEN_BACKLOG, TURNED_AWAY_MAX};
use crate::connection::{Common, Connection, Life};
use crate::dispatch::Door;
use crate::outbox::{self, Bounds};

/// A socket that listens at this address, with a backlog that holds a storm of clients.
///
/// # Errors
/// When the address can't be listened at, such as one in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server shall not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Who is let in, and who is there.
pub(crate) struct Listener {
    common: Arc<Common>,
    permits: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    connections_max: u32,
}

impl Listener {
    pub(crate) fn new(
        door: Door,
        config: Config,
        bounds: Arc<Bounds>,
        shutdown: CancellationToken,
    ) -> Listener {
        let connections_max = u32::try_from(config.connections_max).unwrap_or(u32::MAX);
        Listener {
            common: Arc::new(Common { door, config, bounds, shutdown }),
            permits: Arc::new(Semaphore::new(connections_max as usize)),
            connections_max,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX as usize)),
        }
    }

    /// Accepts until shutdown.
    pub(crate) async fn run(&self, socket: TcpListener) {
        let mut number = 0;
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.common.shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    number += 1;
                    self.welcome(stream, peer, ConnectionId(number));
                }
                // The peer was gone before we got to it: its affair.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(%error, "can't accept a connection");
                    tokio::select! {
                        () = time::sleep(ACCEPT_BACKOFF) => {}
                        () = self.common.shutdown.cancelled() => return,
                    }
                }
            }
        }
    }

    /// Waits for all connections to end, as long as the configuration says.
    pub(crate) async fn wait_for_connections(&self) {
        let gone = async {
            // They are never closed, so what was given is given back.
            let _ = self.permits.acquire_many(self.connections_max).await;
            let _ = self.turned_away.acquire_many(TURNED_AWAY_MAX).await;
        };
        if time::timeout(self.common.config.shutdown_deadline, gone).await.is_err() {
            let connections = self.connections_max as usize - self.permits.available_permits();
            warn!(connections, "some connections did not end in time");
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, id: ConnectionId) {
        // Small frames shall not wait for each other; it fails on dead connections only.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.turn_away(stream, peer);
        };
        let connection = Connection::new(id, peer, Arc::clone(&self.common));
        tokio::spawn(Life::new(connection, stream, Some(permit)));
    }

    fn turn_away(&self, mut stream: TcpStream, peer: SocketAddr) {
        debug!(%peer, "turned away: the server is full");
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        let deadline = self.common.config.linger_deadline;
        tokio::spawn(async move {
            let farewell = async {
                let frame = outbox::closing(CloseReason::ServerFull).ok()?;
                stream.write_all(&frame).await.ok()?;
                stream.shutdown().await.ok()?;
                // Until the peer has closed, too: its Hello, unread, would make the kernel reset the connection.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()
            };
            let _ = time::timeout(deadline, farewell).await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
    use chatroom_proto::{
        ClientFrame, GroupName, Hello, Notification, Proof, Request, Response, Seq, ServerFrame, Tag,
        UserName, VersionRange,
    };
    use futures_util::StreamExt;
    use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::chat::effect::{NodeId, Proposal};
    use crate::chat::{Chat, Limits};
    use crate::dispatch::{Dispatch, Lifetime};
    use crate::log::{Base, Batches, Log, LogError, MemoryLog};

    /// What the task of a connection takes while it is silent, in bytes. With tokio's part that is an allocation of 256, and
    /// with a little more it were one of 384.
    const LIFE_BYTES_MAX: usize = 152;

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    /// A stream on which the code that reads it has a bug, once it is let in.
    struct Cursed {
        stream: DuplexStream,
        reads_left: u32,
    }

    impl AsyncRead for Cursed {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let before = buf.filled().len();
            let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
            if buf.filled().len() > before {
                assert!(self.reads_left > 0, "a bug");
                self.reads_left -= 1;
            }
            polled
        }
    }

    impl AsyncWrite for Cursed {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }

    /// The client's end of a connection.
    struct Client {
        reader: FrameReader<tokio::io::ReadHalf<DuplexStream>, ServerFrame>,
        writer: FrameWriter<tokio::io::WriteHalf<DuplexStream>, ClientFrame>,
    }

    impl Client {
        fn new(stream: DuplexStream) -> Client {
            let (read, write) = tokio::io::split(stream);
            Client { reader: FrameReader::new(read, FRAME_BYTES_MAX), writer: FrameWriter::new(write) }
        }

        async fn say(&mut self, request: Request) {
            self.writer.feed(ClientFrame { tag: Tag(1), request }).await.unwrap();
            self.writer.flush().await.unwrap();
        }

        async fn ask(&mut self, request: Request) -> Response {
            self.say(request).await;
            loop {
                match self.reader.next().await {
                    Some(Ok(ServerFrame::Response { result, .. })) => return result.unwrap(),
                    Some(Ok(ServerFrame::Notification(_))) => {}
                    other => panic!("no answer: {other:?}"),
                }
            }
        }

        async fn come(&mut self, name: &str) {
            let name = UserName::parse(name).unwrap();
            let hello = Hello { versions: VersionRange::SPOKEN, name, proof: Proof::Open, seen: Seq::ZERO };
            self.ask(Request::Hello(hello)).await;
        }
    }

    /// A log that gives nothing back while it is held.
    struct HeldLog {
        log: MemoryLog,
        held: watch::Receiver<bool>,
    }

    impl Log for HeldLog {
        fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError> {
            self.log.append(proposals)
        }

        fn follow(&self, after: Seq) -> Batches {
            let held = self.held.clone();
            let batches = self.log.follow(after).then(move |batch| {
                let mut held = held.clone();
                async move {
                    held.wait_for(|held| !held).await.expect("the test goes on");
                    batch
                }
            });
            batches.boxed()
        }

        fn head(&self) -> Seq {
            self.log.head()
        }

        fn base(&self) -> Result<Option<Base>, LogError> {
            self.log.base()
        }

        fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
            self.log.batch_end(at)
        }

        fn forget(&self, base: Base) -> Result<(), LogError> {
            self.log.forget(base)
        }
    }

    fn listener(config: Config) -> Listener {
        listener_with(config, MemoryLog::new())
    }

    fn listener_with(config: Config, log: impl Log) -> Listener {
        listener_for(&Lifetime::default(), config, log)
    }

    fn listener_for(lifetime: &Lifetime, config: Config, log: impl Log) -> Listener {
        let chat = Chat::new(NodeId(1), config.limits);
        let bounds = Bounds::new(config.outbox_bytes_max, config.outboxes_bytes_max);
        let (dispatch, door) =
            Dispatch::new(chat, Arc::new(log), None, &config, Arc::clone(&bounds), lifetime);
        tokio::spawn(dispatch.run());
        Listener::new(door, config, bounds, CancellationToken::new())
    }

    fn attend<S>(listener: &Listener, stream: S, number: u64) -> JoinHandle<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Connection::new(ConnectionId(number), PEER, Arc::clone(&listener.common));
        tokio::spawn(Life::new(connection, stream, None))
    }

    #[test]
    fn the_task_of_a_connection_is_small() {
        let bytes = size_of::<Life<TcpStream>>();
        assert!(bytes <= LIFE_BYTES_MAX, "{bytes} bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_one_connection_and_the_others_chat_on() {
        let limits = Limits { grace_ms: 0, ..Limits::default() };
        let listener = listener(Config { limits, ..Config::default() });
        let (jim, server_side) = tokio::io::duplex(1 << 16);
        attend(&listener, server_side, 1);
        let mut jim = Client::new(jim);
        jim.come("jim").await;

        let (eve, server_side) = tokio::io::duplex(1 << 16);
        attend(&listener, Cursed { stream: server_side, reads_left: 1 }, 2);
        let mut eve = Client::new(eve);
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
        let listener = listener(Config::default());
        // A pipe of 256 bytes: the answer to a list does not fit, and nobody reads it.
        let (eve, server_side) = tokio::io::duplex(256);
        let attending = attend(&listener, server_side, 1);
        let mut eve = Client::new(eve);
        eve.come("eve").await;
        for _ in 0..20 {
            eve.say(Request::Users { after: Seq::ZERO }).await;
        }
        let began = time::Instant::now();
        attending.await.unwrap();
        let waited = began.elapsed();
        let deadline = listener.common.config.write_deadline;
        assert!(waited >= deadline && waited < deadline * 2, "given up after {waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_hung_up_on_can_finish_what_it_was_sending() {
        let listener = listener(Config::default());
        let (eve, server_side) = tokio::io::duplex(1024);
        attend(&listener, server_side, 1);
        let (read, mut write) = tokio::io::split(eve);
        // A length, two bytes that are no request, and much more than the pipe holds: on a socket that nobody reads any
        // more, that would end in a reset, which can overtake the reason.
        let garbage = [&[0, 0, 0, 2, 0xee, 0xee][..], &[0xee; 100_000]].concat();
        let sending = tokio::spawn(async move { write.write_all(&garbage).await });
        let mut frames: FrameReader<_, ServerFrame> = FrameReader::new(read, FRAME_BYTES_MAX);
        let last = frames.next().await;
        assert!(matches!(last, Some(Ok(ServerFrame::Notification(Notification::Closing(_))))), "{last:?}");
        sending.await.unwrap().expect("somebody reads it");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_closes_its_side_still_gets_the_answers_that_are_under_way() {
        let (hold, held) = watch::channel(false);
        let listener = listener_with(Config::default(), HeldLog { log: MemoryLog::new(), held });
        let (eve, server_side) = tokio::io::duplex(1 << 16);
        attend(&listener, server_side, 1);
        let mut eve = Client::new(eve);
        eve.come("eve").await;
        hold.send_replace(true);
        eve.say(Request::Create { group: GroupName::parse("tea").unwrap() }).await;
        eve.writer.stream_mut().shutdown().await.unwrap();
        // Time for the server to see the end of the stream, and to do something rash about it.
        time::sleep(time::Duration::from_secs(5)).await;
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
        let listener = listener_for(&lifetime, Config::default(), MemoryLog::new());
        lifetime.shutdown.cancel();
        // The dispatch task says goodbye to everyone; this connection is about to say hello, and has not heard of it.
        time::sleep(time::Duration::from_millis(1)).await;
        let (eve, server_side) = tokio::io::duplex(1 << 16);
        attend(&listener, server_side, 1);
        let mut eve = Client::new(eve);
        let name = UserName::parse("eve").unwrap();
        let hello = Hello { versions: VersionRange::SPOKEN, name, proof: Proof::Open, seen: Seq::ZERO };
        eve.say(Request::Hello(hello)).await;
        let last = eve.reader.next().await;
        let goodbye = Notification::Closing(CloseReason::Shutdown);
        assert_eq!(last.and_then(Result::ok), Some(ServerFrame::Notification(goodbye)));
    }
}
