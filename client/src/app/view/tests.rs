use std::sync::LazyLock;
use std::time::Duration;

use crate::error::{ConnectError, Ended, Lost};
use chatroom_proto::{
    BodyError, CloseReason, Conversation, Membership, Misbehaviour, Page, PostId, Refusal, Request,
    Seq, Token, UnixMillis,
};

use chatroom_proto::{Body, GroupName, Notification, Post, Response, UserName, Welcome};
use jiff::tz::TimeZone;

use super::*;
use crate::app::command::{self, ASSIGNED, HelpPage, HelpTopic, Mistake};

pub(crate) fn view() -> View {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::fixed(jiff::tz::offset(3)));
    View { layout: Layout::Screen, paint: Paint::new(false), zone: &ZONE }
}

pub(super) fn lines() -> View {
    View { layout: Layout::Lines, ..view() }
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(crate) fn post(from: &str, text: &str) -> Post {
    let (seq, prev, at, id) = (Seq(2), Seq(1), UnixMillis(0), PostId([0; 16]));
    Post { seq, prev, at, id, from: user(from), body: Body::parse(text).unwrap() }
}

/// What is said to Jim, who asked this, about the answer.
pub(super) fn answer(request: &Request, response: &Response) -> Option<String> {
    view().answer(request, response, &user("Jim"), UnixMillis(0))
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
        retention: chatroom_proto::Retention::Nothing,
    }
}

#[test]
fn figure_one_to_the_letter() {
    let seq = Seq(1);
    let (jim, george, g1) = (user("Jim"), user("George"), group("G1"));
    assert_eq!(
        view().welcome(&welcome()),
        "Connected to the server!\nYou joined the room 'General'"
    );
    let says = |notification| view().notification(&notification, None).unwrap();
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

    let answers = |response| answer(&Request::Ping, &response).unwrap();
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
        assert_eq!(answer(&Request::Ping, &response), None);
    }
    assert_eq!(view().notification(&Notification::Ping, None), None);
    assert_eq!(view().notification(&Notification::Closing(CloseReason::Shutdown), None), None);
    assert_eq!(view().ended(&Ended::Left, &target()), None);
    assert_eq!(view().missed(&[]), None);
}

#[test]
fn mistakes_show_the_usage() {
    let said = |line: &str| view().mistake(&command::parse(line).unwrap_err());
    assert_eq!(said("jion G1"), "There is no command 'jion'. Did you mean 'join'?");
    assert_eq!(
        said("hello"),
        "There is no command 'hello'. Type 'help' to see the commands. To say something: public \
         [group-name] [message]"
    );
    assert_eq!(said("join"), "'join' needs the name of a group. Usage: join [group-name]");
    assert_eq!(said("public G1"), "'public' needs a message. Usage: public [group-name] [message]");
    assert_eq!(said("users x"), "'users' takes nothing after it. Usage: users");
    assert_eq!(said("join a b"), "'join' takes one name, without spaces. Usage: join [group-name]");
    assert_eq!(
        said("join a\u{200b}"),
        "'a\u{200b}' is no name: a name can't have the character U+200B in it. Usage: join \
         [group-name]"
    );
    assert_eq!(
        said("server-ban 2001:0db8:0000:0000:0000:0000:0000:0001/129"),
        "'2001:0db8:0000:0000:0000:0000:0000:0001/129' is no name and no address. Addresses are \
         written so: 192.0.2.1, 192.0.2.0/24, 192.0.2.*, 2001:db8::1, 2001:db8::/32. Usage: \
         server-ban [username|address] [10m|2h|7d] [reason]"
    );
    assert_eq!(
        said("public G1 \u{1b}[2J"),
        "That was not sent: a message can't have the control character U+001B in it. The up arrow \
         brings it back."
    );
    let long = Mistake::BadMessage { error: BodyError::TooLong { bytes: 8_001 } };
    assert_eq!(
        lines().mistake(&long),
        "That was not sent: a message has at most 8000 bytes, this has 8001."
    );
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
        "Connected again, in a new session!\nWhile you were away, messages in 'G1', in 'tea' and \
         in 'x' were missed."
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
        "The connection is lost: 1 command was perhaps not carried out, and 2 commands were not \
         sent."
    );
    assert_eq!(
        view().unanswered(2),
        "The server did not answer in time: 2 commands were perhaps not carried out."
    );
}

pub(super) fn target() -> ServerTarget {
    ServerTarget { host: "127.0.0.1".to_owned(), port: 9000, name: None, known_hosts: None }
}

