//! Bugs that are put in between client and server, frame by frame: what it would look like if the
//! fan-out, an outbox or a link made a mistake.

use chatroom_proto::codec;
use chatroom_proto::{ClientFrame, Notification, Request, Response, ServerFrame};

use super::Fault;
use super::witness::{Frames, body};
use super::world::World;

/// How seldom a frame is tampered with that may be.
const ONCE_IN: u64 = 20;

/// One direction of a line that makes mistakes.
#[derive(Default)]
pub(super) struct Tamper {
    frames: Frames,
    /// A frame that is to be overtaken by the next one.
    held: Option<Vec<u8>>,
}

impl Tamper {
    /// What becomes of these bytes, which come after all before.
    pub(super) fn pass(&mut self, bytes: &[u8], fault: Fault, world: &World) -> Vec<u8> {
        self.frames.push(bytes);
        let mut passed = Vec::new();
        while let Some(frame) = self.frames.next() {
            if fault == Fault::PutBackUnsaid {
                passed.extend(without_put_back(&frame).unwrap_or(frame));
                continue;
            }
            if is_meant(fault, body(&frame)) && self.held.is_none() && world.once_in(ONCE_IN) {
                match fault {
                    Fault::MessageTwice => {
                        passed.extend_from_slice(&frame);
                        passed.extend_from_slice(&frame);
                    }
                    Fault::MessagesSwapped | Fault::AnswersSwapped => self.held = Some(frame),
                    // It is lost.
                    _ => {}
                }
                continue;
            }
            passed.extend_from_slice(&frame);
            if is_meant(fault, body(&frame)) {
                passed.extend(self.held.take().into_iter().flatten());
            }
        }
        passed
    }
}

/// The same, if it is a welcome that says that the log was put back, as if it was not.
fn without_put_back(frame: &[u8]) -> Option<Vec<u8>> {
    let ServerFrame::Response { tag, result: Ok(Response::WelcomeInLife { welcome, lives, .. }) } =
        codec::decode(body(frame)).ok()?
    else {
        return None;
    };
    let result = Ok(Response::WelcomeInLife { welcome, lives, put_back: None });
    codec::encode(&ServerFrame::Response { tag, result }).ok().map(|bytes| bytes.to_vec())
}

/// Whether a fault is about frames like this one.
fn is_meant(fault: Fault, frame: &[u8]) -> bool {
    match fault {
        Fault::RequestLost => matches!(
            codec::decode(frame),
            Ok(ClientFrame { request: Request::Public { .. } | Request::Private { .. }, .. })
        ),
        Fault::AnswersSwapped => {
            matches!(codec::decode(frame), Ok(ServerFrame::Response { .. }))
        }
        _ => matches!(
            codec::decode(frame),
            Ok(ServerFrame::Notification(
                Notification::GroupPost { .. } | Notification::PrivatePost { .. }
            ))
        ),
    }
}
