//! A server that does what a test says.

use std::io;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, encode};
use chatroom_proto::{
    Body, ClientFrame, GroupName, Hello, Life, Lives, Membership, Notification, PROTOCOL_VERSION,
    Page, Password, Post, PostId, Refusal, Request, Response, Retention, Seq, ServerFrame, Tag,
    Token, UnixMillis, UserName, Welcome,
};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};

use crate::client::Client;
use crate::dial::{Dial, Dialled};
use crate::error::ConnectError;
use crate::event::Events;
use crate::options::Reconnect;

/// What a welcome brings, always the same.
pub(super) const TOKEN: Token = Token([7; 32]);

/// How long this server holds a session.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// A pipe this small is soon full.
const PIPE_BYTES: usize = 4 * 1024;

/// Longer than the link is ever quiet by itself while something is to be done.
const QUIET: Duration = Duration::from_secs(3);

type Answer = Result<DuplexStream, io::ErrorKind>;

/// Waits for the test to let it connect.
struct Pipes {
    pipes: Arc<Mutex<mpsc::Receiver<Answer>>>,
    is_private: bool,
}

impl Dial for Pipes {
    type Stream = DuplexStream;

    async fn dial(&self) -> Result<Dialled<DuplexStream>, ConnectError> {
        match self.pipes.lock().await.recv().await {
            Some(Ok(stream)) => Ok(Dialled { stream, is_private: self.is_private }),
            Some(Err(kind)) => Err(ConnectError::Unreachable(kind.into())),
            None => std::future::pending().await,
        }
    }
}

pub(super) type Outcome = Result<(Client, Events, Welcome), ConnectError>;

pub(super) struct FakeServer {
    pipes: mpsc::Sender<Answer>,
    client: Option<JoinHandle<Outcome>>,
}

impl FakeServer {
    /// A client is on its way to it.
    pub(crate) fn start(reconnect: Reconnect) -> FakeServer {
        FakeServer::start_with(reconnect, None)
    }

    /// The same, for a client that has a password.
    pub(super) fn start_as(reconnect: Reconnect, password: Option<Password>) -> FakeServer {
        FakeServer::start_for(reconnect, password, None, true)
    }

    /// The same, where others can read along.
    pub(super) fn start_in_the_open(reconnect: Reconnect) -> FakeServer {
        FakeServer::start_for(reconnect, None, None, false)
    }

    /// The same, for a client with a file.
    pub(super) fn start_with(reconnect: Reconnect, keep: Option<&Path>) -> FakeServer {
        FakeServer::start_for(reconnect, None, keep, true)
    }

    fn start_for(
        reconnect: Reconnect,
        password: Option<Password>,
        keep: Option<&Path>,
        is_private: bool,
    ) -> FakeServer {
        let keep = keep.map(Path::to_owned);
        // Without room: an attempt is answered when it is made.
        let (pipes, dialled) = mpsc::channel(1);
        let dial = Pipes { pipes: Arc::new(Mutex::new(dialled)), is_private };
        let client =
            Some(tokio::spawn(Client::over(dial, (user("Jim"), password), reconnect, keep)));
        FakeServer { pipes, client }
    }

    /// What came of the client's first attempt.
    pub(super) async fn outcome(&mut self) -> Outcome {
        self.client.take().expect("one outcome").await.expect("no panic")
    }

    /// Lets one attempt through.
    pub(super) async fn accept(&mut self) -> WelcomedConnection {
        let (near, far) = duplex(PIPE_BYTES);
        self.pipes.send(Ok(far)).await.expect("the client dials");
        let (read, write) = split(near);
        WelcomedConnection {
            hearing: Hearing { frames: FrameReader::new(read, FRAME_BYTES_MAX) },
            saying: Saying { stream: write },
            token: TOKEN,
            lives: vec![Life { id: 1, began: Seq(1) }],
        }
    }