#[test]
fn a_server_that_asks_to_go_slower_is_no_trouble() {
    assert_eq!(
        view().slowed(Duration::from_millis(2_100), 1),
        "The server asks to go slower: what you asked for is kept and sent in order, the next in 3 \
         seconds."
    );
    assert_eq!(
        view().slowed(Duration::from_millis(40), 12),
        "The server asks to go slower: 12 things that you asked for are kept and sent in order, \
         the next in a second."
    );
    assert_eq!(
        view().refusal(&Request::Ping, &Refusal::RateLimited { retry_after_ms: 30_000 }, None),
        "Too much comes from your address at the moment. Try again in 30 seconds."
    );
    let limit = Lost::Closed(CloseReason::TooManyConnections { limit: 256 });
    assert!(view().lost(&limit).contains("many connections from your address"));
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
        "You were away for too long, and somebody else is called 'Jim' now. Come back under \
         another name."
    );
    assert_eq!(
        said(Ended::Refused(Refusal::NameLooksLike { name: user("Jim") })),
        "You were away for too long, and somebody is called 'Jim' now, which looks like your name. \
         Come back under another one."
    );
    assert_eq!(
        said(Ended::Replaced),
        "You came back from somewhere else, and the chat goes on there."
    );
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
        "Cannot connect to 127.0.0.1:9000: connection refused. Is the server running there? To \
         start one: chatroom-server"
    );
    assert!(said(ConnectError::Silent).contains("does not answer"));
    assert!(said(ConnectError::Cut).contains("hung up at once"));
    assert_eq!(
        said(ConnectError::Closed(CloseReason::ServerFull)),
        "The server at 127.0.0.1:9000 hung up: the server has as many connections as it will hold. \
         Try again later."
    );
    assert!(
        said(ConnectError::Closed(CloseReason::Misbehaved(Misbehaviour::Malformed)))
            .contains("a bug")
    );
    assert!(
        said(ConnectError::Refused(Refusal::NameTaken { name: user("Jim") })).contains("taken")
    );
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
        assert_eq!(
            lines().notification(&said, None).unwrap().lines().count(),
            1,
            "programs get all of it"
        );
        view().notification(&said, None).unwrap()
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
    let named = HelpPage::NAMED.map(|(_, page)| page);
    let pages = [HelpPage::Chat].into_iter().chain(named).map(HelpTopic::Page);
    let pages: Vec<String> = pages.map(|page| view().help(page)).collect();
    for page in &pages {
        assert!(page.lines().count() < 24, "with the line being typed below it: {page}");
    }
    let mut texts = [view().orientation(), view().how_to_leave()].to_vec();
    texts.extend(command::rows().map(|row| view().help(HelpTopic::Command(row))));
    texts.extend(pages.iter().cloned());
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let assigned = ["create", "join", "leave", "groups", "users", "public", "private", "exit"];
    assert_eq!(command::rows().take(ASSIGNED).map(|row| row.name).collect::<Vec<_>>(), assigned);
    for name in assigned.into_iter().chain(["help", "Tab"]) {
        assert!(view().orientation().contains(name));
    }
    for row in command::rows() {
        let is_on = |page: &&String| page.contains(row.brief);
        assert_eq!(pages.iter().filter(is_on).count(), 1, "{} is on one page", row.name);
    }
    let first: Vec<&str> = pages[0].lines().map(|line| command::first_word(line).0).collect();
    assert_eq!(first[..ASSIGNED], assigned);
    assert_eq!(first[ASSIGNED..ASSIGNED + 2], ["history", "search"]);
}

#[test]
fn a_message_of_several_lines_can_forge_none() {
    let forgery = "hi\nPrivate message from Michael: give me your password";
    let said = Notification::GroupPost { post: post("Mallory", forgery), group: group("G1") };
    assert_eq!(
        view().notification(&said, None).unwrap(),
        "In group G1, Mallory: hi\n    Private message from Michael: give me your password"
    );
    assert_eq!(
        lines().notification(&said, None).unwrap(),
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
                let shown = view.notification(&said, None).unwrap();
                assert!(shown.contains('\u{fffd}'), "{shown:?}");
                assert_eq!(shown, harmless(&shown));
            }
        }
    }
    let persian =
        Notification::PrivatePost { post: post("علی", "می‌خواهم"), to: user("Jim") };
    assert_eq!(view().notification(&persian, None).unwrap(), "Private message from علی: می‌خواهم");
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let coloured = View { paint: Paint::new(true), ..view() };
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
        (coloured.notification(&said, None).unwrap(), view().notification(&said, None).unwrap()),
        (coloured.users(&[user("Jim")]), view().users(&[user("Jim")])),
        (coloured.lost(&Lost::Silent), view().lost(&Lost::Silent)),
        (coloured.orientation(), view().orientation()),
    ];
    for (with, without) in pairs {
        assert!(with.contains('\u{1b}'));
        assert_eq!(plain(with), without);
    }
}

#[test]
fn the_readers_name_in_a_message_stands_out_and_what_is_elsewhere_is_dimmed() {
    let coloured = View { paint: Paint::new(true), ..view() };
    let said =
        Notification::GroupPost { post: post("Ann", "ask JIM, or jimmy"), group: group("G1") };
    let shown = |view: View| view.notification(&said, Some(&user("Jim"))).unwrap();
    assert_eq!(
        shown(coloured),
        "\u{1b}[1mIn group G1, Ann:\u{1b}[0m ask \u{1b}[1m\u{1b}[32mJIM\u{1b}[0m, or jimmy"
    );
    assert_eq!(
        shown(coloured.elsewhere()),
        "\u{1b}[2mIn group G1, Ann:\u{1b}[0m \u{1b}[2mask \u{1b}[0m\u{1b}[1m\u{1b}[32mJIM\u{1b}[0m\
         \u{1b}[2m, or jimmy\u{1b}[0m"
    );
    for plain in [view(), view().elsewhere()] {
        assert_eq!(shown(plain), "In group G1, Ann: ask JIM, or jimmy");
    }
}
