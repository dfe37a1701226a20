//! Keeping order at a real terminal, and texts that mean harm in every field that somebody chooses
//! for others.

use chatroom_proto::codec::encode;
use chatroom_proto::{
    BanTarget, ClientFrame, Moderation, Operation, Reason, Refusal, Request, ServerFrame, Tag,
    Topic,
};
use integration_tests::piped::Piped;
use integration_tests::program::ServerProgram;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, group, user};

#[tokio::test]
async fn an_owner_puts_somebody_out_and_both_read_it() {
    let server = ServerProgram::start();
    let mut ann = Terminal::sit_down(&server, "Ann");
    let mut jim = Terminal::sit_down(&server, "Jim");
    ann.wait_for_line("Jim joined the room 'General'");
    for line in ["create G1", "join G1", "topic G1 Green or black?"] {
        ann.type_line(line);
    }
    ann.wait_for_line("You have set the topic of group chat 'G1': Green or black?");
    jim.type_line("join G1");
    jim.wait_for_line("The topic of group chat 'G1': Green or black?");
    ann.wait_for_line("Jim has joined in group chat 'G1'.");

    // The second word is completed, too.
    ann.type_text("kick G1 J");
    ann.press(Key::Tab);
    ann.wait_for("the name", |screen| screen.before_cursor.trim_end() == "kick G1 Jim");
    jim.type_text("public G1 I was about to");
    ann.type_line(" too loud");
    ann.wait_for_line("You have put Jim out of group chat 'G1': too loud");
    jim.wait_for("why, above the line that is typed", |screen| {
        screen.has("Ann has put you out of group chat 'G1': too loud")
            && screen.before_cursor == "public G1 I was about to"
    });
    jim.press(Key::Enter);
    jim.wait_for_line("You are not in group chat 'G1'; join it first: join G1");
    jim.type_line("kick G1 Ann");
    jim.wait_for("what to do", |screen| {
        screen
            .lines
            .iter()
            .any(|line| line.starts_with("Only the owner and the operators of group chat 'G1'"))
    });
    jim.type_line("why G1 Jim");
    jim.wait_for("who did it, and when", |screen| {
        screen.lines.iter().any(|line| {
            line.starts_with('[')
                && line.ends_with("] Ann has put Jim out of group chat 'G1': too loud")
        })
    });
}

const WELCOME: [&str; 2] = ["Connected to the server!", "You joined the room 'General'"];

#[test]
fn in_a_pipe_each_act_is_one_line_and_a_refusal_is_told_by_the_exit_code() {
    let server = ServerProgram::start();
    let mut ann = Piped::connect(server.port(), "Ann");
    WELCOME.iter().for_each(|line| ann.hear(line));
    for (line, answer) in [
        ("create G1", "New group chat with name 'G1' has created successfully!"),
        ("lock G1", "You have locked group chat 'G1': only those can join who are invited."),
        ("about G1", "Group chat 'G1' is Ann's, and has 0 members."),
    ] {
        ann.say(line);
        ann.hear(answer);
    }
    let mut jim = Piped::connect(server.port(), "Jim");
    WELCOME.iter().for_each(|line| jim.hear(line));
    jim.say("join G1");
    jim.hear(
        "Group chat 'G1' is locked: only those can join who are invited. To see whom to ask: \
        about G1",
    );
    assert_eq!(jim.finish().exit, integration_tests::process::Exit::Code(1));
}

/// A frame in which a text has become another one of the same length, which no type would hold.
fn forged(request: Request, from: &str, to: &str) -> Vec<u8> {
    let mut bytes = encode(&ClientFrame { tag: Tag(1), request }).expect("a frame").to_vec();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("the text is in it");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[tokio::test]
async fn what_controls_a_terminal_is_refused_at_the_door_in_every_field() {
    const HARMLESS: &str = "AAAAAAA";
    const EVIL: [&str; 4] =
        ["\u{1b}[2J\u{1b}[H", "\u{1b}]0;x\u{7}A", "a\nb\nc\nd", "\u{202e}\u{2066}a"];
    let server = ServerProgram::start_with(&["--log", "trace"]);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    let mut number = 0;
    for evil in EVIL {
        let topic = Moderation::Topic { topic: Topic::parse(HARMLESS).ok() };
        let reason = || Reason::parse(HARMLESS).ok();
        let kick = Moderation::Kick { user: user("Ann"), reason: reason() };
        let ban = Moderation::Ban { user: user("Ann"), seconds: None, reason: reason() };
        let mute = Moderation::Mute { user: user("Ann"), seconds: None, reason: reason() };
        let name = Moderation::Invite { user: user(HARMLESS) };
        let group_acts = [topic, kick, ban, mute, name]
            .map(|act| Request::Moderate { group: group("tea"), act });
        let whom = BanTarget::User(user("Ann"));
        let operations = [
            Operation::Disconnect { user: user("Ann"), reason: reason() },
            Operation::Ban { whom, seconds: None, reason: reason() },
        ];
        let operations = operations.map(|act| Request::Operate { act });
        for request in group_acts.into_iter().chain(operations) {
            number += 1;
            let mut eve = TestClient::come(server.address(), &format!("eve{number}")).await;
            eve.say_bytes(&forged(request, HARMLESS, evil)).await;
            let refused = eve.frame().await;
            let Some(ServerFrame::Response { result: Err(Refusal::Invalid { .. }), .. }) = refused
            else {
                panic!("not refused: {evil:?}, {refused:?}");
            };
        }
    }
    ann.do_(Request::Ping).await;
    let said = tokio::task::spawn_blocking(move || server.stop()).await.expect("stops");
    for evil in ['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}'] {
        assert!(!said.diagnostics.contains(evil) && !said.output.contains(evil), "{evil:?}");
    }
}
