//! The bytes of everything that the log keeps on disk, as the snapshots have them: whoever changes
//! what logs are made of learns of it here.
//!
//! A line that has to change is another schema of the log, which needs a migration, or logs that
//! were written until now can't be read any more. A line that is added is a new command. A changed
//! snapshot fails this test; `cargo insta accept` keeps it, on the word of somebody who has looked
//! at it.
//!
//! An image of the state is kept where old entries were deleted, and beside the archive's rows.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chatroom_proto::golden::{self, Shape};
use chatroom_proto::{
    AddressPrefix, BanTarget, Body, Conversation, GroupName, Moderation, Operation, PostId,
    Retention, Seq, Tag, Topic, UnixMillis, UserName, codec,
};
use chatroom_server::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Origin, PasswordHash, Proposal,
    ProposalId, TokenDigest,
};
use chatroom_server::chat::{ChatState, Limits};

const ENTRIES: &str = include_str!("snapshots/layout__entries.snap");
const STATES: &str = include_str!("snapshots/layout__states.snap");

fn hash() -> PasswordHash {
    PasswordHash("$argon2id$".to_owned())
}

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

/// What people do one after the other, and what it comes to.
struct Story {
    state: ChatState,
    /// Over which connection each one does things.
    places: BTreeMap<DeviceId, ConnAddr>,
}

impl Story {
    fn new(remembered_max: u32) -> Story {
        let mut story =
            Story { state: ChatState::new(limits(remembered_max)), places: BTreeMap::new() };
        story.begin(remembered_max);
        story
    }

    /// A server begins: nobody has a connection.
    fn begin(&mut self, remembered_max: u32) {
        self.goes_on(Command::Began { limits: limits(remembered_max) });
    }

    /// Each entry has a tag of its own.
    fn goes_on(&mut self, command: Command) -> DeviceId {
        let seq = self.state.head().next();
        let place =
            command.author().and_then(|by| self.places.get(&by)).copied().unwrap_or(place_of(seq));
        let tag = Tag(u32::try_from(seq.0).expect("the story is short"));
        let id = ProposalId { node: NodeId(0x41), number: seq.0 };
        let origin = Some(Origin { place, tag });
        let proposal = Proposal { id, origin, at: UnixMillis(0x1000 * seq.0), command };
        self.state.fold(&Entry { seq, proposal });
        DeviceId(seq)
    }

    fn comes(&mut self, name: &str) -> DeviceId {
        let fresh = format!("the digest of {name}");
        let mut digest = [0; 32];
        digest[..fresh.len()].copy_from_slice(fresh.as_bytes());
        let fresh = TokenDigest(digest);
        // Whoever has it already is recognized by it.
        let presented = Some(fresh);
        let address = format!("192.0.2.1:{}", name.as_bytes()[0]).parse().expect("an address");
        let arrive = Command::Arrive { name: user(name), presented, fresh, address };
        let came = self.goes_on(arrive);
        self.places.insert(came, place_of(came.0));
        came
    }

    fn comes_back(&mut self, device: DeviceId, name: &str) {
        let came = self.comes(name);
        self.places.insert(device, place_of(came.0));
    }

    fn says(&mut self, by: DeviceId, to: Conversation) {
        let id = PostId((u128::from(self.state.head().0) << 64 | 0x91).to_be_bytes());
        self.goes_on(Command::Post { by, to, id, body: Body::parse("hi").expect("a message") });
    }

    fn goes(&mut self, device: DeviceId) {
        self.goes_on(Command::Depart { device });
    }
}

fn limits(remembered_max: u32) -> Limits {
    let retention = Retention::Days(0x86);
    Limits {
        groups_max: 9,
        memberships_max: 9,
        grace_ms: 0x83,
        held_max: 9,
        remembered_max,
        retention,
    }
}

fn place_of(entry: Seq) -> ConnAddr {
    ConnAddr { node: NodeId(0x41), connection: ConnectionId(entry.0) }
}

/// Somebody listens.
fn quiet_state() -> ChatState {
    let mut story = Story::new(9);
    story.comes("Kim");
    story.goes_on(Command::Offer { digest: TokenDigest([0xc1; 32]) });
    story.state
}

