//! What goes over a line, read along frame by frame: how the device was let in, and whether answers
//! come in the order of the requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{
    ClientFrame, Proof, Request, Response, Seq, ServerFrame, Tag, Token, Welcome,
};

use super::Broken;
use super::world::World;

/// How a device was let in.
pub(super) struct Greeting {
    /// By what it has shown.
    pub(super) proof: Proof,
    pub(super) welcome: Welcome,
    pub(super) put_back: Option<Seq>,
    /// By which run of the server.
    pub(super) run: u64,
    /// The tokens that the session may have had since: another password is another token.
    pub(super) tokens: Vec<Token>,
}

/// What a device was told over its lines, in its order, and has not looked at.
pub(super) type Greetings = Arc<Mutex<VecDeque<Greeting>>>;

/// Reads along what one line carries.
pub(super) struct Witness {
    device: usize,
    /// The run of the server that it leads to.
    run: u64,
    greetings: Greetings,
    up: Frames,
    down: Frames,
    /// What was asked and not answered.
    asked: VecDeque<Tag>,
    /// What the device has shown to be let in.
    proof: Proof,
}

impl Witness {
    pub(super) fn new(device: usize, run: u64, greetings: Greetings) -> Witness {
        let (up, down) = (Frames::default(), Frames::default());
        Witness { device, run, greetings, up, down, asked: VecDeque::new(), proof: Proof::Open }
    }

    /// These bytes have left the device.
    pub(super) fn hears_up(&mut self, bytes: &[u8]) {
        self.up.push(bytes);
        while let Some(frame) = self.up.next() {
            let Ok(ClientFrame { tag, request }) = codec::decode(body(&frame)) else { continue };
            self.asked.push_back(tag);
            match request {
                Request::Hello(hello) | Request::ComeBack { hello, .. } => self.proof = hello.proof,
                Request::ChangePasswordAndToken { token, .. } => self.asks_for(&token),
                _ => {}
            }
        }
    }

    /// The session may have this token from now on. A device that has looked at all greetings
    /// knows.
    fn asks_for(&self, token: &Token) {
        if let Ok(mut greetings) = self.greetings.lock() {
            greetings.iter_mut().for_each(|greeting| greeting.tokens.push(token.clone()));
        }
    }

    /// These bytes have reached the device.
    pub(super) fn hears_down(&mut self, bytes: &[u8], world: &World) {
        self.down.push(bytes);
        while let Some(frame) = self.down.next() {
            let Ok(ServerFrame::Response { tag, result }) = codec::decode(body(&frame)) else {
                continue;
            };
            if self.asked.pop_front() != Some(tag) {
                world.broken(Broken::AnswerOutOfTurn { device: self.device, tag: tag.0 });
            }
            let Ok(mut greetings) = self.greetings.lock() else { continue };
            if let Ok(Response::WelcomeInLife { welcome, put_back, .. }) = result {
                let (proof, tokens) = (self.proof.clone(), vec![welcome.token.clone()]);
                let (welcome, run) = (*welcome, self.run);
                greetings.push_back(Greeting { proof, welcome, put_back, run, tokens });
            }
        }
    }
}

/// Bytes, until they are whole frames.
#[derive(Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next frame with its length, when all of it is there.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let (length, _) = self.0.split_first_chunk::<LENGTH_BYTES>()?;
        let end = LENGTH_BYTES + usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (end <= self.0.len()).then(|| self.0.drain(..end).collect())
    }
}

/// A frame without its length.
pub(super) fn body(frame: &[u8]) -> &[u8] {
    &frame[LENGTH_BYTES..]
}
