//! What is new keeps the rules, what is in the log means what it meant, and a repeat gets the first
//! answer.

use chatroom_proto::{BanTarget, GroupName, Operation, Refusal, Seq, Tag, UnixMillis, UserName};

use super::ChatState;
use crate::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Origin, PasswordHash, Proposal,
    ProposalId, TokenDigest,
};
use crate::chat::limits::Limits;

const ANN: DeviceId = DeviceId(Seq(1));
const NOW: UnixMillis = UnixMillis(1_000);

/// A state in which Ann, who came first, is an operator of the server.
struct Story {
    state: ChatState,
}

impl Story {
    fn new() -> Story {
        let mut story = Story { state: ChatState::new(Limits::default()) };
        story.arrives("ann");
        let password = PasswordHash("hash".to_owned());
        story.is_in_the_log(1, Command::Register { by: ANN, password });
        story.is_in_the_log(0, Command::Offer { digest: TokenDigest([9; 32]) });
        story.is_in_the_log(1, Command::Claim { by: ANN, digest: TokenDigest([9; 32]) });
        story
    }

    fn proposal(&self, connection: u64, command: Command) -> Proposal {
        let number = self.state.head().0 + 1;
        let place = ConnAddr { node: NodeId(1), connection: ConnectionId(connection) };
        let origin = Some(Origin { place, tag: Tag(u32::try_from(number).unwrap()) });
        Proposal { id: ProposalId { node: NodeId(1), number }, origin, at: NOW, command }
    }

    /// Applies an entry, whatever the rules for new ones say.
    fn is_in_the_log(&mut self, connection: u64, command: Command) -> Proposal {
        let proposal = self.proposal(connection, command);
        let seq = self.state.head().next();
        let applied = self.state.apply(&Entry { seq, proposal: proposal.clone() });
        assert!(!matches!(applied.result, Some(Err(_))), "{applied:?}");
        proposal
    }

    fn arrival(name: &str, token: Option<u8>) -> Command {
        let digest = |byte| TokenDigest([byte; 32]);
        Command::Arrive {
            name: user(name),
            presented: token.map(digest),
            fresh: digest(token.unwrap_or(name.len() as u8)),
            address: "192.0.2.1:7".parse().unwrap(),
        }
    }

    fn arrives(&mut self, name: &str) {
        let connection = self.state.head().0 + 1;
        self.is_in_the_log(connection, Story::arrival(name, None));
    }