/// Everything that can be known of somebody is known of one of these.
fn eventful_state() -> ChatState {
    let group = |name| GroupName::parse(name).expect("a name");
    let mut story = Story::new(1);
    let [sam, tom, kim] = ["Sam", "Tom", "Kim"].map(|name| story.comes(name));
    // A conversation with one who is forgotten.
    story.says(sam, Conversation::User(user("Kim")));
    story.goes(sam);
    story.goes_on(Command::Create { by: tom, group: group("Cake") });
    story.goes_on(Command::Join { by: tom, group: group("Cake") });
    story.goes(tom);

    // After a restart both who are left are back.
    story.begin(9);
    story.comes_back(tom, "Tom");
    story.comes_back(kim, "Kim");
    let [jim, ann, bob, eve, lea] =
        ["Jim", "Ann", "Bob", "Eve", "Lea"].map(|name| story.comes(name));
    story.goes_on(Command::Create { by: jim, group: group("Tea") });
    for by in [jim, ann, ann] {
        story.goes_on(Command::Join { by, group: group("Tea") });
    }
    story.says(jim, Conversation::Group(group("Tea")));
    story.says(ann, Conversation::User(user("Jim")));
    story.says(jim, Conversation::User(user("Ann")));
    story.goes_on(Command::Leave { by: ann, group: group("Tea") });
    story.says(bob, Conversation::Group(GroupName::general()));
    story.says(kim, Conversation::Group(GroupName::general()));

    let moderate = |act| Command::Moderate { by: jim, group: group("Tea"), act };
    let topic = Some(Topic::parse("Tea").expect("a topic"));
    for act in [
        Moderation::Topic { topic },
        Moderation::Lock,
        Moderation::Ban { user: user("Bob"), seconds: NonZeroU32::new(0xb1), reason: None },
        Moderation::Mute { user: user("Eve"), seconds: None, reason: None },
        Moderation::Invite { user: user("Kim") },
        Moderation::Op { user: user("Ann") },
    ] {
        story.goes_on(moderate(act));
    }

    // Some run the server, whose names are their own.
    let [registered, _] =
        [jim, kim].map(|by| story.goes_on(Command::Register { by, password: hash() }));
    story.goes_on(Command::Offer { digest: TokenDigest([0xc1; 32]) });
    story.goes_on(Command::Claim { by: jim, digest: TokenDigest([0xc1; 32]) });
    let host = BanTarget::Host(AddressPrefix::parse("10.0.0.1").expect("an address"));
    for act in [
        Operation::Appoint { user: user("Kim") },
        Operation::Ban { whom: host, seconds: None, reason: None },
        Operation::Ban {
            whom: BanTarget::User(user("Moe")),
            seconds: NonZeroU32::new(0xb1),
            reason: None,
        },
    ] {
        story.goes_on(Command::Operate { by: jim, act });
    }

    // One goes with ties, one with words, and one with nothing. One is written to behind her back,
    // and one is lost.
    for device in [ann, bob, eve] {
        story.goes(device);
    }
    story.says(jim, Conversation::User(user("Ann")));
    // One comes with another device.
    let (fresh, address) = (TokenDigest([0x72; 32]), "192.0.2.2:1".parse().expect("an address"));
    story.goes_on(Command::LogIn { name: user("jim"), password: registered.0, fresh, address });
    story.goes_on(Command::Detach { device: lea, from: place_of(lea.0) });
    story.state
}

fn states() -> [(&'static str, ChatState); 2] {
    [("A quiet state", quiet_state()), ("An eventful state", eventful_state())]
}

fn image(state: &ChatState) -> Vec<u8> {
    codec::pack(state).expect("a state can be encoded")
}

#[test]
fn entries_mean_what_they_meant_and_take_the_bytes_that_logs_have() {
    let shape = Shape::whole::<Entry>();
    insta::assert_snapshot!("layout", shape.text());
    insta::assert_snapshot!("entries", golden::examples::<Entry>(&shape, ENTRIES));
}

#[test]
fn a_batch_is_its_number_of_entries_and_then_these() {
    let entries = golden::bytes_of(ENTRIES);
    let two: Vec<Entry> =
        entries[..2].iter().map(|bytes| codec::decode(bytes).expect("an entry")).collect();
    let by_hand = [&2_u64.to_le_bytes(), &entries[0][..], &entries[1]].concat();
    assert_eq!(codec::pack(&&two[..]).expect("a batch can be encoded"), by_hand);
}

#[test]
fn an_image_is_read_as_the_state_that_it_was_and_written_as_it_was_read() {
    let mut text = String::new();
    for (name, state) in states() {
        let digits = image(&state).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        text.push_str(&format!("{name}\n{digits}\n\n"));
    }
    insta::assert_snapshot!("states", text);
    for (bytes, (name, state)) in golden::bytes_of(STATES).iter().zip(states()) {
        let decoded: ChatState =
            codec::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, state, "{name}");
        assert_eq!(image(&decoded), *bytes, "{name}");
    }
}
