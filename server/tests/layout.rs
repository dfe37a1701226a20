//! The bytes of everything that the log keeps on disk, as layout.txt has them: whoever changes what
//! logs are made of learns of it here. Nothing rewrites that file but a person who means it.
//!
//! An image of the state is kept where old entries were deleted, and beside the archive's rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;

use chatroom_proto::{
    AddressPrefix, BanTarget, Body, Conversation, GroupName, Moderation, Operation, PostId, Reason,
    Retention, Seq, Tag, Topic, UnixMillis, UserName, codec,
};
use chatroom_server::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Origin, PasswordHash, Proposal,
    ProposalId, TokenDigest,
};
use chatroom_server::chat::{ChatState, Limits};

const LAYOUT: &str = include_str!("layout.txt");

/// One example of every kind of thing in an entry, by its name.
fn entries() -> Vec<(String, Entry)> {
    let commands = commands().into_iter().map(|(arm, command)| {
        let name = format!("{}{arm}", name_of(&command));
        (name, entry(Some(origin()), command))
    });
    let nobody = ("Detach of nobody's asking".to_owned(), entry(None, detach()));
    commands.chain([nobody]).collect()
}

fn entry(origin: Option<Origin>, command: Command) -> Entry {
    let id = ProposalId { node: NodeId(0x0102_0304_0506_0708), number: 0x11 };
    Entry { seq: Seq(0x21), proposal: Proposal { id, origin, at: UnixMillis(0x31), command } }
}

fn hash() -> PasswordHash {
    PasswordHash("$argon2id$".to_owned())
}

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

fn place() -> ConnAddr {
    ConnAddr { node: NodeId(0x41), connection: ConnectionId(0x42) }
}

fn origin() -> Origin {
    Origin { place: place(), tag: Tag(0x51) }
}

fn detach() -> Command {
    Command::Detach { device: DeviceId(Seq(0x61)), from: place() }
}

/// Every command, and every kind of each field that has kinds.
fn commands() -> Vec<(&'static str, Command)> {
    let by = DeviceId(Seq(0x61));
    let group = || GroupName::parse("Tea").expect("a name");
    let arrive = |presented| Command::Arrive {
        name: user("Jim"),
        presented,
        fresh: TokenDigest([0x71; 32]),
        address: "127.0.0.1:1".parse().expect("an address"),
    };
    let began = |retention| Command::Began {
        limits: Limits {
            groups_max: 0x81,
            memberships_max: 0x82,
            grace_ms: 0x83,
            held_max: 0x84,
            remembered_max: 0x85,
            retention,
        },
    };
    let post = |to| Command::Post {
        by,
        to,
        id: PostId([0x91; 16]),
        body: Body::parse("hi").expect("a message"),
    };
    let commands = vec![
        (" of a stranger", arrive(None)),
        (" of somebody known", arrive(Some(TokenDigest([0x72; 32])))),
        ("", detach()),
        (" to keep nothing", began(Retention::Nothing)),
        (" to keep for days", began(Retention::Days(0x86))),
        (" to keep everything", began(Retention::Everything)),
        ("", Command::Expire { device: by, detached: Seq(0xa1) }),
        ("", Command::Depart { device: by }),
        ("", Command::Create { by, group: group() }),
        ("", Command::Join { by, group: group() }),
        ("", Command::Leave { by, group: group() }),
        (" in a group", post(Conversation::Group(group()))),
        (" to somebody", post(Conversation::User(user("Ann")))),
        (
            "",
            Command::LogIn {
                name: user("Jim"),
                password: Seq(0xb1),
                fresh: TokenDigest([0x71; 32]),
                address: "127.0.0.1:1".parse().expect("an address"),
            },
        ),
        ("", Command::Register { by, password: hash() }),
        (
            "",
            Command::ChangePassword {
                by,
                old: Seq(0xb1),
                new: hash(),
                fresh: TokenDigest([0x71; 32]),
            },
        ),
        ("", Command::Unregister { by, password: Seq(0xb1) }),
    ];
    let acts = acts().map(|(arm, act)| (arm, Command::Moderate { by, group: group(), act }));
    let digest = TokenDigest([0xc1; 32]);
    let codes = [("", Command::Offer { digest }), ("", Command::Claim { by, digest })];
    let operations = operations().map(|(arm, act)| (arm, Command::Operate { by, act }));
    commands.into_iter().chain(acts).chain(codes).chain(operations).collect()
}

