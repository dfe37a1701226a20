use chatroom_proto::{
    AddressNetwork, AddressPrefix, BanTarget, BodyError, Conversation, GroupName, LineError,
    Moderation, NameError, Operation, PostId, Request, SearchQueryError, Seq, UserName,
};

use super::meant::{ELSEWHERE, meant};
use super::*;

fn group_name(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

type Parsed = Result<Option<TypedCommand>, Mistake>;

fn asks(request: Request) -> Parsed {
    Ok(Some(TypedCommand::Ask(request)))
}

fn history(of: Conversation, count: u16) -> Parsed {
    asks(Request::History { of, before: Seq::ZERO, count })
}

fn message(line: &str) -> String {
    match parse(line).unwrap().unwrap() {
        TypedCommand::Say(_, body) => body.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_eight_commands_and_help_are_read_in_any_case() {
    assert_eq!(parse("create G1"), asks(Request::Create { group: group_name("G1") }));
    assert_eq!(parse("  JOIN\tG1 "), asks(Request::Join { group: group_name("G1") }));
    assert_eq!(parse("Leave G1"), asks(Request::Leave { group: group_name("G1") }));
    assert_eq!(parse("groups"), asks(Request::Groups { after: Seq::ZERO }));
    assert_eq!(parse("users "), asks(Request::Users { after: Seq::ZERO }));
    assert_eq!(parse("exit"), Ok(Some(TypedCommand::Exit)));
    let help = |topic| Ok(Some(TypedCommand::Help(topic)));
    assert_eq!(parse("help"), help(HelpTopic::Page(HelpPage::Chat)));
    assert_eq!(parse("help Join"), help(HelpTopic::Command(row("join").unwrap())));
    for (name, page) in HelpPage::NAMED {
        assert_eq!(parse(&format!("help {name}")), help(HelpTopic::Page(page)));
    }
    assert_eq!(message("public G1 Hey Michael, What's up?"), "Hey Michael, What's up?");
    assert_eq!(message("private George sure"), "sure");
}

#[test]
fn a_blank_line_asks_for_nothing() {
    for line in ["", " ", "\t \n"] {
        assert_eq!(parse(line), Ok(None));
    }
}

#[test]
fn a_message_is_the_rest_of_the_line_to_the_character() {
    assert_eq!(message("public G1   two  spaces  "), "two  spaces  ");
    assert_eq!(message("public G1 a\tb"), "a    b");
    assert_eq!(message("public G1 one\r\ntwo\rthree\nfour"), "one\ntwo\nthree\nfour");
    assert_eq!(message("public G1\nfirst\n  second"), "first\n  second");
    assert_eq!(message("private علی سلام، می‌خواهم"), "سلام، می‌خواهم");
}

#[test]
fn what_is_missing_or_too_much_is_said_with_the_row() {
    let missing = |name, what| Err(Mistake::Missing { row: row(name).unwrap(), what });
    assert_eq!(parse("join"), missing("join", "the name of a group"));
    assert_eq!(parse("public"), missing("public", "the name of a group"));
    assert_eq!(parse("public G1  "), missing("public", "a message"));
    assert_eq!(parse("private"), missing("private", "the name of a user"));
    let too_much = |name| Err(Mistake::TooMuch { row: row(name).unwrap() });
    assert_eq!(parse("join a b"), too_much("join"));
    assert_eq!(parse("exit now"), too_much("exit"));
    assert_eq!(parse("users\nexit"), too_much("users"));
    assert_eq!(parse("help a b"), too_much("help"));
}

#[test]
fn a_history_is_of_a_group_or_of_a_person_and_of_any_moderate_length() {
    let tea = || Conversation::Group(group_name("tea"));
    let jim = Conversation::User(UserName::parse("Jim").unwrap());
    assert_eq!(parse("history tea"), history(tea(), 20));
    assert_eq!(parse("history tea 1000"), history(tea(), 1_000));
    assert_eq!(parse("History @Jim 3"), history(jim, 3));
    for count in ["0", "1001", "-1", "all", "70000"] {
        let row = row("history").unwrap();
        let bad = Mistake::BadCount { row, count: count.to_owned() };
        assert_eq!(parse(&format!("history tea {count}")), Err(bad));
    }
    assert!(matches!(parse("history"), Err(Mistake::Missing { .. })));
    assert!(matches!(parse("history @"), Err(Mistake::BadName { .. })));
    assert!(matches!(parse("history tea 3 4"), Err(Mistake::TooMuch { .. })));
}

#[test]
fn a_message_to_delete_is_the_last_or_has_the_number_that_history_shows() {
    assert_eq!(parse("delete last"), Ok(Some(TypedCommand::DeleteLast)));
    assert_eq!(parse("Delete LAST"), Ok(Some(TypedCommand::DeleteLast)));
    for line in ["delete 4711", "delete #4711"] {
        assert_eq!(parse(line), asks(Request::Delete { post: Seq(4711) }));
    }
    let row = row("delete").unwrap();
    for post in ["0", "#", "##1", "+1", "-1", "first", "99999999999999999999"] {
        let bad = Mistake::BadPost { row, post: post.to_owned() };
        assert_eq!(parse(&format!("delete {post}")), Err(bad), "{post}");
    }
    assert!(matches!(parse("delete"), Err(Mistake::Missing { .. })));
    assert!(matches!(parse("delete 1 2"), Err(Mistake::TooMuch { .. })));
}

#[test]
fn a_search_ends_with_a_group_only_where_one_can_be_meant() {
    let found = |line: &str| match parse(line) {
        Ok(Some(TypedCommand::Ask(Request::Search { words, within, .. }))) => {
            (words.as_str().to_owned(), within.map(|group| group.to_string()))
        }
        other => panic!("{line}: {other:?}"),
    };
    let expect = |words: &str, within: Option<&str>| (words.to_owned(), within.map(str::to_owned));
    assert_eq!(found("search green  tea"), expect("green  tea", None));
    assert_eq!(found("search green tea in Kitchen"), expect("green tea", Some("Kitchen")));
    assert_eq!(found("search tea IN Kitchen "), expect("tea", Some("Kitchen")));
    assert_eq!(found("search in Kitchen"), expect("in Kitchen", None));
    assert_eq!(found("search tea in"), expect("tea in", None));
    let no_name = "x".repeat(33);
    assert_eq!(
        found(&format!("search tea in {no_name}")),
        expect(&format!("tea in {no_name}"), None)
    );
    assert!(matches!(parse("search "), Err(Mistake::Missing { .. })));
    let long = format!("search {}", "x".repeat(300));
    assert_eq!(
        parse(&long),
        Err(Mistake::BadWords { error: SearchQueryError::TooLong { bytes: 300 } })
    );
}

#[test]
fn bad_names_and_messages_are_stopped_here() {
    assert!(matches!(
        parse(&format!("join {}", "x".repeat(33))),
        Err(Mistake::BadName { error: NameError::TooLong { chars: 33 }, .. })
    ));
    assert!(matches!(
        parse("public G1 bell\u{7}"),
        Err(Mistake::BadMessage { error: BodyError::Control('\u{7}'), .. })
    ));
    assert!(matches!(
        parse(&format!("public G1 {}", "x".repeat(8_001))),
        Err(Mistake::BadMessage { error: BodyError::TooLong { bytes: 8_001 }, .. })
    ));
}

#[test]
fn an_unknown_command_comes_with_the_one_that_was_meant() {
    let unknown = |word: &str, meant| Err(Mistake::UnknownCommand { word: word.to_owned(), meant });
    assert_eq!(parse("jion G1"), unknown("jion", Some("join")));
    assert_eq!(parse("PUBLC x y"), unknown("PUBLC", Some("public")));
    assert_eq!(parse("hello everybody"), unknown("hello", None));
    assert_eq!(parse("help user"), unknown("user", Some("users")));
}

#[test]
fn a_message_gets_its_identity_when_it_is_sent() {
    let id = PostId([7; 16]);
    let Some(Request::Private { id: sent, .. }) =
        parse("private Ann hi").unwrap().unwrap().into_request(id)
    else {
        panic!("private is a request");
    };
    assert_eq!(sent, id);
}

#[test]
fn what_this_program_does_itself_asks_the_server_nothing() {
    for line in ["help", "ignore", "ignore Jim", "unignore Jim", "exit", "register"] {
        assert_eq!(parse(line).unwrap().unwrap().into_request(PostId([0; 16])), None, "{line}");
    }
}

fn act(line: &str) -> Moderation {
    match parse(line) {
        Ok(Some(TypedCommand::Ask(Request::Moderate { group, act }))) if group.as_str() == "G1" => {
            act
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn moderation_names_a_group_a_person_and_sometimes_a_time_and_a_reason() {
    let user = || UserName::parse("Jim").unwrap();
    let reason = |text| Some(chatroom_proto::Reason::parse(text).unwrap());
    let seconds = std::num::NonZeroU32::new;
    assert_eq!(act("kick G1 Jim"), Moderation::Kick { user: user(), reason: None });
    assert_eq!(
        act("kick G1 Jim so much spam "),
        Moderation::Kick { user: user(), reason: reason("so much spam") }
    );
    assert_eq!(act("ban G1 Jim"), Moderation::Ban { user: user(), seconds: None, reason: None });
    for (time, count) in
        [("30s", 30), ("10m", 600), ("2h", 7_200), ("7D", 604_800), ("1w", 604_800)]
    {
        let ban = Moderation::Ban { user: user(), seconds: seconds(count), reason: reason("spam") };
        assert_eq!(act(&format!("ban G1 Jim {time} spam")), ban);
    }
    assert_eq!(
        act("mute G1 Jim 1h"),
        Moderation::Mute { user: user(), seconds: seconds(3_600), reason: None }
    );
    assert_eq!(
        act("mute G1 Jim later"),
        Moderation::Mute { user: user(), seconds: None, reason: reason("later") }
    );
    assert_eq!(act("unban G1 Jim"), Moderation::Unban { user: user() });
    assert_eq!(act("lock G1"), Moderation::Lock);
    assert_eq!(act("op G1 Jim"), Moderation::Op { user: user() });
    assert!(matches!(act("topic G1 Tea and cake"), Moderation::Topic { topic: Some(_) }));
    assert_eq!(act("topic G1 -"), Moderation::Topic { topic: None });
}

#[test]
fn a_slip_in_a_time_bans_nobody_for_good() {
    for time in ["10", "10min", "0m", "99999999w", "1.5h", "3rd"] {
        let row = row("ban").unwrap();
        let bad = Mistake::BadDuration { row, duration: time.to_owned() };
        assert_eq!(parse(&format!("ban G1 Jim {time}")), Err(bad));
    }
    assert!(matches!(parse("ban G1"), Err(Mistake::Missing { what: "the name of a user", .. })));
    assert!(matches!(parse("topic G1"), Err(Mistake::Missing { .. })));
    assert!(matches!(parse("op G1 Jim now"), Err(Mistake::TooMuch { .. })));
    assert!(matches!(
        parse("kick G1 Jim a\u{1b}[2J"),
        Err(Mistake::BadLine { error: LineError::Forbidden('\u{1b}') })
    ));
}

#[test]
fn why_is_about_a_group_or_about_somebody_in_it() {
    let jim = || Some(UserName::parse("Jim").unwrap());
    assert_eq!(parse("why G1"), asks(Request::Why { group: group_name("G1"), user: None }));
    assert_eq!(parse("why G1 Jim"), asks(Request::Why { group: group_name("G1"), user: jim() }));
    assert_eq!(parse("about G1"), asks(Request::About { group: group_name("G1") }));
}

#[test]
fn operators_ban_an_address_or_a_name() {
    let whom = |line: &str| match parse(line) {
        Ok(Some(TypedCommand::Ask(Request::Operate {
            act: Operation::Ban { whom, .. } | Operation::Unban { whom },
        }))) => whom,
        other => panic!("{line}: {other:?}"),
    };
    let name = |name| BanTarget::User(UserName::parse(name).unwrap());
    let host = |text| BanTarget::Host(AddressPrefix::parse(text).unwrap());
    let network = |text| BanTarget::Network(AddressNetwork::parse(text).unwrap());
    assert_eq!(whom("server-ban Jim 1h spam"), name("Jim"));
    assert_eq!(whom("server-ban 10.0.0.1"), host("10.0.0.1"));
    assert_eq!(whom("server-ban ::FFFF:10.0.0.1 1h"), host("10.0.0.1"));
    assert_eq!(whom("server-ban @10.0.0.1"), name("10.0.0.1"));
    assert_eq!(whom("server-unban 2001:db8::1"), host("2001:db8::1"));
    assert_eq!(whom("server-ban 127.0.0.0/24 1h spam"), network("127.0.0.0/24"));
    assert_eq!(whom("server-ban 127.0.0.*"), network("127.0.0.0/24"));
    assert_eq!(whom("server-unban 127.0.0.3/32"), host("127.0.0.3"));
    assert_eq!(whom("server-ban 127.0.0.3:50000"), host("127.0.0.3"));
    assert_eq!(whom("server-ban [::FFFF:127.0.0.3]"), host("127.0.0.3"));
    assert_eq!(whom("server-unban [::1]:9000"), host("::1"));
    // Whether the mark is a part of the name, the server knows.
    assert_eq!(whom("server-ban @Jim"), name("@Jim"));
    assert_eq!(whom("server-ban @127.0.0.0/24"), name("127.0.0.0/24"));
    assert!(matches!(
        parse("server-ban 2001:0db8:0000:0000:0000:0000:0000:0001/129"),
        Err(Mistake::BadTarget { .. })
    ));
    assert!(matches!(parse("server-ban"), Err(Mistake::Missing { .. })));
    assert!(matches!(parse("server-ban Jim 1hour"), Err(Mistake::BadDuration { .. })));
    assert!(matches!(parse("disconnect Jim a\u{7}"), Err(Mistake::BadLine { .. })));
}

#[test]
fn a_line_with_a_code_is_a_secret_even_when_the_code_is_wrong() {
    let code = "7F3A-0000-0000-0000-0000-0000-0000-00ff";
    assert!(matches!(
        parse(&format!("operator {code}")),
        Ok(Some(TypedCommand::Ask(Request::Claim { .. })))
    ));
    assert!(matches!(parse("operator 7F3A"), Err(Mistake::BadCode { .. })));
    for line in
        [format!("operator {code}"), format!("  OPERATOR\t{code}"), "operator 7F3A".to_owned()]
    {
        assert!(is_secret(&line), "{line}");
    }
    for line in ["register hunter2", " PASSWD old new", "unregister\thunter2"] {
        assert!(is_secret(line) && parse(line).is_err(), "{line}");
    }
    assert!(!is_secret("register") && !is_secret("passwd "));
    assert!(!is_secret("public G1 operator") && !is_secret("appoint Register"));
}

#[test]
fn a_line_that_may_be_meant_to_hold_a_secret_is_one() {
    for line in [
        "/register pw",
        "/passwd old new",
        "regsiter pw",
        "rigester pw",
        "REGISTR pw",
        "reg pw",
        "unregster pw",
        "password pw",
        "pasword pw",
        "pass pw",
        "passwrod pw",
        "/operator 7F3A",
        "/oper CODE",
        "opertaor CODE",
        "/msg nickserv identify pw".trim_start_matches("/msg "),
        "login Jim pw",
        "7F3A-0000-0000-0000-0000-0000-0000-00ff",
    ] {
        assert!(is_secret(line), "{line}");
    }
    for line in [
        "",
        "public General I forgot my password",
        "private Ann register early",
        "topic tea pass the pot",
        "users",
        "user list",
        "jion tea",
        "kick tea Jim pass",
        "/join tea",
        "password",
        "hello there",
    ] {
        assert!(!is_secret(line), "{line}");
    }
}

#[test]
fn one_ignores_somebody_or_asks_whom() {
    let jim = || UserName::parse("Jim").unwrap();
    assert_eq!(parse("ignore Jim"), Ok(Some(TypedCommand::Ignore(Some(jim())))));
    assert_eq!(parse("ignore"), Ok(Some(TypedCommand::Ignore(None))));
    assert_eq!(parse("unignore Jim"), Ok(Some(TypedCommand::Unignore(jim()))));
    assert!(matches!(parse("unignore"), Err(Mistake::Missing { .. })));
}

#[test]
fn other_programs_words_beginnings_and_typos_are_understood_and_nothing_else() {
    for (word, command) in [
        ("quit", Some("exit")),
        ("/QUIT", Some("exit")),
        ("msg", Some("private")),
        ("whois", Some("who")),
        ("names", Some("users")),
        ("part", Some("leave")),
        ("nick", None),
        ("hist", Some("history")),
        ("pu", Some("public")),
        ("jion", Some("join")),
        ("hello", None),
        ("p", None),
    ] {
        assert_eq!(meant(word, rows().map(|row| row.name)), command, "{word}");
    }
}

#[test]
fn every_word_leads_to_a_command_that_there_is() {
    for (elsewhere, here) in ELSEWHERE {
        let is_row = |name: &str| rows().any(|row| row.name == name);
        assert!(here.is_none_or(is_row) && !is_row(elsewhere), "{elsewhere}");
    }
}

#[test]
fn what_leaves_is_known_by_any_word_for_it() {
    for line in ["exit", " /EXIT".trim_start_matches(" /"), "quit", "/bye", "q", "exti"] {
        assert!(leaves(line), "{line}");
    }
    for line in ["", "users", "exit now", "public tea exit", "hello"] {
        assert!(!leaves(line), "{line}");
    }
}
