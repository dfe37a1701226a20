//! The real server.

use std::net::SocketAddr;

use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{ClientFrame, Notification, Request, ServerFrame, Tag, UserName};
use integration_tests::program::{BUSY, ServerProgram};
use integration_tests::test_client::{group, hello, private, public};

use super::{Ask, Heard, Target, number_of, text};

/// On the wire a server's frame begins with the number of its variant: 0 is a response.
const RESPONSE: [u8; 4] = 0u32.to_le_bytes();

/// The release binary of chatroom-server.
pub(crate) struct Chatroom {
    /// There until it is dropped.
    program: Option<ServerProgram>,
    address: SocketAddr,
    process: u32,
}

impl Chatroom {
    pub(crate) fn start() -> Chatroom {
        Chatroom::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Chatroom {
        let program = ServerProgram::start_with(&[&BUSY, arguments].concat());
        let (address, process) = (program.address(), program.id());
        Chatroom { program: Some(program), address, process }
    }
}

impl Drop for Chatroom {
    fn drop(&mut self) {
        // The next one should not share the machine with what is left of this.
        self.program.take().into_iter().for_each(ServerProgram::kill);
    }
}

impl Target for Chatroom {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process
    }

    fn arrive(&self, member: usize) -> Ask {
        // It leaves General, so that it does not hear of everybody who comes after it.
        let hello = Request::Hello(hello(&person(member)));
        ask(&[(0, hello), (1, Request::Leave { group: group("General") })])
    }

    fn arrive_to_stay(&self, member: usize) -> Ask {
        ask(&[(0, Request::Hello(hello(&person(member))))])
    }

    fn create(&self, room: u32) -> Ask {
        ask(&[(2 + 2 * room, Request::Create { group: group(&room_name(room)) })])
    }

    fn join(&self, room: u32) -> Ask {
        ask(&[(3 + 2 * room, Request::Join { group: group(&room_name(room)) })])
    }

    fn tells_of_joins(&self) -> bool {
        true
    }

    fn ping(&self) -> Ask {
        ask(&[(0, Request::Ping)])
    }

    fn post(&self, room: u32, number: u64, into: &mut Vec<u8>) {
        say(0, public(&room_name(room), number, &text(number)), into);
    }

    fn whisper(&self, from: usize, number: u64, into: &mut Vec<u8>) {
        say(0, private(&person(from ^ 1), number, &text(number)), into);
    }

    fn is_answer(&self, frame: &[u8]) -> bool {
        frame[LENGTH_BYTES..].starts_with(&RESPONSE)
    }

    fn hear(&self, frame: &[u8]) -> Heard {
        match codec::decode(&frame[LENGTH_BYTES..]).expect("a server says what the protocol knows")
        {
            ServerFrame::Response { result, .. } => {
                result.unwrap_or_else(|refusal| panic!("something was refused: {refusal:?}"));
                Heard::Answer
            }
            ServerFrame::Notification(
                Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. },
            ) => Heard::Post(number_of(post.body.as_str())),
            ServerFrame::Notification(Notification::Joined { user, .. }) => {
                Heard::Joined(member(&user))
            }
            ServerFrame::Notification(Notification::Closing(why)) => {
                panic!("the server hangs up: {why:?}")
            }
            ServerFrame::Notification(_) => Heard::News,
        }
    }
}

fn person(member: usize) -> String {
    format!("person{member}")
}

fn member(user: &UserName) -> usize {
    let number = user.as_str().strip_prefix("person").and_then(|number| number.parse().ok());
    number.expect("nobody else is here")
}

fn room_name(room: u32) -> String {
    format!("room{room}")
}

/// Answers come in the order of the requests, so nobody here needs tags to tell them apart. But by
/// its tag a server knows a repeat, unless it is a post: no two commands of one person have the
/// same.
fn ask(requests: &[(u32, Request)]) -> Ask {
    let mut bytes = Vec::new();
    requests.iter().for_each(|(tag, request)| say(*tag, request.clone(), &mut bytes));
    Ask { bytes, answers: requests.len() }
}

fn say(tag: u32, request: Request, into: &mut Vec<u8>) {
    codec::encode_into(&ClientFrame { tag: Tag(tag), request }, into)
        .expect("a frame of ours is short");
}