    pub(super) async fn accept_and_welcome(
        &mut self,
        resumed: bool,
        seq: u64,
        heads: &[(&str, u64)],
    ) -> WelcomedConnection {
        let mut connection = self.accept().await;
        let (tag, _) = connection.hello().await;
        connection.welcome(tag, resumed, seq, heads).await;
        connection
    }

    /// The same, on a server that keeps everything; also gives what the client's hello said.
    pub(super) async fn recognize(
        &mut self,
        seq: u64,
        heads: &[(&str, u64)],
    ) -> (WelcomedConnection, Hello) {
        let mut connection = self.accept().await;
        let (tag, hello) = connection.hello().await;
        connection.welcome_and_keep(tag, true, seq, heads).await;
        (connection, hello)
    }

    /// One attempt fails. False when nobody tries any more.
    pub(super) async fn cannot_be_reached(&mut self, kind: io::ErrorKind) -> bool {
        self.pipes.send(Err(kind)).await.is_ok()
    }

    /// Nobody tries to connect.
    pub(super) async fn is_left_alone(&mut self) {
        self.pipes.closed().await;
    }
}

/// A client that was welcomed to General.
pub(super) async fn connected(
    reconnect: Reconnect,
) -> (Client, Events, WelcomedConnection, FakeServer) {
    let mut server = FakeServer::start(reconnect);
    let connection = server.accept_and_welcome(false, 10, &[("General", 10)]).await;
    let (client, events, _) = server.outcome().await.expect("welcome");
    (client, events, connection, server)
}

/// A client that was welcomed to General, on a server that keeps everything.
pub(super) async fn connected_and_kept(
    reconnect: Reconnect,
    keep: Option<&Path>,
) -> (Client, Events, WelcomedConnection, FakeServer) {
    let mut server = FakeServer::start_with(reconnect, keep);
    let mut connection = server.accept().await;
    let (tag, _) = connection.hello().await;
    connection.welcome_and_keep(tag, false, 10, &[("General", 10)]).await;
    let (client, events, _) = server.outcome().await.expect("welcome");
    (client, events, connection, server)
}

pub(super) struct WelcomedConnection {
    hearing: Hearing,
    saying: Saying,
    /// What the client is welcomed with.
    pub(super) token: Token,
    /// The lives that it is told.
    pub(super) lives: Vec<Life>,
}

pub(super) struct Hearing {
    frames: FrameReader<ReadHalf<DuplexStream>, ClientFrame>,
}

pub(super) struct Saying {
    stream: WriteHalf<DuplexStream>,
}

impl Hearing {
    pub(super) async fn asked(&mut self) -> (Tag, Request) {
        let ClientFrame { tag, request } =
            self.frames.next().await.expect("a frame").expect("a request");
        (tag, request)
    }
}

impl Saying {
    async fn say(&mut self, frame: ServerFrame) {
        // A client that is gone hears nothing.
        let _ = self.stream.write_all(&encode(&frame).expect("a frame")).await;
    }

    pub(super) async fn notify(&mut self, notification: Notification) {
        self.say(ServerFrame::Notification(notification)).await;
    }

    /// Says so much in General, after this one. Tells how much of it the client took.
    pub(super) async fn flood(&mut self, after: u64, count: u64) -> u64 {
        for seq in after..after + count {
            let frame = ServerFrame::Notification(group_post("General", seq + 1, seq));
            if self.stream.write_all(&encode(&frame).expect("a frame")).await.is_err() {
                return seq - after;
            }
        }
        count
    }
}

impl WelcomedConnection {
    pub(super) async fn flood(&mut self, after: u64, count: u64) -> u64 {
        self.saying.flood(after, count).await
    }

    pub(crate) fn split(self) -> (Saying, Hearing) {
        (self.saying, self.hearing)
    }

    pub(super) async fn asked(&mut self) -> (Tag, Request) {
        self.hearing.asked().await
    }

    pub(super) async fn hello(&mut self) -> (Tag, Hello) {
        match self.asked().await {
            (tag, Request::Hello(hello) | Request::ComeBack { hello, .. }) => (tag, hello),
            other => panic!("hello expected: {other:?}"),
        }
    }

