//! A whole server in memory, and peers that say what they like, when they like: whole frames and
//! halves, in any order, before a hello and after it, without ever reading or hanging up in the
//! middle.
//!
//! None of that panics. What each of them is sent is frames, the answers in the order of the
//! requests. An honest guest who comes at any time is welcomed and answered. And when the server is
//! told to stop, it does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::chance::Chance;
use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, encode};
use chatroom_proto::{
    ClientFrame, CloseReason, Code, Hello, Notification, Proof, Refusal, Request, Response, Seq,
    ServerFrame, Tag, Token, UserName, VersionRange,
};
use chatroom_server::config::HashCost;
use chatroom_server::storage::log::MemoryLog;
use chatroom_server::{Config, Server};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{few_bytes, many_bytes};

/// How many peers there are at the same time, beside the honest one.
const PEERS_MAX: usize = 3;

/// How much they do: enough for everything to happen, and little enough for thousands of scenes a
/// second.
const STEPS_MAX: usize = 48;

/// What is on its way in one direction, in bytes: a peer that doesn't read is soon behind.
const PIPE_BYTES: usize = 8 * 1024;

/// What may wait for one of them, in bytes: little, so that some fall behind.
const OUTBOX_BYTES_MAX: usize = 256 * 1024;

/// How long a peer tries to write and to read. The clock is the scene's: nobody waits in vain.
const PATIENCE: Duration = Duration::from_millis(2);

/// How long a server may take for an honest guest's request, and to stop.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a server and its peers take, in bytes, whatever is said: outboxes, pipes, messages that are
/// under way.
pub fn memory_max(_: &[u8]) -> usize {
    8 * 1024 * 1024
}

/// What must hold for any peers. The runtime's clock is to be paused: it then goes on when nobody
/// has anything to do.
pub fn check(runtime: &Runtime, input: &[u8]) {
    runtime.block_on(scene(Chance::of_input(input)));
}

async fn scene(mut chance: Chance) {
    let shutdown = CancellationToken::new();
    let config = Config {
        outbox_bytes_max: OUTBOX_BYTES_MAX,
        hash_cost: HashCost::Least,
        ..Config::default()
    };
    let log = Arc::new(MemoryLog::new());
    let server =
        Server::open(log, None, config, shutdown.clone()).await.expect("an empty log can be read");
    let code = server.operator_code().cloned();
    let (dialer, streams) = mpsc::channel(1);
    let serving = tokio::spawn(server.run_on(streams));

    let mut peers: [Option<Peer>; PEERS_MAX] = Default::default();
    let mut known = Known { token: None, code };
    for _ in 0..STEPS_MAX {
        if chance.is_over() {
            break;
        }
        let peer = &mut peers[chance.below(PEERS_MAX)];
        match peer {
            None => *peer = Some(Peer::new(&dialer).await),
            Some(there) => {
                if there.step(&mut chance, &mut known).await {
                    *peer = None;
                }
            }
        }
    }
    be_honest(&dialer).await;
    shutdown.cancel();
    let stopped = timeout(DEADLINE, serving).await.expect("a server that is told to stop stops");
    stopped.expect("no panic").expect("no failure");
    for peer in peers.iter_mut().flatten() {
        peer.listen(&mut known).await;
    }
}

/// What the peers know that is secret.
struct Known {
    /// The newest that one of them was given.
    token: Option<Token>,
    /// What makes one an operator of the server.
    code: Option<Code>,
}

impl Known {
    /// A first frame. It may show the token.
    fn hello(&self, chance: &mut Chance) -> ClientFrame {
        let mut hello: Hello = chance.any();
        if let Some(token) = self.token.as_ref().filter(|_| chance.flag()) {
            hello.proof = Proof::Resume(token.clone());
        }
        ClientFrame { tag: chance.any(), request: Request::Hello(hello) }
    }

    /// Any other frame. It may name the code.
    fn request(&self, chance: &mut Chance) -> ClientFrame {
        let mut request = chance.request();
        if let (Request::Claim { code }, Some(known)) = (&mut request, &self.code)
            && chance.flag()
        {
            *code = known.clone();
        }
        ClientFrame { tag: chance.any(), request }
    }
}

