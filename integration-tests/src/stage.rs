//! Where dialogues play: on a real server, in memory under virtual time, or over sockets.

use std::collections::HashMap;
use std::net::SocketAddr;

use chatroom_proto::{
    Code, Hello, Password, Proof, Request, Response, Seq, ServerFrame, Token, VersionRange,
};

use crate::test_client::{TestClient, hello};
use crate::test_server::TestServer;

mod in_memory;

pub use in_memory::{InMemory, on_paused_time, play_in_memory};

/// How somebody asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Under a free name.
    Open,
    /// With the token of the last time.
    Token,
    /// With that, and without knowing what one has seen.
    TokenAlone,
    /// With a token that nobody was given.
    Forged,
    /// With some password.
    Password,
    /// Speaking this version of the protocol only.
    Version(u16),
}

/// Where a dialogue plays.
#[expect(
    async_fn_in_trait,
    reason = "stages stay in their tests, which don't need the futures to be Send"
)]
pub trait Stage {
    /// Connects, and says hello.
    async fn log_in(&mut self, name: &str, entrance: Entrance);
    /// Asks something.
    async fn say(&mut self, name: &str, request: Request);
    /// The next thing that somebody hears; nothing when the connection was closed.
    async fn hear(&mut self, name: &str) -> Option<ServerFrame>;
    /// Cuts a connection.
    async fn vanish(&mut self, name: &str);
    /// What somebody has heard and the dialogue has not mentioned.
    async fn rest(&mut self, name: &str) -> Option<ServerFrame>;
    /// What makes somebody an operator of the server.
    fn code(&mut self) -> Code;
    /// Lets time pass, in seconds.
    async fn pass(&mut self, seconds: u64);
    /// Sets the server's clock forward, or back, by so many seconds. No time passes.
    async fn set_clock(&mut self, by_seconds: i64);
    /// Stops the log, or lets it go on.
    async fn hold_log(&mut self, hold: bool);
}

/// What somebody remembers who comes back.
#[derive(Debug, Clone)]
struct Memory {
    token: Token,
    seen: Seq,
}

/// Everybody's memory, by name.
#[derive(Debug, Default)]
struct Memories(HashMap<String, Memory>);

impl Memories {
    fn of(&self, name: &str) -> Option<&Memory> {
        self.0.get(device(name))
    }

    /// Somebody heard this.
    fn learn(&mut self, name: &str, frame: &ServerFrame) {
        match frame {
            ServerFrame::Response {
                result: Ok(Response::WelcomeInLife { welcome, .. }), ..
            } => {
                let memory = Memory { token: welcome.token.clone(), seen: welcome.seq };
                // What was missed is yet to come.
                let seen = self
                    .of(name)
                    .filter(|_| welcome.resumed)
                    .map_or(memory.seen, |known| known.seen);
                self.0.insert(device(name).to_owned(), Memory { seen, ..memory });
            }
            ServerFrame::Notification(notification) => {
                if let (Some(memory), Some(seq)) =
                    (self.0.get_mut(device(name)), notification.seq())
                {
                    memory.seen = seq;
                }
            }
            ServerFrame::Response { .. } => {}
        }
    }
}

/// The first frame of somebody who logs in.
fn hello_with(name: &str, entrance: Entrance, memory: Option<&Memory>) -> Hello {
    let mut hello = hello(name);
    match entrance {
        Entrance::Open => {}
        Entrance::Token => {
            let Memory { token, seen } = memory.expect("somebody who was here before");
            hello.proof = Proof::Resume(token.clone());
            hello.seen = *seen;
        }
        Entrance::TokenAlone => {
            let Memory { token, .. } = memory.expect("somebody who was here before");
            hello.proof = Proof::Resume(token.clone());
        }
        Entrance::Forged => hello.proof = Proof::Resume(Token([0xee; 32])),
        Entrance::Password => {
            hello.proof =
                Proof::Password(Password::try_from("secret".to_owned()).expect("a valid password"));
        }
        Entrance::Version(only) => {
            hello.versions = VersionRange::try_from((only, only)).expect("a range of one version");
        }
    }
    hello
}

/// A server in this process, and guests over sockets.
pub struct Real {
    host: TestServer,
    address: SocketAddr,
    guests: HashMap<String, TestClient>,
    memories: Memories,
}

impl Real {
    /// A server that nobody is at.
    pub fn new(host: TestServer) -> Real {
        Real { address: host.address, host, guests: HashMap::new(), memories: Memories::default() }
    }

    fn guest(&mut self, name: &str) -> &mut TestClient {
        self.guests.get_mut(name).unwrap_or_else(|| panic!("{name} is not here"))
    }
}

impl Stage for Real {
    async fn log_in(&mut self, name: &str, entrance: Entrance) {
        let mut guest = TestClient::connect(self.address).await;
        let hello = hello_with(base(name), entrance, self.memories.of(name));
        guest.say(Request::Hello(hello)).await;
        self.guests.insert(name.to_owned(), guest);
    }

    async fn say(&mut self, name: &str, request: Request) {
        self.guest(name).say(request).await;
    }

    async fn hear(&mut self, name: &str) -> Option<ServerFrame> {
        let heard = self.guest(name).frame().await;
        if let Some(frame) = &heard {
            self.memories.learn(name, frame);
        }
        heard
    }

    async fn vanish(&mut self, name: &str) {
        self.guests.remove(name);
    }

    async fn rest(&mut self, name: &str) -> Option<ServerFrame> {
        let guest = self.guests.get_mut(name)?;
        // Whatever was on its way comes before the answer.
        if guest.try_say(Request::Ping).await {
            guest.frame().await.filter(|frame| {
                !matches!(frame, ServerFrame::Response { result: Ok(Response::Pong), .. })
            })
        } else {
            None
        }
    }

    fn code(&mut self) -> Code {
        self.host.code.clone().expect("nobody is an operator yet")
    }

    async fn pass(&mut self, _: u64) {
        panic!("no time passes over sockets: play this in memory");
    }

    async fn set_clock(&mut self, _: i64) {
        panic!("the machine's clock is everybody's: play this in memory");
    }

    async fn hold_log(&mut self, _: bool) {
        panic!("a real log does not stop: play this in memory");
    }
}

/// The name that somebody goes by: «jim'» is another one who calls himself jim, and «jim*» another
/// device.
fn base(name: &str) -> &str {
    name.trim_end_matches(['\'', '*'])
}

/// Whose memory somebody has: another device has its own.
fn device(name: &str) -> &str {
    if name.ends_with('*') { name } else { base(name) }
}
