//! A server that goes away and comes back while somebody types.

use std::net::Ipv4Addr;

use chatroom_proto::{Moderation, Request};
use integration_tests::program::{ServerProgram, quiet_port};
use integration_tests::proxy::Proxy;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, group, public, user};

// With a thread for the proxy: this one waits for the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_is_cut_costs_two_lines_and_nothing_that_was_typed() {
    let server = ServerProgram::start();
    let proxy = Proxy::to(server.address(), usize::MAX).await;
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down_at(proxy.address.port(), "Jim");
    jim.type_line("public General before");
    assert_eq!(ann.hear_body().await, "before");
    jim.type_text("public General half of");
    proxy.go_to((Ipv4Addr::LOCALHOST, quiet_port()).into());
    proxy.cut_now();
    jim.wait_for("the loss, above the line", |screen| {
        screen.lines_beginning("Connection lost").len() == 1
            && screen.before_cursor == "public General half of"
    });

    jim.type_line(" a line");
    ann.do_(public("General", 1, "meanwhile")).await;
    jim.type_text("public General another");
    jim.wait_for("the next line", |screen| screen.before_cursor == "public General another");
    proxy.go_to(server.address());
    jim.wait_for("the return, above the line", |screen| {
        screen.lines_beginning("Connected again").len() == 1
            && screen.before_cursor == "public General another"
    });
    jim.press(Key::Enter);
    assert_eq!(ann.hear_body().await, "half of a line");
    assert_eq!(ann.hear_body().await, "another", "and the one before came once");
    jim.wait_for("an empty line, and what was missed", |screen| {
        screen.is_typing()
            && screen.before_cursor.is_empty()
            && !screen.lines_beginning("While you were away").is_empty()
    });
    let screen = jim.screen();
    let told = ["Connection lost", "Connected again", "While you were away"];
    assert_eq!(told.map(|said| screen.lines_beginning(said).len()), [1, 1, 1], "{screen}");
    // On a busy machine the way back takes more than a second, and that is said.
    let others = screen.lines.iter().filter(|line| !line.starts_with("  (")).count();
    assert_eq!(others, 3 + 3 + told.len(), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_who_is_put_out_of_a_group_while_the_line_is_dead_is_told_afterwards() {
    let server = ServerProgram::start();
    let proxy = Proxy::to(server.address(), usize::MAX).await;
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let mut jim = Terminal::sit_down_at(proxy.address.port(), "Jim");
    jim.type_line("join tea");
    jim.wait_for_line("You have joined in group chat 'tea' successfully!");
    proxy.go_to((Ipv4Addr::LOCALHOST, quiet_port()).into());
    proxy.cut_now();
    jim.wait_for("the loss", |screen| screen.lines_beginning("Connection lost").len() == 1);
    let act = Moderation::Kick { user: user("Jim"), reason: None };
    ann.do_(Request::Moderate { group: group("tea"), act }).await;
    proxy.go_to(server.address());
    jim.wait_for("the news", |screen| {
        screen.lines_beginning("While you were away, you were put out of group chat 'tea'.").len()
            == 1
    });
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_costs_two_lines_and_nothing_that_was_typed() {
    let server = ServerProgram::start_where_it_can_come_back();
    let port = server.port();
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_text("public General half of");
    server.kill();
    jim.wait_for("the loss, above the line", |screen| {
        screen.lines_beginning("Connection lost").len() == 1
            && screen.before_cursor == "public General half of"
    });

    jim.type_text(" a line");
    jim.press(Key::Enter);
    jim.wait_for("the next line", |screen| screen.is_typing() && screen.before_cursor.is_empty());
    jim.type_text("public General another");

    let server = ServerProgram::start_on(port);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    jim.wait_for("the return, above the line", |screen| {
        screen.lines_beginning("Connected again").len() == 1
            && screen.before_cursor == "public General another"
    });
    jim.press(Key::Enter);
    // The first was sent before Ann could hear of it or after, as it happens; it must not come in
    // between or twice.
    let mut heard = ann.hear_body().await;
    if heard == "half of a line" {
        heard = ann.hear_body().await;
    }
    assert_eq!(heard, "another");
    let screen = jim.screen();
    assert_eq!(screen.lines_beginning("Connection lost").len(), 1, "{screen}");
    assert_eq!(
        screen.lines_beginning("public"),
        ["public General half of a line", "public General another"]
    );
}

#[tokio::test]
async fn what_is_said_while_the_server_is_away_arrives_when_it_is_back() {
    let server = ServerProgram::start_where_it_can_come_back();
    let port = server.port();
    let mut jim = Terminal::sit_down(&server, "Jim");
    let mut ann = Terminal::sit_down(&server, "Ann");
    jim.wait_for_line("Ann joined the room 'General'");
    server.kill();
    for terminal in [&jim, &ann] {
        terminal
            .wait_for("the loss", |screen| screen.lines_beginning("Connection lost").len() == 1);
    }
    jim.type_line("create G1");
    jim.type_line("groups");
    let _server = ServerProgram::start_on(port);
    jim.wait_for_line("New group chat with name 'G1' has created successfully!");
    let screen = jim.wait_for_line("G1");
    assert!(screen.has("available groups:"), "{screen}");
    ann.wait_for("the return", |screen| screen.lines_beginning("Connected again").len() == 1);
    jim.wait_for("Ann's return", |screen| screen.has("Ann joined the room 'General'"));
    ann.type_line("private Jim back again");
    jim.wait_for_line("Private message from Ann: back again");
}