/// Comes as a guest who does nothing wrong, and is answered. An operator may have banned everybody
/// who comes from this machine.
async fn be_honest(dialer: &mpsc::Sender<DuplexStream>) {
    let mut guest = Peer::new(dialer).await;
    let name = UserName::parse("honest").expect("a valid name");
    let hello =
        Hello { versions: VersionRange::OF_CLIENTS, name, proof: Proof::Open, seen: Seq::ZERO };
    for (tag, request) in
        [(1, Request::Hello(hello)), (2, Request::Ping), (3, Request::Users { after: Seq::ZERO })]
    {
        let frame = ClientFrame { tag: Tag(tag), request };
        guest
            .voice
            .as_mut()
            .expect("it has not hung up")
            .write_all(&encode(&frame).expect("a short frame"))
            .await
            .expect("written");
        let answered = async {
            loop {
                let frame =
                    guest.ears.next().await.expect("the server does not hang up").expect("a frame");
                if let ServerFrame::Response { tag: answered, result } = frame {
                    assert_eq!(answered, Tag(tag));
                    break result;
                }
            }
        };
        let answer = timeout(DEADLINE, answered).await.expect("an honest guest is answered");
        if matches!(answer, Err(Refusal::ServerBanned { .. })) && tag == 1 {
            return;
        }
        let fits = matches!(
            (tag, &answer),
            (1, Ok(Response::WelcomeInLife { .. }))
                | (2, Ok(Response::Pong))
                | (3, Ok(Response::Users { .. }))
        );
        assert!(fits, "{answer:?} is no answer to request {tag}");
    }
}

struct Peer {
    /// Nothing once its side is shut.
    voice: Option<WriteHalf<DuplexStream>>,
    ears: FrameReader<ReadHalf<DuplexStream>, ServerFrame>,
    /// The requests that were written as a whole, in order; nothing when it has said something
    /// else, after which nobody knows what the server takes for a request.
    asked: Option<VecDeque<Tag>>,
}

impl Peer {
    async fn new(dialer: &mpsc::Sender<DuplexStream>) -> Peer {
        let (near, far) = duplex(PIPE_BYTES);
        dialer.send(far).await.expect("the server serves");
        let (ears, voice) = split(near);
        let ears = FrameReader::new(ears, FRAME_BYTES_MAX);
        Peer { voice: Some(voice), ears, asked: Some(VecDeque::new()) }
    }

    /// Does one thing. True when it hangs up.
    async fn step(&mut self, chance: &mut Chance, known: &mut Known) -> bool {
        match chance.below(16_u8) {
            0 => self.say_raw(&few_bytes(chance)).await,
            // A frame's length, and whatever: seeds have every kind of frame in it.
            1 | 2 => {
                let frame = many_bytes(chance);
                let length = u32::try_from(frame.len()).expect("a short input").to_be_bytes();
                self.say_raw(&[&length, &frame[..]].concat()).await;
            }
            3 => {
                let frame = encode(&known.request(chance)).expect("a short frame");
                let cut = chance.below(frame.len());
                self.say_raw(&frame[..cut]).await;
            }
            4 | 5 => self.say(&known.hello(chance)).await,
            6..=10 => self.say(&known.request(chance)).await,
            11 => {
                let again = known.request(chance);
                for _ in 0..chance.below(32_u8) {
                    self.say(&again).await;
                }
            }
            12 => self.listen(known).await,
            13 => sleep(Duration::from_millis(u64::from(chance.any::<u16>()) * 2)).await,
            14 => {
                self.voice = None;
            }
            _ => return true,
        }
        false
    }

    async fn say(&mut self, frame: &ClientFrame) {
        let bytes = encode(frame).expect("a short frame");
        let is_written = self.write(&bytes).await;
        match &mut self.asked {
            Some(asked) if is_written => asked.push_back(frame.tag),
            asked => *asked = None,
        }
    }

    async fn say_raw(&mut self, bytes: &[u8]) {
        self.asked = None;
        self.write(bytes).await;
    }

    /// False when not all of it could be written.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let Some(voice) = &mut self.voice else { return false };
        matches!(timeout(PATIENCE, voice.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Hears what there is, and checks it.
    async fn listen(&mut self, known: &mut Known) {
        while let Ok(Some(frame)) = timeout(PATIENCE, self.ears.next()).await {
            let Ok(frame) = frame else {
                // A server that hangs up in the middle of a write leaves half a frame; anything
                // else is no frame.
                assert!(
                    matches!(frame, Err(chatroom_proto::codec::FrameError::Io(_))),
                    "{frame:?}"
                );
                return;
            };
            match frame {
                ServerFrame::Response { tag, result } => {
                    self.is_answered(tag);
                    match result {
                        Ok(Response::WelcomeInLife { welcome, .. }) => {
                            known.token = Some(welcome.token);
                        }
                        Ok(Response::PasswordChanged { token, .. }) => known.token = Some(token),
                        _ => {}
                    }
                }
                ServerFrame::Notification(Notification::Closing(CloseReason::Failed)) => {
                    panic!("something failed in the server")
                }
                ServerFrame::Notification(_) => {}
            }
        }
    }

    fn is_answered(&mut self, tag: Tag) {
        if let Some(asked) = &mut self.asked {
            assert_eq!(asked.pop_front(), Some(tag), "answers come in the order of the requests");
        }
    }
}