/// Every act of moderation, and every kind of each field that has kinds.
fn acts() -> [(&'static str, Moderation); 12] {
    let (user, seconds) = (|| user("Ann"), NonZeroU32::new(0xb1));
    let reason = || Some(Reason::parse("spam").expect("a reason"));
    let topic = Some(Topic::parse("Tea").expect("a topic"));
    [
        (": Kick", Moderation::Kick { user: user(), reason: None }),
        (": Ban", Moderation::Ban { user: user(), seconds, reason: reason() }),
        (": Unban", Moderation::Unban { user: user() }),
        (": Mute", Moderation::Mute { user: user(), seconds, reason: reason() }),
        (": Unmute", Moderation::Unmute { user: user() }),
        (": Topic", Moderation::Topic { topic }),
        (": no Topic", Moderation::Topic { topic: None }),
        (": Lock", Moderation::Lock),
        (": Unlock", Moderation::Unlock),
        (": Invite", Moderation::Invite { user: user() }),
        (": Op", Moderation::Op { user: user() }),
        (": Deop", Moderation::Deop { user: user() }),
    ]
}

/// Every operation, and every kind of each field that has kinds.
fn operations() -> [(&'static str, Operation); 6] {
    let (user, seconds) = (|| user("Ann"), NonZeroU32::new(0xb1));
    let reason = || Some(Reason::parse("spam").expect("a reason"));
    let host = || BanTarget::Host(AddressPrefix::parse("127.0.0.1").expect("an address"));
    [
        (": Appoint", Operation::Appoint { user: user() }),
        (": Dismiss", Operation::Dismiss { user: user() }),
        (": Disconnect", Operation::Disconnect { user: user(), reason: reason() }),
        (
            ": Ban of a name",
            Operation::Ban { whom: BanTarget::User(user()), seconds, reason: reason() },
        ),
        (": Ban of an address", Operation::Ban { whom: host(), seconds: None, reason: None }),
        (": Unban", Operation::Unban { whom: host() }),
    ]
}

/// Who adds a command is told here by the compiler to add it to [`NAMES`], too.
fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Arrive { .. } => "Arrive",
        Command::Detach { .. } => "Detach",
        Command::Began { .. } => "Began",
        Command::Expire { .. } => "Expire",
        Command::Depart { .. } => "Depart",
        Command::Create { .. } => "Create",
        Command::Join { .. } => "Join",
        Command::Leave { .. } => "Leave",
        Command::Post { .. } => "Post",
        Command::LogIn { .. } => "LogIn",
        Command::Register { .. } => "Register",
        Command::ChangePassword { .. } => "ChangePassword",
        Command::Unregister { .. } => "Unregister",
        Command::Moderate { .. } => "Moderate",
        Command::Offer { .. } => "Offer",
        Command::Claim { .. } => "Claim",
        Command::Operate { .. } => "Operate",
    }
}

const NAMES: [&str; 17] = [
    "Arrive",
    "Detach",
    "Began",
    "Expire",
    "Depart",
    "Create",
    "Join",
    "Leave",
    "Post",
    "LogIn",
    "Register",
    "ChangePassword",
    "Unregister",
    "Moderate",
    "Offer",
    "Claim",
    "Operate",
];

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
    [
        ("The image of a quiet world", quiet_state()),
        ("The image of an eventful world", eventful_state()),
    ]
}

fn line(name: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(format!("{name} = "), |mut line, byte| {
        write!(line, "{byte:02x}").expect("a text takes all that is written");
        line
    })
}

/// The lines that the file should have.
fn lines() -> Vec<String> {
    let mut lines: Vec<String> = entries()
        .iter()
        .map(|(name, entry)| line(name, &codec::pack(entry).expect("an entry can be encoded")))
        .collect();
    let batch = [entry(None, detach()), entry(None, detach())];
    lines.push(line("A batch of two", &codec::pack(&&batch[..]).expect("a batch can be encoded")));
    lines.extend(states().iter().map(|(name, state)| line(name, &image(state))));
    lines
}

fn image(state: &ChatState) -> Vec<u8> {
    codec::pack(state).expect("a world can be encoded")
}

/// The bytes that the file has under this name.
fn golden(name: &str) -> Vec<u8> {
    let found = LAYOUT.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
    let hex = found.unwrap_or_else(|| panic!("layout.txt has no line {name}"));
    let digit =
        |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits only");
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[test]
fn every_entry_takes_exactly_the_bytes_that_logs_have() {
    let golden: Vec<&str> =
        LAYOUT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let lines = lines();
    assert!(
        golden == lines,
        "Something has other bytes than layout.txt says: logs that were written until now can't \
         be read any more. If \
         that is meant, it is another schema of the log, which needs a migration; the lines are \
         now:\n{}\n",
        lines.join("\n")
    );
}

#[test]
fn the_bytes_that_logs_have_mean_what_they_meant() {
    for (name, entry) in entries() {
        let decoded: Entry =
            codec::decode(&golden(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, entry, "{name}");
    }
}

#[test]
fn an_image_is_read_as_the_state_that_it_was_and_written_as_it_was_read() {
    for (name, state) in states() {
        let bytes = golden(name);
        let decoded: ChatState =
            codec::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, state, "{name}");
        assert_eq!(image(&decoded), bytes, "{name}");
    }
}

#[test]
fn no_command_is_without_its_bytes() {
    let commands = commands();
    let missing =
        NAMES.iter().filter(|name| !commands.iter().any(|(_, command)| name_of(command) == **name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
}
