//! What no scene on a whole server can bring about, as a connection waits for its welcome.

use chatroom_proto::{Hello, Lives, Proof, Seq, Tag, Token, UnixMillis, UserName, VersionRange};

use super::Chat;
use super::effect::{Channel, Credential, Effect, Input, LoginRequest};
use super::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Proposal, TokenDigest,
};
use super::limits::Limits;

const NOW: UnixMillis = UnixMillis(1_000_000);

fn proposals(effects: &[Effect]) -> Vec<&Proposal> {
    let mut proposals = Vec::new();
    for effect in effects {
        if let Effect::Propose(proposal) = effect {
            proposals.push(proposal);
        }
    }
    proposals
}

#[test]
fn one_who_is_gone_before_the_arrival_takes_effect_is_held_like_anybody_who_is_lost() {
    let mut chat = Chat::new(NodeId(1), Limits::default());
    let (connection, mut effects) = (ConnectionId(1), Vec::new());
    let hello = Hello {
        versions: VersionRange::OF_CLIENTS,
        name: UserName::parse("jim").unwrap(),
        proof: Proof::Open,
        seen: Seq::ZERO,
    };
    let session = Credential { token: Token([1; 32]), digest: TokenDigest([1; 32]) };
    let login = LoginRequest {
        connection,
        tag: Tag(0),
        hello,
        lives: Lives::default(),
        presented: None,
        session,
        address: "192.0.2.1:1".parse().unwrap(),
        channel: Channel::Loopback,
    };
    chat.handle(Input::LogIn(Box::new(login)), NOW, &mut effects);
    let arrival = Entry { seq: Seq(1), proposal: proposals(&effects)[0].clone() };
    effects.clear();
    chat.handle(Input::Gone { connection }, NOW, &mut effects);
    chat.apply(&arrival, &mut effects);
    let from = ConnAddr { node: NodeId(1), connection };
    let is_lost = Command::Detach { device: DeviceId(Seq(1)), from };
    let commands: Vec<_> = proposals(&effects).iter().map(|it| it.command.clone()).collect();
    assert_eq!(commands, [is_lost]);
}
