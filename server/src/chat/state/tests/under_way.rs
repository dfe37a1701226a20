//! What has come to the server, and is in the log behind what takes its sender out.

use chatroom_proto::{
    Body, Conversation, GroupName, Operation, PostId, Seq, Tag, UnixMillis, UserName,
};

use super::super::applied::Applied;
use super::super::chat_state::ChatState;
use super::random::LIMITS;
use crate::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Origin, PasswordHash, Proposal,
    ProposalId, TokenDigest,
};

const CODE: TokenDigest = TokenDigest([7; 32]);

/// Lets the next entry take effect, which comes over the connection of this number.
fn happens(state: &mut ChatState, connection: u64, command: Command) -> Applied {
    let seq = state.head().next();
    let place = ConnAddr { node: NodeId(1), connection: ConnectionId(connection) };
    let number = u32::try_from(seq.0).expect("few entries");
    let origin = Some(Origin { place, tag: Tag(number) });
    let id = ProposalId { node: NodeId(1), number: seq.0 };
    state.apply(&Entry { seq, proposal: Proposal { id, origin, at: UnixMillis(1), command } })
}

fn arrive(state: &mut ChatState, connection: u64, name: &str) -> DeviceId {
    let name = UserName::parse(name).expect("a name");
    let fresh = TokenDigest([u8::try_from(connection).expect("few connections"); 32]);
    let address = format!("192.0.2.{connection}:1").parse().expect("an address");
    happens(state, connection, Command::Arrive { name, presented: None, fresh, address });
    DeviceId(state.head())
}

#[test]
fn what_somebody_has_under_way_when_they_are_put_out_does_not_happen() {
    let mut state = ChatState::new(LIMITS);
    let (ann, bob) = (arrive(&mut state, 1, "ann"), arrive(&mut state, 2, "bob"));
    happens(&mut state, 1, Command::Register { by: ann, password: PasswordHash("hash".into()) });
    happens(&mut state, 0, Command::Offer { digest: CODE });
    happens(&mut state, 1, Command::Claim { by: ann, digest: CODE });
    let post = |id| {
        let to = Conversation::Group(GroupName::general());
        Command::Post {
            by: bob,
            to,
            id: PostId([id; 16]),
            body: Body::parse("buy now").expect("a body"),
        }
    };
    assert!(happens(&mut state, 2, post(1)).news.is_some(), "they hear it who are there");
    let act = Operation::Disconnect { user: UserName::parse("bob").expect("a name"), reason: None };
    let put_out = happens(&mut state, 1, Command::Operate { by: ann, act });
    assert_eq!(put_out.ends, [bob]);

    let tea = GroupName::parse("tea").expect("a name");
    let under_way = [
        post(2),
        Command::Create { by: bob, group: tea },
        Command::Leave { by: bob, group: GroupName::general() },
    ];
    let before = state.clone();
    for command in under_way {
        let Applied { result, news, .. } = happens(&mut state, 2, command);
        assert!(result.is_none() && news.is_none(), "{result:?} {news:?}");
    }
    assert_eq!(ChatState { head: before.head, ..state.clone() }, before);
    // What was said before is known, and is answered again.
    assert!(happens(&mut state, 2, post(1)).result.is_some());
    happens(&mut state, 0, Command::Depart { device: bob });
    assert!(!state.is_device_here(bob) && state.head() > Seq::ZERO);
}

#[test]
fn what_comes_over_a_connection_that_was_replaced_is_left_to_the_one_that_replaced_it() {
    let mut state = ChatState::new(LIMITS);
    let ann = arrive(&mut state, 1, "ann");
    let post = |id| {
        let to = Conversation::Group(GroupName::general());
        Command::Post {
            by: ann,
            to,
            id: PostId([id; 16]),
            body: Body::parse("hi").expect("a body"),
        }
    };
    let (name, token) = (UserName::parse("ann").expect("a name"), TokenDigest([1; 32]));
    let back = |address: &str| Command::Arrive {
        name: name.clone(),
        presented: Some(token),
        fresh: TokenDigest([9; 32]),
        address: address.parse().expect("an address"),
    };
    happens(&mut state, 2, back("192.0.2.2:1"));
    assert!(happens(&mut state, 1, post(1)).result.is_none(), "another has the device");
    happens(&mut state, 3, back("192.0.2.3:1"));
    for (over, is_heard) in [(1, false), (2, false), (3, true)] {
        assert_eq!(happens(&mut state, over, post(2)).result.is_some(), is_heard, "over {over}");
    }
}
