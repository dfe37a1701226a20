use std::sync::LazyLock;

use chatroom_client::trust::{Acquaintance, Known};
use chatroom_client::{ConnectError, Ended, Lost, Untrusted};
use chatroom_proto::{
    BodyError, CloseReason, Membership, Misbehaviour, Page, PostId, Seq, Token, UnixMillis, VersionRange,
};
use chatroom_proto::{Conversation, Fingerprint};

use super::*;
use crate::command;

pub(super) fn view() -> View {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::fixed(jiff::tz::offset(3)));
    View { layout: Layout::Screen, paint: Paint { colours: false }, zone: &ZONE }
}

pub(super) fn lines() -> View {
    View { layout: Layout::Lines, ..view() }
}

pub(super) fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

pub(super) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(super) fn post(from: &str, text: &str) -> Post {
    let (seq, prev, at, id) = (Seq(2), Seq(1), UnixMillis(0), PostId([0; 16]));
    Post { seq, prev, at, id, from: user(from), body: Body::parse(text).unwrap() }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        name: user("Jim"),
        token: Token([0; 32]),
        resumed: false,
        grace_ms: 0,
        seq: Seq(1),
        groups: Page::fill([Membership { group: group("General"), head: Seq(0) }]),
        keeps: chatroom_proto::Keeps::Nothing,
    }
}

fn refused(refusal: &Refusal) -> String {
    view().refusal(&Request::Join { group: group("x") }, refusal, None)
}

#[test]
fn figure_one_to_the_letter() {
    let seq = Seq(1);
    let (jim, george, g1) = (user("Jim"), user("George"), group("G1"));
    assert_eq!(view().welcome(&welcome()), "Connected to the server!\nYou joined the room 'General'");
    let says = |notification| view().notification(&notification).unwrap();
    let arrived = Notification::Arrived { seq, user: george, group: group("General") };
    assert_eq!(says(arrived), "George joined the room 'General'");
    let joined = Notification::Joined { seq, user: user("Michael"), group: g1.clone() };
    assert_eq!(says(joined), "Michael has joined in group chat 'G1'.");
    let left = Notification::Left { seq, user: jim.clone(), group: g1.clone() };
    assert_eq!(says(left), "Jim has left group chat 'G1'.");
    let public = Notification::GroupPost { post: post("Michael", "Not much!"), group: g1.clone() };
    assert_eq!(says(public), "In group G1, Michael: Not much!");
    let private = Notification::PrivatePost { post: post("Michael", "sure"), to: jim.clone() };
    assert_eq!(says(private), "Private message from Michael: sure");
    assert_eq!(says(Notification::Departed { seq, user: jim.clone() }), "Jim has left the chat.");

    let answers = |response| view().response(&response).unwrap();
    let created = Response::Created { seq, group: g1.clone() };
    assert_eq!(answers(created), "New group chat with name 'G1' has created successfully!");
    let joined = Response::Joined { seq, membership: Membership { group: g1.clone(), head: seq } };
    assert_eq!(answers(joined), "You have joined in group chat 'G1' successfully!");
    let left = Response::Left { seq, group: g1.clone() };
    assert_eq!(answers(left), "You have left group chat 'G1' successfully!");
    assert_eq!(answers(Response::Welcome(welcome())), view().welcome(&welcome()));
    assert_eq!(view().users(&[jim, user("George")]), "online users:\nJim\nGeorge");
    assert_eq!(view().groups(&[group("General"), g1]), "available groups:\nGeneral\nG1");
}

#[test]
fn what_shows_itself_or_is_the_links_business_is_not_said() {
    for response in [
        Response::Posted { seq: Seq(1), at: UnixMillis(0) },
        Response::Goodbye,
        Response::Pong,
        Response::Groups { groups: Page::fill([]), next: None },
        Response::Users { users: Page::fill([]), next: None },
    ] {
        assert_eq!(view().response(&response), None);
    }
    assert_eq!(view().notification(&Notification::Ping), None);
    assert_eq!(view().notification(&Notification::Closing(CloseReason::Shutdown)), None);
    assert_eq!(view().ended(&Ended::Left, &target()), None);
    assert_eq!(view().missed(&[]), None);
}

