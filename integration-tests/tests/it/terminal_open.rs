//! A conversation that is open: every line is said there, and the prompt says where.

use chatroom_proto::{Moderation, Notification, Request};
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram, quiet_port};
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, group, public, user};

/// The next thing that somebody says, and where.
async fn said(who: &mut TestClient) -> (String, String) {
    loop {
        match who.hear().await {
            Notification::GroupPost { post, group } => {
                return (group.to_string(), post.body.as_str().to_owned());
            }
            Notification::PrivatePost { post, to } => {
                return (format!("@{to}"), post.body.as_str().to_owned());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn lines_are_said_where_the_prompt_says_until_it_is_closed() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_line("open General");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "General> ");
    for (line, (place, text)) in [
        ("users", ("General", "users")),
        ("//join is a command", ("General", "/join is a command")),
    ] {
        jim.type_line(line);
        assert_eq!(said(&mut ann).await, (place.to_owned(), text.to_owned()));
    }
    jim.type_line("/open @Ann");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "@Ann> ");
    jim.type_line("psst");
    assert_eq!(said(&mut ann).await, ("@Ann".to_owned(), "psst".to_owned()));
    // What arrives is shown above the prompt and what is typed behind it.
    jim.type_text("half a li");
    ann.do_(public("General", 1, "hello")).await;
    jim.wait_for_line("In group General, Ann: hello");
    jim.wait_for("the draft", |screen| screen.before_cursor == "@Ann> half a li");
    jim.press(Key::Control('u'));
    jim.type_line("/close");
    jim.wait_for_line("What you type is a command again.");
    jim.type_line("/groups");
    jim.wait_for_line("available groups:");
    jim.wait_for("no prompt", |screen| screen.is_typing() && screen.before_cursor.is_empty());
}

#[tokio::test]
async fn a_group_is_closed_when_one_is_no_member_any_more() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_line("open tea");
    jim.wait_for_line("You are not in group chat 'tea'. First: join tea");
    jim.wait_for("no prompt", |screen| screen.is_typing() && screen.before_cursor.is_empty());
    jim.type_line("join tea");
    jim.wait_for_line("You have joined in group chat 'tea' successfully!");
    jim.type_line("open tea");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "tea> ");
    jim.type_text("half a li");
    jim.wait_for("the draft", |screen| screen.before_cursor == "tea> half a li");
    let act = Moderation::Kick { user: user("Jim"), reason: None };
    ann.do_(Request::Moderate { group: group("tea"), act }).await;
    jim.wait_for_line(
        "You are not in group chat 'tea' any more: what you type is a command again.",
    );
    jim.wait_for("the draft alone", |screen| screen.before_cursor == "half a li");
}

#[tokio::test]
async fn a_pipe_may_open_one_too_and_a_slash_before_a_command_is_passed_over() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Piped::connect(server.port(), "Jim");
    jim.say_all("/open General\nhello there\n/close\n/users\n");
    assert_eq!(said(&mut ann).await, ("General".to_owned(), "hello there".to_owned()));
    let said = jim.finish();
    assert_eq!(said.exit, Exit::Code(0));
    assert!(said.output.contains("online users:"), "{}", said.output);
}

/// Jim's terminal at home, where his client finds what it kept the last time.
fn jim_at_home(port: u16, home: &Home) -> Terminal {
    Terminal::chatroom(&["127.0.0.1", &port.to_string(), "Jim"], home)
}

fn leave(mut jim: Terminal) {
    jim.type_line("/exit");
    assert_eq!(jim.wait_exit().code, 0);
}

#[tokio::test]
async fn the_next_run_opens_what_was_open_and_a_pipe_does_not() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = jim_at_home(server.port(), &home);
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.before_cursor.is_empty());
    jim.type_line("open @Ann");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "@Ann> ");
    leave(jim);
    let mut pipe = Piped::run_at(&home, &["127.0.0.1", &server.port().to_string(), "Jim"]);
    pipe.say_all("users\n");
    assert!(pipe.finish().output.contains("online users:"));
    let mut jim = jim_at_home(server.port(), &home);
    jim.wait_for("the prompt", |screen| screen.before_cursor == "@Ann> ");
    jim.wait_for("where lines are said", |screen| {
        screen.unfolded().join(" ").contains("What you type is said to Ann alone.")
    });
    jim.type_line("psst");
    assert_eq!(said(&mut ann).await, ("@Ann".to_owned(), "psst".to_owned()));
    jim.type_line("/close");
    jim.wait_for_line("What you type is a command again.");
    leave(jim);
    let jim = jim_at_home(server.port(), &home);
    jim.wait_for("no prompt", |screen| screen.is_typing() && screen.before_cursor.is_empty());
}

#[tokio::test]
async fn a_group_that_one_was_put_out_of_meanwhile_is_not_opened_again() {
    const CLOSED: &str =
        "You are not in group chat 'tea' any more: what you type is a command again.";
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let mut jim = jim_at_home(server.port(), &home);
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.before_cursor.is_empty());
    jim.type_line("join tea");
    jim.wait_for_line("You have joined in group chat 'tea' successfully!");
    jim.type_line("open tea");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "tea> ");
    leave(jim);
    let act = Moderation::Kick { user: user("Jim"), reason: None };
    ann.do_(Request::Moderate { group: group("tea"), act }).await;
    for is_told in [true, false] {
        let mut jim = jim_at_home(server.port(), &home);
        jim.wait_for("no prompt", |screen| screen.is_typing() && screen.before_cursor.is_empty());
        jim.type_line("groups");
        let screen = jim.wait_for_line("available groups:");
        assert_eq!(screen.has(CLOSED), is_told, "it is told once: {screen}");
        leave(jim);
    }
}

#[test]
fn what_is_open_stays_open_when_a_server_comes_back_with_nothing_unless_it_is_gone() {
    let port = quiet_port();
    let server = ServerProgram::start_on(port);
    let mut jim = Terminal::sit_down_at(port, "Jim");
    jim.type_line("open General");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "General> ");
    for line in ["/create tea", "/join tea"] {
        jim.type_line(line);
    }
    jim.wait_for_line("You have joined in group chat 'tea' successfully!");
    server.kill();
    let server = ServerProgram::start_again(port, &[]);
    jim.wait_for("the return", |screen| {
        !screen.lines_beginning("Group chat 'tea' is gone").is_empty()
            && screen.before_cursor == "General> "
    });
    for line in ["/create tea", "/join tea"] {
        jim.type_line(line);
    }
    jim.wait_for("both memberships", |screen| screen.lines_beginning("You have joined").len() == 2);
    jim.type_line("/open tea");
    jim.wait_for("the prompt", |screen| screen.before_cursor == "tea> ");
    server.kill();
    let _server = ServerProgram::start_again(port, &[]);
    let screen = jim.wait_for("the return, without the group", |screen| {
        screen.lines_beginning("You are not in group chat 'tea' any more").len() == 1
            && screen.before_cursor.is_empty()
    });
    let put_out = screen.lines_beginning("While you were away, you were put out");
    assert!(put_out.is_empty(), "nobody did that: {screen}");
}