    pub(super) async fn welcome(
        &mut self,
        tag: Tag,
        resumed: bool,
        seq: u64,
        heads: &[(&str, u64)],
    ) {
        self.greet(tag, resumed, seq, heads, Retention::Nothing).await;
    }

    pub(super) async fn welcome_and_keep(
        &mut self,
        tag: Tag,
        resumed: bool,
        seq: u64,
        heads: &[(&str, u64)],
    ) {
        self.greet(tag, resumed, seq, heads, Retention::Everything).await;
    }

    async fn greet(
        &mut self,
        tag: Tag,
        resumed: bool,
        seq: u64,
        heads: &[(&str, u64)],
        retention: Retention,
    ) {
        let membership =
            |&(name, head): &(&str, u64)| Membership { group: group(name), head: Seq(head) };
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            name: user("Jim"),
            token: self.token.clone(),
            resumed,
            grace_ms: u32::try_from(GRACE.as_millis()).expect("half a minute"),
            seq: Seq(seq),
            groups: Page::fill(heads.iter().map(membership)),
            retention,
        };
        let lives = Lives::try_from(self.lives.clone()).expect("few");
        let welcome = Box::new(welcome);
        self.answer(tag, Response::WelcomeInLife { welcome, lives, put_back: None }).await;
    }

    pub(super) async fn answer(&mut self, tag: Tag, response: Response) {
        self.saying.say(ServerFrame::Response { tag, result: Ok(response) }).await;
    }

    /// All that was missed was said.
    pub(super) async fn caught_up(&mut self, seq: u64) {
        self.notify(Notification::CaughtUp { seq: Seq(seq) }).await;
    }

    pub(super) async fn refuse(&mut self, tag: Tag, refusal: Refusal) {
        self.saying.say(ServerFrame::Response { tag, result: Err(refusal) }).await;
    }

    pub(super) async fn notify(&mut self, notification: Notification) {
        self.saying.notify(notification).await;
    }

    /// Says something that is no frame, and hangs up.
    pub(super) async fn say_bytes(mut self, bytes: &[u8]) {
        self.saying.stream.write_all(bytes).await.expect("there is room");
    }

    /// The client asks nothing.
    pub(super) async fn is_quiet(&mut self) {
        assert!(
            timeout(QUIET, self.hearing.frames.next()).await.is_err(),
            "nothing was to be asked"
        );
    }

    /// The client hangs up.
    pub(super) async fn is_hung_up(&mut self) {
        assert!(self.hearing.frames.next().await.is_none());
    }
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(crate) fn body(text: &str) -> Body {
    Body::parse(text).unwrap()
}

pub(crate) fn public(name: &str, text: &str) -> Request {
    Request::Public { group: group(name), id: crate::client::new_post_id(), body: body(text) }
}

pub(crate) fn posted(seq: u64) -> Response {
    Response::Posted { seq: Seq(seq), at: UnixMillis(0) }
}

pub(crate) fn joined(name: &str, seq: u64) -> Response {
    joined_at(name, seq, 0)
}

pub(crate) fn joined_at(name: &str, seq: u64, head: u64) -> Response {
    Response::Joined {
        seq: Seq(seq),
        membership: Membership { group: group(name), head: Seq(head) },
    }
}

pub(crate) fn group_post(name: &str, seq: u64, prev: u64) -> Notification {
    Notification::GroupPost { post: post(seq, prev), group: group(name) }
}

pub(crate) fn private_post(seq: u64, prev: u64) -> Notification {
    Notification::PrivatePost { post: post(seq, prev), to: user("Jim") }
}

fn post(seq: u64, prev: u64) -> Post {
    let (seq, prev, at, id) = (Seq(seq), Seq(prev), UnixMillis(0), PostId([0; 16]));
    Post { seq, prev, at, id, from: user("Ann"), body: body(&"y".repeat(100)) }
}