#[test]
fn every_refusal_says_what_happened_and_what_to_do() {
    let g1 = || group("G1");
    assert_eq!(
        refused(&Refusal::GroupExists { group: g1() }),
        "There is already a group chat with name 'G1'. To become a member: join G1"
    );
    assert_eq!(
        refused(&Refusal::NoSuchGroup { group: group("nope") }),
        "There is no group chat with name 'nope'. Type 'groups' to see what there is, or 'create nope' to make it."
    );
    assert_eq!(
        refused(&Refusal::AlreadyMember { group: g1() }),
        "You are already in group chat 'G1'. To say something: public G1 [message]"
    );
    assert_eq!(
        refused(&Refusal::NotMember { group: g1() }),
        "You are not in group chat 'G1'; join it first: join G1"
    );
    assert_eq!(
        refused(&Refusal::NoSuchUser { name: user("Jom") }),
        "There is no user with name 'Jom'. Type 'users' to see who is online."
    );
    assert_eq!(
        refused(&Refusal::TooManyGroups { limit: 9 }),
        "The server holds 9 group chats, and that is all it will. Type 'groups' to see them, and join one."
    );
    assert_eq!(
        refused(&Refusal::TooManyMemberships { limit: 9 }),
        "You are in 9 group chats, and nobody can be in more. Leave one first: leave [group-name]"
    );
    assert_eq!(
        refused(&Refusal::NameTaken { name: user("Jim") }),
        "The name 'Jim' is taken. Choose another one. If that was you a moment ago: half a minute after a connection \
         is lost, its name is free again."
    );
    assert_eq!(
        refused(&Refusal::NotRegistered { name: user("Jim") }),
        "The name 'Jim' is not registered, so it has no password. To make it yours: register"
    );
    assert_eq!(
        refused(&Refusal::PasswordNeeded { name: user("Jim") }),
        "The name 'Jim' belongs to somebody who has registered it. If that is you, its password is needed \
         (--password-file FILE); otherwise choose another name."
    );
    assert_eq!(
        refused(&Refusal::WrongPassword { name: user("Jim") }),
        "That is not the password of 'Jim'. Try again, or choose another name."
    );
    assert_eq!(
        refused(&Refusal::TooManyTries { retry_after_ms: 1_001 }),
        "Too many passwords were tried. Try again in 2 s."
    );
    assert_eq!(
        refused(&Refusal::AlreadyRegistered { name: user("Jim") }),
        "The name 'Jim' is yours already. For another password: passwd"
    );
    assert!(refused(&Refusal::PasswordInTheOpen).contains("--tls"));
}

#[test]
fn a_refusal_names_what_was_meant() {
    let request = Request::Join { group: group("Generl") };
    let refusal = Refusal::NoSuchGroup { group: group("Generl") };
    assert_eq!(
        view().refusal(&request, &refusal, Some("General")),
        "There is no group chat with name 'Generl'. Did you mean 'General'?"
    );
    let refusal = Refusal::NoSuchUser { name: user("Jom") };
    assert_eq!(
        view().refusal(&request, &refusal, Some("Jim")),
        "There is no user with name 'Jom'. Did you mean 'Jim'?"
    );
    let leave = Request::Leave { group: group("G1") };
    assert_eq!(
        view().refusal(&leave, &Refusal::NotMember { group: group("G1") }, None),
        "You are not in group chat 'G1', so there is nothing to leave."
    );
}

#[test]
fn versions_that_do_not_meet_are_named() {
    let version = |min, max| VersionRange::try_from((min, max)).unwrap();
    assert_eq!(
        refused(&Refusal::UnsupportedVersion { server: version(2, 3) }),
        "This server speaks version 2 to 3 of the protocol, this program version 1. Get a newer version of this \
         program."
    );
    assert_eq!(
        refused(&Refusal::UnsupportedVersion { server: version(0, 0) }),
        "This server speaks version 0 of the protocol, this program version 1. Get an older version of this \
         program, or update the server."
    );
}

