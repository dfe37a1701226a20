//! The bytes of everything that the log keeps on disk, as layout.txt has them: whoever changes what logs are made of
//! learns of it here. Nothing rewrites that file but a person who means it.
//!
//! An image of the world is kept where old entries were deleted, and beside the archive's rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;

use chatroom_proto::{
    Body, Conversation, GroupName, Host, Keeps, Moderation, Operation, PostId, Reason, Seq, Tag, Topic,
    UnixMillis, UserName, Whom, codec,
};
use chatroom_server::chat::entry::{
    ConnectionId, Deed, Entry, NodeId, Origin, PasswordHash, Place, Proposal, ProposalId, SessionId,
    TokenDigest,
};
use chatroom_server::chat::{Limits, World};

const LAYOUT: &str = include_str!("layout.txt");

/// One example of every kind of thing in an entry, by its name.
fn entries() -> Vec<(String, Entry)> {
    let deeds = deeds().into_iter().map(|(arm, deed)| {
        let name = format!("{}{arm}", name_of(&deed));
        (name, entry(Some(origin()), deed))
    });
    let nobody = ("Detach of nobody's asking".to_owned(), entry(None, detach()));
    deeds.chain([nobody]).collect()
}

fn entry(origin: Option<Origin>, deed: Deed) -> Entry {
    let id = ProposalId { node: NodeId(0x0102_0304_0506_0708), number: 0x11 };
    Entry { seq: Seq(0x21), proposal: Proposal { id, origin, at: UnixMillis(0x31), deed } }
}

fn hash() -> PasswordHash {
    PasswordHash("$argon2id$".to_owned())
}

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

fn place() -> Place {
    Place { node: NodeId(0x41), connection: ConnectionId(0x42) }
}

fn origin() -> Origin {
    Origin { place: place(), tag: Tag(0x51) }
}

fn detach() -> Deed {
    Deed::Detach { session: SessionId(Seq(0x61)), from: place() }
}

/// Every deed, and every kind of each field that has kinds.
fn deeds() -> Vec<(&'static str, Deed)> {
    let by = SessionId(Seq(0x61));
    let group = || GroupName::parse("Tea").expect("a name");
    let arrive = |presented| Deed::Arrive {
        name: user("Jim"),
        presented,
        fresh: TokenDigest([0x71; 32]),
        address: "127.0.0.1:1".parse().expect("an address"),
    };
    let began = |keeps| Deed::Began {
        limits: Limits {
            groups_max: 0x81,
            memberships_max: 0x82,
            grace_ms: 0x83,
            held_max: 0x84,
            remembered_max: 0x85,
            keeps,
        },
    };
    let post =
        |to| Deed::Post { by, to, id: PostId([0x91; 16]), body: Body::parse("hi").expect("a message") };
    let deeds = vec![
        (" of a stranger", arrive(None)),
        (" of somebody known", arrive(Some(TokenDigest([0x72; 32])))),
        ("", detach()),
        (" to keep nothing", began(Keeps::Nothing)),
        (" to keep for days", began(Keeps::Days(0x86))),
        (" to keep everything", began(Keeps::Everything)),
        ("", Deed::Expire { session: by, detached: Seq(0xa1) }),
        ("", Deed::Depart { session: by }),
        ("", Deed::Create { by, group: group() }),
        ("", Deed::Join { by, group: group() }),
        ("", Deed::Leave { by, group: group() }),
        (" in a group", post(Conversation::Group(group()))),
        (" to somebody", post(Conversation::User(user("Ann")))),
        (
            "",
            Deed::LogIn {
                name: user("Jim"),
                password: Seq(0xb1),
                fresh: TokenDigest([0x71; 32]),
                address: "127.0.0.1:1".parse().expect("an address"),
            },
        ),
        ("", Deed::Register { by, password: hash() }),
        ("", Deed::ChangePassword { by, old: Seq(0xb1), new: hash(), fresh: TokenDigest([0x71; 32]) }),
        ("", Deed::Unregister { by, password: Seq(0xb1) }),
    ];
    let acts = acts().map(|(arm, act)| (arm, Deed::Moderate { by, group: group(), act }));
    let digest = TokenDigest([0xc1; 32]);
    let codes = [("", Deed::Offer { digest }), ("", Deed::Claim { by, digest })];
    let operations = operations().map(|(arm, act)| (arm, Deed::Operate { by, act }));
    deeds.into_iter().chain(acts).chain(codes).chain(operations).collect()
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
    let host = || Whom::Host(Host::parse("127.0.0.1").expect("an address"));
    [
        (": Appoint", Operation::Appoint { user: user() }),
        (": Dismiss", Operation::Dismiss { user: user() }),
        (": Disconnect", Operation::Disconnect { user: user(), reason: reason() }),
        (": Ban of a name", Operation::Ban { whom: Whom::User(user()), seconds, reason: reason() }),
        (": Ban of an address", Operation::Ban { whom: host(), seconds: None, reason: None }),
        (": Unban", Operation::Unban { whom: host() }),
    ]
}

