//! Who somebody is: here, or away since when.

use chatroom_proto::{PersonInfo, Request, Response, UnixMillis};
use integration_tests::program::{Home, ServerProgram, quiet_port};
use integration_tests::terminal::Terminal;
use integration_tests::test_client::{TestClient, public, user};

async fn who(asker: &mut TestClient, name: &str) -> PersonInfo {
    match asker.do_(Request::Who { user: user(name) }).await {
        Response::Who(who) => *who,
        other => panic!("{other:?}"),
    }
}

/// What time it is for the server.
async fn now(asker: &mut TestClient, number: u64) -> UnixMillis {
    match asker.do_(public("General", number, "what time is it?")).await {
        Response::Posted { at, .. } => at,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_who_has_gone_is_away_since_then_also_for_a_server_that_was_started_again() {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let arguments = ["--data".to_owned(), data.path().to_str().expect("text").to_owned()];
    let port = quiet_port();
    let server = ServerProgram::start_again(port, &arguments);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut bob = TestClient::come(server.address(), "Bob").await;
    assert_eq!(who(&mut ann, "bob").await.away_since, None);
    let before = now(&mut ann, 1).await;
    bob.do_(Request::Exit).await;
    let after = now(&mut ann, 2).await;
    let away = who(&mut ann, "bob").await;
    assert_eq!(away.user, user("Bob"), "as they write it");
    let since = away.away_since.expect("Bob has gone");
    assert!((before.0..=after.0).contains(&since.0), "{before:?} {since:?} {after:?}");
    server.kill();
    let server = ServerProgram::start_again(port, &arguments);
    let mut eve = TestClient::come(server.address(), "Eve").await;
    assert_eq!(who(&mut eve, "Bob").await.away_since, Some(since));
}

#[tokio::test]
async fn a_person_reads_where_somebody_is() {
    let server = ServerProgram::start();
    let mut bob = TestClient::come(server.address(), "Bob").await;
    let port = server.port().to_string();
    let mut jim = Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &Home::new());
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.lines.len() > 2);
    jim.type_line("who bob");
    jim.wait_for_line("Bob is here. You are both in General.");
    bob.do_(Request::Exit).await;
    jim.wait_for_line("Bob has left the chat.");
    jim.type_line("who Bob");
    jim.wait_for("since when Bob is away", |screen| {
        let away = screen.lines_beginning("Bob is away since ");
        away.len() == 1 && away[0].ends_with(". You are both in General.")
    });
    jim.type_line("who Bbo");
    jim.wait_for("nobody, and who was meant", |screen| {
        !screen.lines_beginning("There is no user with name 'Bbo'.").is_empty()
    });
}