#[test]
fn mistakes_show_the_usage() {
    let said = |line: &str| view().mistake(&command::parse(line).unwrap_err());
    assert_eq!(said("jion G1"), "There is no command 'jion'. Did you mean 'join'?");
    assert_eq!(
        said("hello"),
        "There is no command 'hello'. Type 'help' to see the commands. To say something: public [group-name] \
         [message]"
    );
    assert_eq!(said("join"), "'join' needs the name of a group. Usage: join [group-name]");
    assert_eq!(said("public G1"), "'public' needs a message. Usage: public [group-name] [message]");
    assert_eq!(said("users x"), "'users' takes nothing after it. Usage: users");
    assert_eq!(said("join a b"), "'join' takes one name, without spaces. Usage: join [group-name]");
    assert_eq!(
        said("join a\u{200b}"),
        "'a\u{200b}' is no name: a name can't have the character U+200B in it. Usage: join [group-name]"
    );
    assert_eq!(
        said("public G1 \u{1b}[2J"),
        "That was not sent: a message can't have the control character U+001B in it. The up arrow brings it back."
    );
    let long = Mistake::BadMessage { error: BodyError::TooLong { bytes: 8_001 } };
    assert_eq!(lines().mistake(&long), "That was not sent: a message has at most 8000 bytes, this has 8001.");
}

#[test]
fn the_way_out_and_back_is_said() {
    assert_eq!(view().lost(&Lost::HungUp), "Connection lost; reconnecting...");
    assert_eq!(
        view().lost(&Lost::Closed(CloseReason::Shutdown)),
        "Connection lost; reconnecting... (the server is going down)"
    );
    assert_eq!(
        view().lost(&Lost::Overrun),
        "Connection lost; reconnecting... (what came was not read fast enough)"
    );
    assert_eq!(view().back(true, &[]), "Connected again!");
    assert_eq!(
        view().back(false, &[group("G1"), group("tea"), group("x")]),
        "Connected again, in a new session!\nWhile you were away, messages in 'G1', in 'tea' and in 'x' were missed."
    );
    assert_eq!(
        view().missed(&[Conversation::User(user("Jim"))]).unwrap(),
        "While you were away, messages from 'Jim' were missed."
    );
    assert_eq!(
        view().not_rejoined(&group("G1"), &Refusal::NoSuchGroup { group: group("G1") }),
        "Group chat 'G1' is gone: the server no longer has it. To make it again: create G1"
    );
    let limit = view().not_rejoined(&group("G1"), &Refusal::TooManyMemberships { limit: 3 });
    assert!(limit.starts_with("You are no longer in group chat 'G1'.\nYou are in 3 group chats"));
}

#[test]
fn what_was_not_done_is_told_to_one_who_leaves() {
    assert_eq!(view().undone(0, 0), None);
    assert_eq!(view().undone(0, 1).unwrap(), "The connection is lost: 1 command was not sent.");
    assert_eq!(
        view().undone(1, 2).unwrap(),
        "The connection is lost: 1 command was perhaps not carried out, and 2 commands were not sent."
    );
    assert_eq!(
        view().unanswered(2),
        "The server did not answer in time: 2 commands were perhaps not carried out."
    );
}

fn target() -> Target {
    Target { host: "127.0.0.1".to_owned(), port: 9000, name: None, known_hosts: None }
}

#[test]
fn a_changed_key_is_told_with_both_fingerprints_and_the_command_that_accepts_the_new_one() {
    let (old, new) = (Fingerprint::of(b"old"), Fingerprint::of(b"new"));
    let changed = Untrusted::KeyChanged { known: Known::Key(old), offered: new };
    let at = Target {
        host: "chat.example".to_owned(),
        name: Some("it's".to_owned()),
        known_hosts: Some("my hosts".to_owned()),
        ..target()
    };
    let said = view().untrusted(&changed, &at);
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].contains("THE SERVER AT chat.example:9000 HAS ANOTHER KEY THAN BEFORE!"), "{said}");
    assert_eq!(lines[1..3], [format!("before: {old}"), format!("now:    {new}")]);
    let command =
        format!(r"chatroom --accept-key {new} --known-hosts 'my hosts' chat.example 9000 'it'\''s'");
    assert_eq!(lines[4], command);
    assert_eq!(view().ended(&Ended::Untrusted(changed), &at), Some(said));
}

