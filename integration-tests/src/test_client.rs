//! A guest: a client that speaks the protocol frame by frame, so that a scene sees exactly what the
//! server sends.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
use chatroom_proto::{
    Body, ClientFrame, CloseReason, GroupName, Hello, Notification, Password, PostId, Proof,
    Refusal, Request, Response, Seq, ServerFrame, Tag, UserName, VersionRange, Welcome,
};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time;

/// How long a scene waits for what must come. It only bounds how long a failure takes.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The listening half of a connection to a server.
pub struct Ears(FrameReader<OwnedReadHalf, ServerFrame>);

/// One connection to a server.
pub struct TestClient {
    address: SocketAddr,
    ears: Ears,
    writer: FrameWriter<OwnedWriteHalf, ClientFrame>,
    next_tag: u32,
    welcome: Option<Welcome>,
    /// What was heard while waiting for an answer.
    overheard: VecDeque<Notification>,
}

/// What one says to be let in as nobody in particular.
pub fn hello(name: &str) -> Hello {
    Hello {
        versions: VersionRange::OF_CLIENTS,
        name: user(name),
        proof: Proof::Open,
        seen: Seq::ZERO,
    }
}

/// A name that a scene knows to be valid.
pub fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a valid name")
}

/// A group that a scene knows to have a valid name.
pub fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a valid name")
}

/// A post in a group with an id made from `number`.
pub fn public(to: &str, number: u64, text: &str) -> Request {
    Request::Public { group: group(to), id: post_id(number), body: body(text) }
}

/// A post to a person with an id made from `number`.
pub fn private(to: &str, number: u64, text: &str) -> Request {
    Request::Private { to: user(to), id: post_id(number), body: body(text) }
}

/// A text that a scene knows to be a valid password.
pub fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).expect("a valid password")
}

/// A text that a scene knows to be a valid message.
pub fn body(text: &str) -> Body {
    Body::parse(text).expect("a valid message")
}

/// The post id that this number stands for.
pub fn post_id(number: u64) -> PostId {
    PostId(u128::from(number).to_be_bytes())
}

