//! A host for connections, and the clients' ends of them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
use chatroom_proto::{
    ClientFrame, Hello, Proof, Request, Response, Seq, ServerFrame, Tag, UserName, VersionRange,
};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ConnectionTask;
use crate::chat::Chat;
use crate::chat::entry::{ConnectionId, NodeId, Proposal};
use crate::config::{Config, RATE_MAX};
use crate::dispatch::Dispatch;
use crate::dispatch::handle::Lifetime;
use crate::dispatch::outbox::Bounds;
use crate::net::connection::{Common, Connection};
use crate::net::stream::Wire;
use crate::storage::log::{Batches, Log, LogError, LogSnapshot, MemoryLog};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// A server without a socket.
pub(super) struct TaskHost {
    common: Arc<Common>,
}

impl TaskHost {
    pub(super) fn new(config: Config) -> TaskHost {
        TaskHost::with(&Lifetime::default(), config, MemoryLog::new())
    }

    pub(super) fn with(lifetime: &Lifetime, config: Config, log: impl Log) -> TaskHost {
        // What is too much is another scene.
        let config = Config { rate: RATE_MAX, ..config };
        let chat = Chat::new(NodeId(1), config.limits);
        let bounds = Bounds::new(config.outbox_bytes_max, config.outboxes_bytes_max);
        let (dispatch, handle) =
            Dispatch::new(chat, Arc::new(log), None, &config, Arc::clone(&bounds), lifetime);
        tokio::spawn(dispatch.run());
        TaskHost {
            common: Arc::new(Common { handle, config, bounds, shutdown: CancellationToken::new() }),
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.common.config
    }

    pub(super) fn connection(&self, number: u64) -> Connection {
        Connection::new(ConnectionId(number), PEER.into(), Arc::clone(&self.common))
    }

    /// The client's end of a connection, through a pipe of so many bytes, and the task that lives
    /// at the other end.
    pub(super) fn connect(&self, number: u64, pipe_bytes: usize) -> (ClientReport, JoinHandle<()>) {
        let (client, server) = tokio::io::duplex(pipe_bytes);
        (
            ClientReport::new(client),
            tokio::spawn(ConnectionTask::new(self.connection(number), server, None)),
        )
    }
}

/// The client's end of a connection.
pub(super) struct ClientReport {
    pub(super) reader: FrameReader<ReadHalf<DuplexStream>, ServerFrame>,
    pub(super) writer: FrameWriter<WriteHalf<DuplexStream>, ClientFrame>,
}

impl ClientReport {
    pub(super) fn new(stream: DuplexStream) -> ClientReport {
        let (read, write) = tokio::io::split(stream);
        ClientReport {
            reader: FrameReader::new(read, FRAME_BYTES_MAX),
            writer: FrameWriter::new(write),
        }
    }

    pub(super) async fn say(&mut self, request: Request) {
        self.writer.feed(ClientFrame { tag: Tag(1), request }).await.unwrap();
        self.writer.flush().await.unwrap();
    }

    /// Asks for lists, whose answers nobody reads.
    pub(super) async fn ask_much(&mut self) {
        /// More answers than a small pipe holds.
        const LISTS: usize = 20;
        for _ in 0..LISTS {
            self.say(Request::Users { after: Seq::ZERO }).await;
        }
    }

    pub(super) async fn answer(&mut self) -> (Tag, Response) {
        loop {
            match self.reader.next().await {
                Some(Ok(ServerFrame::Response { tag, result })) => return (tag, result.unwrap()),
                Some(Ok(ServerFrame::Notification(_))) => {}
                other => panic!("no answer: {other:?}"),
            }
        }
    }

    pub(super) async fn ask(&mut self, request: Request) -> Response {
        self.say(request).await;
        self.answer().await.1
    }

    pub(super) async fn come(&mut self, name: &str) {
        self.ask(hello(name)).await;
    }
}

pub(super) fn hello(name: &str) -> Request {
    let name = UserName::parse(name).unwrap();
    Request::Hello(Hello {
        versions: VersionRange::OF_CLIENTS,
        name,
        proof: Proof::Open,
        seen: Seq::ZERO,
    })
}

/// A stream on which the code that reads it has a bug, once it is let in.
pub(super) struct Cursed {
    pub(super) stream: DuplexStream,
    pub(super) reads_left: u32,
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

impl Wire for Cursed {
    fn is_tls(&self) -> bool {
        false
    }
}

/// A log that gives nothing back while it is held.
pub(super) struct HeldLog {
    pub(super) log: MemoryLog,
    pub(super) held: watch::Receiver<bool>,
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

    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        self.log.snapshot()
    }

    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        self.log.batch_end(at)
    }

    fn compact(&self, snapshot: LogSnapshot) -> Result<(), LogError> {
        self.log.compact(snapshot)
    }

    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>> {
        self.log.erase(posts)
    }
}