#[test]
fn whatever_is_not_trusted_is_told_with_what_to_do() {
    let said = |untrusted| view().connect_error(&ConnectError::Untrusted(untrusted), &target());
    assert!(said(Untrusted::NotTls).contains("127.0.0.1:9000 does not speak TLS"));
    assert!(said(Untrusted::NotTls).contains("--plaintext"));
    assert!(said(Untrusted::TlsRequired).contains("use --tls"));
    assert!(said(Untrusted::NoProof).contains("can't prove"));
    assert!(said(Untrusted::Failed("a\u{1b}b".to_owned())).contains("a\u{fffd}b"));
    let unreadable = Untrusted::Unreadable { file: "known".into(), why: "line 3 is damaged".to_owned() };
    assert!(said(unreadable).contains("known can't be read: line 3 is damaged. Mend the file"));
    let (accepted, offered) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
    let not_accepted = said(Untrusted::NotAccepted { accepted, offered });
    assert!(not_accepted.contains(&accepted.to_string()) && not_accepted.contains(&offered.to_string()));
}

#[test]
fn a_new_server_is_told_with_its_fingerprint() {
    let fingerprint = Fingerprint::of(b"a key");
    let mut with = Acquaintance {
        host: "chat.example".to_owned(),
        port: 9000,
        fingerprint,
        before: None,
        trouble: None,
    };
    let said = view().acquainted(&with, Some("known_hosts"));
    let new = format!("The server at chat.example:9000 is new here. Its fingerprint is {fingerprint}");
    assert_eq!(said.lines().next(), Some(&*new));
    with.trouble = Some("no room".to_owned());
    assert!(view().acquainted(&with, Some("known_hosts")).contains("can't be kept in known_hosts: no room."));
}

#[test]
fn every_end_has_its_words() {
    let said = |ended: Ended| view().ended(&ended, &target()).unwrap();
    assert_eq!(
        said(Ended::GaveUp(Lost::Closed(CloseReason::TooSlow))),
        "The connection is lost for good: what came was not read fast enough."
    );
    assert_eq!(
        said(Ended::Refused(Refusal::NameTaken { name: user("Jim") })),
        "You were away for too long, and somebody else is called 'Jim' now. Come back under another name."
    );
    assert_eq!(said(Ended::Replaced), "You came back from somewhere else, and the chat goes on there.");
    assert!(said(Ended::Misbehaved(Misbehaviour::HelloAgain)).contains("hello again"));
    assert!(said(Ended::Garbled("a\u{1b}b".to_owned())).contains("a\u{fffd}b"));
    for lost in [Lost::HungUp, Lost::Silent, Lost::Failed(std::io::ErrorKind::ConnectionReset)] {
        assert!(said(Ended::GaveUp(lost)).starts_with("The connection is lost for good: "));
    }
}

#[test]
fn every_failure_to_connect_has_its_words() {
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let said = |error| view().connect_error(&error, &target());
    assert_eq!(
        said(ConnectError::Unreachable(refused)),
        "Cannot connect to 127.0.0.1:9000: connection refused. Is the server running there? To start one: \
         chatroom-server"
    );
    assert!(said(ConnectError::Silent).contains("does not answer"));
    assert!(said(ConnectError::Cut).contains("hung up at once"));
    assert_eq!(
        said(ConnectError::Closed(CloseReason::ServerFull)),
        "The server at 127.0.0.1:9000 hung up: the server has as many connections as it will hold. Try again later."
    );
    assert!(said(ConnectError::Closed(CloseReason::Misbehaved(Misbehaviour::Malformed))).contains("a bug"));
    assert!(said(ConnectError::Refused(Refusal::NameTaken { name: user("Jim") })).contains("taken"));
    assert!(said(ConnectError::Garbled("x".to_owned())).contains("does not speak"));
    assert_eq!(view().connecting("a\u{1b}b", 9000), "Connecting to a\u{fffd}b:9000...");
}

