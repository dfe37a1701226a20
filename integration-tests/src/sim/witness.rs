//! What goes over a line, read along frame by frame: how the device was let in, and whether answers
//! come in the order of the requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{ClientFrame, Proof, Request, Response, ServerFrame, Tag, Token, Welcome};

use super::Broken;
use super::world::World;

/// How a device was let in.
pub(super) struct Greeting {
    /// By what it has shown.
    pub(super) proof: Proof,
    pub(super) welcome: Welcome,
    /// The tokens that the session had since: another password is another token.
    pub(super) tokens: Vec<Token>,
}

/// What a device was told over its lines, in its order, and has not looked at.
pub(super) type Greetings = Arc<Mutex<VecDeque<Greeting>>>;

/// Reads along what one line carries.
pub(super) struct Witness {
    device: usize,
    greetings: Greetings,
    up: Frames,
    down: Frames,
    /// What was asked and not answered.
    asked: VecDeque<Tag>,
    /// What the device has shown to be let in.
    proof: Proof,
}

impl Witness {
    pub(super) fn new(device: usize, greetings: Greetings) -> Witness {
        let (up, down) = (Frames::default(), Frames::default());
        Witness { device, greetings, up, down, asked: VecDeque::new(), proof: Proof::Open }
    }

    /// These bytes have left the device.
    pub(super) fn hears_up(&mut self, bytes: &[u8]) {
        self.up.push(bytes);
        while let Some(frame) = self.up.next() {
            let Ok(ClientFrame { tag, request }) = codec::decode(body(&frame)) else { continue };
            self.asked.push_back(tag);
            if let Request::Hello(hello) = request {
                self.proof = hello.proof;
            }
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
            match result {
                Ok(Response::Welcome(welcome)) => {
                    let (proof, tokens) = (self.proof.clone(), vec![welcome.token.clone()]);
                    greetings.push_back(Greeting { proof, welcome, tokens });
                }
                Ok(Response::PasswordChanged { token, .. }) => {
                    // If it has looked at all of them, it knows.
                    greetings.iter_mut().for_each(|greeting| greeting.tokens.push(token.clone()));
                }
                _ => {}
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