impl TestClient {
    /// Connects, and says nothing yet.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn connect(address: SocketAddr) -> TestClient {
        TestClient::on(TcpStream::connect(address).await.expect("the server listens"))
    }

    /// The same, from this address of this machine: 127.0.0.0/8 has many.
    ///
    /// # Panics
    /// When there is no such address, or no server.
    pub async fn connect_from(from: Ipv4Addr, address: SocketAddr) -> TestClient {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
        TestClient::on(socket.connect(address).await.expect("the server listens"))
    }

    fn on(stream: TcpStream) -> TestClient {
        stream.set_nodelay(true).expect("a socket that takes options");
        let address = stream.local_addr().expect("a connected socket has an address");
        let (read, write) = stream.into_split();
        TestClient {
            address,
            ears: Ears::new(read),
            writer: FrameWriter::new(write),
            next_tag: 0,
            welcome: None,
            overheard: VecDeque::new(),
        }
    }

    /// Connects, and leaves the writing to the caller: bytes that need not be frames.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn connect_raw(address: SocketAddr) -> (Ears, OwnedWriteHalf) {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let (read, write) = stream.into_split();
        (Ears::new(read), write)
    }

    /// Connects and is let in.
    ///
    /// # Panics
    /// When it isn't.
    pub async fn come(address: SocketAddr, name: &str) -> TestClient {
        TestClient::come_with(address, hello(name)).await.0
    }

    /// The same, from this address of this machine.
    ///
    /// # Panics
    /// When it isn't let in.
    pub async fn come_from(from: Ipv4Addr, address: SocketAddr, name: &str) -> TestClient {
        let mut guest = TestClient::connect_from(from, address).await;
        guest.do_(Request::Hello(hello(name))).await;
        guest
    }

    /// Connects and is let in, with a socket that takes in next to nothing that is not read.
    ///
    /// # Panics
    /// When it isn't.
    pub async fn come_with_small_ears(address: SocketAddr, name: &str) -> TestClient {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 * 1024).expect("a socket that takes options");
        let mut guest = TestClient::on(socket.connect(address).await.expect("the server listens"));
        guest.do_(Request::Hello(hello(name))).await;
        guest
    }

    /// Connects and is let in with this hello.
    ///
    /// # Panics
    /// When it isn't.
    pub async fn come_with(address: SocketAddr, hello: Hello) -> (TestClient, Welcome) {
        let mut guest = TestClient::connect(address).await;
        match guest.ask(Request::Hello(hello)).await {
            Ok(response) if response.welcome().is_some() => {
                let welcome = guest.welcome.clone().expect("it was welcomed");
                (guest, welcome)
            }
            other => panic!("not welcome: {other:?}"),
        }
    }

    /// How it was welcomed, if it asked for that and waited.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// Where the server sees it come from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and does not wait for its answer.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say(&mut self, request: Request) -> Tag {
        let tag = Tag(self.next_tag);
        self.next_tag += 1;
        self.say_with(tag, request).await;
        tag
    }

    /// Sends a request with this tag.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say_with(&mut self, tag: Tag, request: Request) {
        let sent = async {
            self.writer.feed(ClientFrame { tag, request }).await?;
            self.writer.flush().await
        };
        time::timeout(DEADLINE, sent)
            .await
            .expect("the server reads on")
            .expect("the connection is there");
    }

    /// Sends bytes that need not be a frame.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say_bytes(&mut self, bytes: &[u8]) {
        self.writer.stream_mut().write_all(bytes).await.expect("the connection is there");
    }

    /// Puts a request into the buffer, to be sent with others by [`TestClient::flush`].
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say_unflushed(&mut self, request: Request) {
        let tag = Tag(self.next_tag);
        self.next_tag += 1;
        self.writer.feed(ClientFrame { tag, request }).await.expect("the connection is there");
    }

    /// Sends what is in the buffer.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn flush(&mut self) {
        self.writer.flush().await.expect("the connection is there");
    }

    /// Sends a request, unless the connection is gone.
    pub async fn try_say(&mut self, request: Request) -> bool {
        let tag = Tag(self.next_tag);
        self.next_tag += 1;
        self.try_say_with(tag, request).await
    }

    /// Sends a request with this tag, unless the connection is gone.
    pub async fn try_say_with(&mut self, tag: Tag, request: Request) -> bool {
        self.writer.feed(ClientFrame { tag, request }).await.is_ok()
            && self.writer.flush().await.is_ok()
    }

    /// As [`TestClient::try_say`], but gives up when the server does not read in time.
    pub async fn try_say_within(&mut self, request: Request, patience: Duration) -> bool {
        time::timeout(patience, self.try_say(request)).await.unwrap_or(false)
    }

    /// The next frame; nothing when the server has closed the connection.
    ///
    /// # Panics
    /// When there is none in time, or it is not one.
    pub async fn frame(&mut self) -> Option<ServerFrame> {
        self.ears.frame().await
    }

    /// The next frame, whenever it comes; nothing when the connection has ended in whatever way.
    /// For measurements, which have one deadline for everything.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        self.ears.0.next().await?.ok()
    }

    /// The next frame; nothing when the connection has ended in whatever way.
    pub async fn try_frame(&mut self) -> Option<ServerFrame> {
        self.ears.try_frame().await
    }

    /// Sends a request and waits for its answer. What is heard meanwhile waits for
    /// [`TestClient::hear`].
    ///
    /// # Panics
    /// When the answer is to something else, or the server hangs up.
    pub async fn ask(&mut self, request: Request) -> Result<Response, Refusal> {
        let asked = self.say(request).await;
        loop {
            match self.frame().await {
                Some(ServerFrame::Response { tag, result }) => {
                    assert_eq!(tag, asked, "answers come in the order of the requests");
                    if let Some(welcome) = result.as_ref().ok().and_then(Response::welcome) {
                        self.welcome = Some(welcome.clone());
                    }
                    return result;
                }
                Some(ServerFrame::Notification(heard)) => self.overheard.push_back(heard),
                None => panic!("the server hung up; before that: {:?}", self.overheard),
            }
        }
    }

    /// Sends a request that must be granted.
    ///
    /// # Panics
    /// When it isn't.
    pub async fn do_(&mut self, request: Request) -> Response {
        let shown = format!("{request:?}");
        self.ask(request).await.unwrap_or_else(|refusal| panic!("{shown} was refused: {refusal:?}"))
    }

    /// The next notification.
    ///
    /// # Panics
    /// When something else comes, or nothing in time.
    pub async fn hear(&mut self) -> Notification {
        if let Some(heard) = self.overheard.pop_front() {
            return heard;
        }
        match self.frame().await {
            Some(ServerFrame::Notification(heard)) => heard,
            other => panic!("not a notification: {other:?}"),
        }
    }

    /// The text of the next message in a group.
    ///
    /// # Panics
    /// When the server hangs up, or says nothing in time.
    pub async fn hear_body(&mut self) -> String {
        loop {
            if let Notification::GroupPost { post, .. } = self.hear().await {
                return post.body.as_str().to_owned();
            }
        }
    }

    /// Waits until the server hangs up, and returns the reason that it gave. Whatever comes before
    /// is dropped.
    ///
    /// # Panics
    /// When it doesn't hang up in time.
    pub async fn hear_why_closed(&mut self) -> Option<CloseReason> {
        self.ears.hear_why_closed().await
    }
}

impl Ears {
    fn new(read: OwnedReadHalf) -> Ears {
        Ears(FrameReader::new(read, FRAME_BYTES_MAX))
    }

    /// The next frame; nothing when the server has closed the connection.
    ///
    /// # Panics
    /// When there is none in time, or it is not one.
    pub async fn frame(&mut self) -> Option<ServerFrame> {
        let next = time::timeout(DEADLINE, self.0.next()).await.expect("something to hear in time");
        next.map(|frame| frame.expect("a whole frame"))
    }

    /// The next frame; nothing when the connection has ended in whatever way.
    pub async fn try_frame(&mut self) -> Option<ServerFrame> {
        time::timeout(DEADLINE, self.0.next()).await.ok()??.ok()
    }

    /// Waits until the server hangs up, and returns the reason that it gave. Whatever comes before
    /// is dropped.
    ///
    /// # Panics
    /// When it doesn't hang up in time.
    pub async fn hear_why_closed(&mut self) -> Option<CloseReason> {
        let mut reason = None;
        let end = async {
            while let Some(Ok(frame)) = self.0.next().await {
                if let ServerFrame::Notification(Notification::Closing(why)) = frame {
                    reason = Some(why);
                }
            }
        };
        time::timeout(DEADLINE, end).await.expect("the server hangs up");
        reason
    }
}