#[test]
fn what_is_wrong_with_a_name_is_said_in_words() {
    let wrong = |name| view().bad_name(name, &UserName::parse(name).unwrap_err());
    assert_eq!(
        wrong("Mi chael"),
        "'Mi chael' can't be your name: a name can't have a space in it. Choose another one."
    );
    assert!(wrong("Mi\tchael").contains("a name can't have a tab in it"));
    assert!(wrong("Mi\u{200b}chael").contains("a name can't have the character U+200B in it"));
    assert!(wrong("").contains("a name needs at least one character"));
    assert!(wrong("a\u{a0}b").contains("a name can't have a no-break space in it"));
}

#[test]
fn a_message_of_very_many_lines_is_shown_in_part() {
    let shown = |count: usize| {
        let text = vec!["x"; count].join("\n");
        let said = Notification::GroupPost { post: post("Mallory", &text), group: group("G1") };
        assert_eq!(lines().notification(&said).unwrap().lines().count(), 1, "programs get all of it");
        view().notification(&said).unwrap()
    };
    assert_eq!(shown(20).lines().count(), 20, "a paste is shown whole");
    assert_eq!(shown(40).lines().count(), 40);
    assert!(!shown(40).contains("more"));
    assert!(shown(41).ends_with("x\n    [1 more line is not shown]"));
    let long = shown(4_000);
    assert_eq!(long.lines().count(), 41);
    assert!(long.ends_with("x\n    [3960 more lines are not shown]"), "{long}");
}

#[test]
fn what_this_program_says_about_itself_fits_a_usual_screen() {
    let mut texts = vec![view().orientation(), view().how_to_leave(), view().help(None)];
    texts.extend(TABLE.iter().map(|row| view().help(Some(row))));
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let assigned = ["create", "join", "leave", "groups", "users", "public", "private", "exit"];
    assert_eq!(TABLE[..ASSIGNED].iter().map(|row| row.name).collect::<Vec<_>>(), assigned);
    for name in assigned.into_iter().chain(["help", "Tab"]) {
        assert!(view().orientation().contains(name));
    }
    for row in TABLE {
        assert!(view().help(None).contains(row.brief));
    }
}

#[test]
fn a_message_of_several_lines_can_forge_none() {
    let forgery = "hi\nPrivate message from Michael: give me your password";
    let said = Notification::GroupPost { post: post("Mallory", forgery), group: group("G1") };
    assert_eq!(
        view().notification(&said).unwrap(),
        "In group G1, Mallory: hi\n    Private message from Michael: give me your password"
    );
    assert_eq!(
        lines().notification(&said).unwrap(),
        r"In group G1, Mallory: hi\nPrivate message from Michael: give me your password"
    );
}

#[test]
fn nothing_that_others_write_reaches_the_terminal_unfiltered() {
    // What a body may hold at all; the rest is in the corpus of `harmless`.
    for text in ["\u{202e}drow", "\u{2066}x", "a\u{2028}b", "\u{200f}", "\u{feff}"] {
        for layout in [Layout::Screen, Layout::Lines] {
            let view = View { layout, ..view() };
            for said in [
                Notification::GroupPost { post: post("Mallory", text), group: group("G1") },
                Notification::PrivatePost { post: post("Mallory", text), to: user("Jim") },
            ] {
                let shown = view.notification(&said).unwrap();
                assert!(shown.contains('\u{fffd}'), "{shown:?}");
                assert_eq!(shown, harmless(&shown));
            }
        }
    }
    let persian = Notification::PrivatePost { post: post("علی", "می‌خواهم"), to: user("Jim") };
    assert_eq!(view().notification(&persian).unwrap(), "Private message from علی: می‌خواهم");
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let coloured = View { paint: Paint { colours: true }, ..view() };
    let plain = |text: String| {
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    };
    let said = Notification::GroupPost { post: post("Ann", "hi"), group: group("G1") };
    let pairs = [
        (coloured.welcome(&welcome()), view().welcome(&welcome())),
        (coloured.notification(&said).unwrap(), view().notification(&said).unwrap()),
        (coloured.users(&[user("Jim")]), view().users(&[user("Jim")])),
        (coloured.lost(&Lost::Silent), view().lost(&Lost::Silent)),
        (coloured.orientation(), view().orientation()),
    ];
    for (with, without) in pairs {
        assert!(with.contains('\u{1b}'));
        assert_eq!(plain(with), without);
    }
}