/// Who adds a deed is told here by the compiler to add it to [`NAMES`], too.
fn name_of(deed: &Deed) -> &'static str {
    match deed {
        Deed::Arrive { .. } => "Arrive",
        Deed::Detach { .. } => "Detach",
        Deed::Began { .. } => "Began",
        Deed::Expire { .. } => "Expire",
        Deed::Depart { .. } => "Depart",
        Deed::Create { .. } => "Create",
        Deed::Join { .. } => "Join",
        Deed::Leave { .. } => "Leave",
        Deed::Post { .. } => "Post",
        Deed::LogIn { .. } => "LogIn",
        Deed::Register { .. } => "Register",
        Deed::ChangePassword { .. } => "ChangePassword",
        Deed::Unregister { .. } => "Unregister",
        Deed::Moderate { .. } => "Moderate",
        Deed::Offer { .. } => "Offer",
        Deed::Claim { .. } => "Claim",
        Deed::Operate { .. } => "Operate",
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
    world: World,
    /// Over which connection each one does things.
    places: BTreeMap<SessionId, Place>,
}

impl Story {
    fn new(remembered_max: u32) -> Story {
        let mut story = Story { world: World::new(limits(remembered_max)), places: BTreeMap::new() };
        story.begin(remembered_max);
        story
    }

    /// A server begins: nobody has a connection.
    fn begin(&mut self, remembered_max: u32) {
        self.goes_on(Deed::Began { limits: limits(remembered_max) });
    }

    /// Each entry has a tag of its own.
    fn goes_on(&mut self, deed: Deed) -> SessionId {
        let seq = self.world.head().next();
        let place = deed.author().and_then(|by| self.places.get(&by)).copied().unwrap_or(place_of(seq));
        let tag = Tag(u32::try_from(seq.0).expect("the story is short"));
        let id = ProposalId { node: NodeId(0x41), number: seq.0 };
        let origin = Some(Origin { place, tag });
        let proposal = Proposal { id, origin, at: UnixMillis(0x1000 * seq.0), deed };
        self.world.fold(&Entry { seq, proposal });
        SessionId(seq)
    }

    fn comes(&mut self, name: &str) -> SessionId {
        let fresh = format!("the digest of {name}");
        let mut digest = [0; 32];
        digest[..fresh.len()].copy_from_slice(fresh.as_bytes());
        let fresh = TokenDigest(digest);
        // Whoever has it already is recognized by it.
        let presented = Some(fresh);
        let address = format!("192.0.2.1:{}", name.as_bytes()[0]).parse().expect("an address");
        let arrive = Deed::Arrive { name: user(name), presented, fresh, address };
        let came = self.goes_on(arrive);
        self.places.insert(came, place_of(came.0));
        came
    }

    fn comes_back(&mut self, session: SessionId, name: &str) {
        let came = self.comes(name);
        self.places.insert(session, place_of(came.0));
    }

    fn says(&mut self, by: SessionId, to: Conversation) {
        let id = PostId((u128::from(self.world.head().0) << 64 | 0x91).to_be_bytes());
        self.goes_on(Deed::Post { by, to, id, body: Body::parse("hi").expect("a message") });
    }

    fn goes(&mut self, session: SessionId) {
        self.goes_on(Deed::Depart { session });
    }
}

fn limits(remembered_max: u32) -> Limits {
    let keeps = Keeps::Days(0x86);
    Limits { groups_max: 9, memberships_max: 9, grace_ms: 0x83, held_max: 9, remembered_max, keeps }
}

fn place_of(entry: Seq) -> Place {
    Place { node: NodeId(0x41), connection: ConnectionId(entry.0) }
}

/// Somebody listens.
fn quiet_world() -> World {
    let mut story = Story::new(9);
    story.comes("Kim");
    story.goes_on(Deed::Offer { digest: TokenDigest([0xc1; 32]) });
    story.world
}