    fn breaks(&self, command: Command) -> Option<Refusal> {
        self.state.breaks_new_rule(&self.proposal(1, command))
    }
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn ban(name: &str) -> Operation {
    Operation::Ban { whom: BanTarget::User(user(name)), seconds: None, reason: None }
}

fn unban(name: &str) -> Operation {
    Operation::Unban { whom: BanTarget::User(user(name)) }
}

fn operate(act: Operation) -> Command {
    Command::Operate { by: ANN, act }
}

fn nobody(name: &str) -> Option<Refusal> {
    Some(Refusal::NoSuchUser { name: user(name) })
}

#[test]
fn a_new_ban_is_for_a_name_that_somebody_has_or_had_lately() {
    let mut story = Story::new();
    story.arrives("jimmy");
    let jimmy = DeviceId(story.state.head());
    for slip in ["127.0.0.", "127.0.0.300", "jim"] {
        assert_eq!(story.breaks(operate(ban(slip))), nobody(slip));
        assert_eq!(story.breaks(operate(unban(slip))), nobody(slip));
    }
    assert_eq!(story.breaks(operate(ban("JIMMY"))), None);
    story.is_in_the_log(jimmy.0.0, Command::Depart { device: jimmy });
    assert_eq!(story.breaks(operate(ban("jimmy"))), None, "one had it a moment ago");
    let network = BanTarget::addresses("127.0.0.0/24").unwrap();
    let act = Operation::Ban { whom: network, seconds: None, reason: None };
    assert_eq!(story.breaks(operate(act)), None);
}

#[test]
fn a_ban_in_the_log_of_a_name_that_nobody_had_holds_and_can_be_lifted() {
    let mut story = Story::new();
    let first = story.is_in_the_log(1, operate(ban("127.0.0.0/24")));
    let bans = |story: &Story| story.state.server_bans(ANN, Seq::ZERO, NOW).unwrap().items();
    assert_eq!(bans(&story), 1);
    assert_eq!(story.state.breaks_new_rule(&first), None, "a repeat gets the first answer");
    assert_eq!(story.breaks(operate(ban("127.0.0.0/24"))), nobody("127.0.0.0/24"));
    assert_eq!(story.breaks(operate(unban("127.0.0.0/24"))), None);
    story.is_in_the_log(1, operate(unban("127.0.0.0/24")));
    assert_eq!(bans(&story), 0);
}

#[test]
fn no_new_name_begins_with_a_mark() {
    let story = Story::new();
    for name in ["@jimmy", "/join", "\u{FF20}jimmy"] {
        assert_eq!(story.breaks(Story::arrival(name, None)), Some(Refusal::MarkedName), "{name}");
        let group = GroupName::parse(name).unwrap();
        assert_eq!(story.breaks(Command::Create { by: ANN, group }), Some(Refusal::MarkedName));
    }
    let group = GroupName::parse("and/or").unwrap();
    assert_eq!(story.breaks(Command::Create { by: ANN, group }), None);
    assert_eq!(story.breaks(Story::arrival("a@b", None)), None);
}

#[test]
fn a_name_in_the_log_that_begins_with_a_mark_is_still_its_holders() {
    let mut story = Story::new();
    story.is_in_the_log(2, Story::arrival("@jimmy", Some(7)));
    let jimmy = DeviceId(story.state.head());
    let group = GroupName::parse("/tea").unwrap();
    let create = Command::Create { by: jimmy, group: group.clone() };
    let created = story.is_in_the_log(2, create);
    assert_eq!(story.state.breaks_new_rule(&created), None, "a repeat gets the first answer");
    story.is_in_the_log(2, Command::Join { by: jimmy, group });
    assert_eq!(story.breaks(Story::arrival("@jimmy", Some(7))), None, "cut off, and back");
    story.is_in_the_log(2, Command::Depart { device: jimmy });
    assert_eq!(story.breaks(Story::arrival("@JIMMY", Some(7))), None, "gone, and back");
    assert_eq!(story.breaks(Story::arrival("@jimmy", Some(8))), Some(Refusal::MarkedName));
}

#[test]
fn who_is_no_operator_learns_nothing_of_names() {
    let mut story = Story::new();
    story.arrives("jimmy");
    let by = DeviceId(story.state.head());
    assert_eq!(story.breaks(Command::Operate { by, act: ban("nobody") }), None);
}

#[test]
fn a_mark_means_the_name_behind_it_unless_somebody_has_it_in_the_name() {
    let mut story = Story::new();
    let resolved = |story: &Story, act| story.state.resolved(act, NOW);
    assert_eq!(resolved(&story, ban("@jimmy")), ban("jimmy"));
    let disconnect = |name| Operation::Disconnect { user: user(name), reason: None };
    assert_eq!(resolved(&story, disconnect("@jimmy")), disconnect("jimmy"));
    assert_eq!(resolved(&story, ban("jimmy")), ban("jimmy"));
    assert_eq!(resolved(&story, ban("@")), ban("@"));
    // From a log that is older than the rule against such names.
    story.arrives("jimmy");
    story.arrives("@jimmy");
    assert_eq!(resolved(&story, ban("@jimmy")), ban("@jimmy"));
    assert_eq!(resolved(&story, ban("@@jimmy")), ban("@jimmy"));
    assert_eq!(resolved(&story, unban("@bob")), unban("bob"));
    story.is_in_the_log(1, operate(ban("@bob")));
    assert_eq!(resolved(&story, unban("@bob")), unban("@bob"));
}