/// Everything that can be known of somebody is known of one of these.
fn eventful_world() -> World {
    let group = |name| GroupName::parse(name).expect("a name");
    let mut story = Story::new(1);
    let [sam, tom, kim] = ["Sam", "Tom", "Kim"].map(|name| story.comes(name));
    // A conversation with one who is forgotten.
    story.says(sam, Conversation::User(user("Kim")));
    story.goes(sam);
    story.goes_on(Deed::Create { by: tom, group: group("Cake") });
    story.goes_on(Deed::Join { by: tom, group: group("Cake") });
    story.goes(tom);

    // After a restart both who are left are back.
    story.begin(9);
    story.comes_back(tom, "Tom");
    story.comes_back(kim, "Kim");
    let [jim, ann, bob, eve, lea] = ["Jim", "Ann", "Bob", "Eve", "Lea"].map(|name| story.comes(name));
    story.goes_on(Deed::Create { by: jim, group: group("Tea") });
    for by in [jim, ann, ann] {
        story.goes_on(Deed::Join { by, group: group("Tea") });
    }
    story.says(jim, Conversation::Group(group("Tea")));
    story.says(ann, Conversation::User(user("Jim")));
    story.says(jim, Conversation::User(user("Ann")));
    story.goes_on(Deed::Leave { by: ann, group: group("Tea") });
    story.says(bob, Conversation::Group(GroupName::general()));
    story.says(kim, Conversation::Group(GroupName::general()));

    let moderate = |act| Deed::Moderate { by: jim, group: group("Tea"), act };
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
    let [registered, _] = [jim, kim].map(|by| story.goes_on(Deed::Register { by, password: hash() }));
    story.goes_on(Deed::Offer { digest: TokenDigest([0xc1; 32]) });
    story.goes_on(Deed::Claim { by: jim, digest: TokenDigest([0xc1; 32]) });
    let host = Whom::Host(Host::parse("10.0.0.1").expect("an address"));
    for act in [
        Operation::Appoint { user: user("Kim") },
        Operation::Ban { whom: host, seconds: None, reason: None },
        Operation::Ban { whom: Whom::User(user("Moe")), seconds: NonZeroU32::new(0xb1), reason: None },
    ] {
        story.goes_on(Deed::Operate { by: jim, act });
    }

    // One goes with ties, one with words, and one with nothing. One is written to behind her back, and one is lost.
    for session in [ann, bob, eve] {
        story.goes(session);
    }
    story.says(jim, Conversation::User(user("Ann")));
    // One comes with another device.
    let (fresh, address) = (TokenDigest([0x72; 32]), "192.0.2.2:1".parse().expect("an address"));
    story.goes_on(Deed::LogIn { name: user("jim"), password: registered.0, fresh, address });
    story.goes_on(Deed::Detach { session: lea, from: place_of(lea.0) });
    story.world
}

fn worlds() -> [(&'static str, World); 2] {
    [("The image of a quiet world", quiet_world()), ("The image of an eventful world", eventful_world())]
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
    lines.extend(worlds().iter().map(|(name, world)| line(name, &image(world))));
    lines
}

fn image(world: &World) -> Vec<u8> {
    codec::pack(world).expect("a world can be encoded")
}

/// The bytes that the file has under this name.
fn golden(name: &str) -> Vec<u8> {
    let found = LAYOUT.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
    let hex = found.unwrap_or_else(|| panic!("layout.txt has no line {name}"));
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits only");
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[test]
fn every_entry_takes_exactly_the_bytes_that_logs_have() {
    let golden: Vec<&str> =
        LAYOUT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let lines = lines();
    assert!(
        golden == lines,
        "Something has other bytes than layout.txt says: logs that were written until now can't be read any more. If \
         that is meant, it is another schema of the log, which needs a migration; the lines are now:\n{}\n",
        lines.join("\n")
    );
}

#[test]
fn the_bytes_that_logs_have_mean_what_they_meant() {
    for (name, entry) in entries() {
        let decoded: Entry = codec::decode(&golden(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, entry, "{name}");
    }
}

#[test]
fn an_image_is_read_as_the_world_that_it_was_and_written_as_it_was_read() {
    for (name, world) in worlds() {
        let bytes = golden(name);
        let decoded: World = codec::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, world, "{name}");
        assert_eq!(image(&decoded), bytes, "{name}");
    }
}

#[test]
fn no_deed_is_without_its_bytes() {
    let deeds = deeds();
    let missing = NAMES.iter().filter(|name| !deeds.iter().any(|(_, deed)| name_of(deed) == **name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
}
