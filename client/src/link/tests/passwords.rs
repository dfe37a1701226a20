//! A connection that is lost while the password is changed: the server may have done it, or not.

use chatroom_proto::{Hello, Password, Proof, Refusal, Request, Response, Seq, Token};

use super::fake::{self, FakeServer, WelcomedConnection, user};
use crate::client::Client;
use crate::error::{AskError, ConnectError, Ended, Lost};
use crate::event::{Event, Events};
use crate::options::Reconnect;

fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).unwrap()
}

/// The token that is asked for with this password.
fn token_of(new: &str) -> Token {
    let mut token = [0; 32];
    token[..new.len()].copy_from_slice(new.as_bytes());
    Token(token)
}

fn change(old: &str, new: &str) -> Request {
    let token = token_of(new);
    Request::ChangePasswordAndToken { old: password(old), new: password(new), token }
}

fn needed() -> Refusal {
    Refusal::PasswordNeeded { name: user("Jim") }
}

fn wrong() -> Refusal {
    Refusal::WrongPassword { name: user("Jim") }
}

/// A client that knows this password, on a server that it is welcome at.
async fn come(known: Option<&str>) -> (Client, Events, WelcomedConnection, FakeServer) {
    let mut server = FakeServer::start_as(Reconnect::Forever, known.map(password));
    let connection = server.accept_and_welcome(false, 10, &[]).await;
    let (client, events, _) = server.outcome().await.expect("welcome");
    (client, events, connection, server)
}

/// One tries, and is refused; gives what they had to show.
async fn refuse(server: &mut FakeServer, refusal: Refusal) -> Proof {
    let mut connection = server.accept().await;
    let (tag, Hello { proof, .. }) = connection.hello().await;
    connection.refuse(tag, refusal).await;
    proof
}

/// One tries with the token of this password, and is let in.
async fn let_in(server: &mut FakeServer, token: Token) -> WelcomedConnection {
    let mut connection = server.accept().await;
    let (tag, hello) = connection.hello().await;
    assert_eq!(hello.proof, Proof::Resume(token.clone()));
    connection.token = token;
    connection.welcome(tag, true, 20, &[]).await;
    connection
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_new_password_was_taken_before_the_answer_was_lost_is_let_in() {
    for known in [Some("old"), None] {
        let (client, mut events, mut connection, mut server) = come(known).await;
        let tag = client.submit(change("old", "new")).await.unwrap();
        connection.asked().await;
        let ping = tokio::spawn({
            let client = client.clone();
            async move { client.ping().await }
        });
        connection.asked().await;
        drop(connection);

        assert_eq!(refuse(&mut server, needed()).await, Proof::Resume(fake::TOKEN));
        let mut connection = let_in(&mut server, token_of("new")).await;
        assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
        assert!(matches!(events.next().await, Some(Event::Back { resumed: true, .. })));
        let result = Ok(Response::PasswordChanged { seq: Seq(20), token: token_of("new") });
        assert_eq!(
            events.next().await,
            Some(Event::Answer { tag, request: change("old", "new"), result })
        );

        // It is not asked again, and what was asked behind it is.
        let (tag, request) = connection.asked().await;
        assert_eq!(request, Request::Ping);
        connection.answer(tag, Response::Pong).await;
        assert_eq!(ping.await.unwrap(), Ok(()));

        // From now on it is the token, and the password.
        drop(connection);
        assert_eq!(refuse(&mut server, needed()).await, Proof::Resume(token_of("new")));
        assert_eq!(refuse(&mut server, wrong()).await, Proof::Password(password("new")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_not_changed_is_changed_when_the_client_is_back() {
    let (client, _events, mut connection, mut server) = come(Some("old")).await;
    client.submit(change("old", "new")).await.unwrap();
    let asked = connection.asked().await;
    drop(connection);
    assert_eq!(let_in(&mut server, fake::TOKEN).await.asked().await, asked);
}

#[tokio::test(start_paused = true)]
async fn of_several_changes_those_are_done_that_led_to_the_token_that_holds() {
    let (client, mut events, mut connection, mut server) = come(Some("a")).await;
    for (old, new) in [("a", "b"), ("b", "c"), ("c", "d")] {
        client.submit(change(old, new)).await.unwrap();
        connection.asked().await;
    }
    drop(connection);
    for tried in [fake::TOKEN, token_of("d")] {
        assert_eq!(refuse(&mut server, needed()).await, Proof::Resume(tried));
    }
    let mut connection = let_in(&mut server, token_of("c")).await;
    assert_eq!(connection.asked().await.1, change("c", "d"));
    for _ in ["lost", "back"] {
        events.next().await;
    }
    for (old, new) in [("a", "b"), ("b", "c")] {
        let Some(Event::Answer { request, result: Ok(_), .. }) = events.next().await else {
            panic!("done")
        };
        assert_eq!(request, change(old, new));
    }
}

#[tokio::test(start_paused = true)]
async fn one_whom_nothing_lets_in_is_told_what_the_server_said_of_the_last_that_it_had_to_show() {
    for (known, said) in [(Some("old"), wrong()), (None, needed())] {
        let (client, mut events, mut connection, mut server) = come(known).await;
        client.submit(change("old", "new")).await.unwrap();
        connection.asked().await;
        drop(connection);
        for tried in [fake::TOKEN, token_of("new")] {
            assert_eq!(refuse(&mut server, needed()).await, Proof::Resume(tried));
        }
        if let Some(known) = known {
            assert_eq!(refuse(&mut server, wrong()).await, Proof::Password(password(known)));
        }
        assert!(matches!(events.next().await, Some(Event::Lost(_))));
        assert_eq!(events.next().await, Some(Event::Ended(Ended::Refused(said))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_version_1_has_its_new_token_from_the_answer() {
    let (client, mut events, mut connection, mut server) = come(None).await;
    let (old, new) = (password("old"), password("new"));
    client.submit(Request::ChangePassword { old, new }).await.unwrap();
    let (tag, _) = connection.asked().await;
    let token = token_of("new");
    connection.answer(tag, Response::PasswordChanged { seq: Seq(11), token }).await;
    assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    drop(connection);
    let_in(&mut server, token_of("new")).await;
}

#[tokio::test(start_paused = true)]
async fn a_program_can_not_say_a_password_where_others_read_along() {
    let mut server = FakeServer::start_in_the_open(Reconnect::Forever);
    let mut connection = server.accept_and_welcome(false, 10, &[]).await;
    let (client, _events, _) = server.outcome().await.expect("welcome");
    let refused = Err(AskError::Refused(Refusal::PasswordInTheOpen));
    assert_eq!(client.register(password("secret")).await, refused);
    assert_eq!(client.change_password(password("secret"), password("new")).await, refused);
    assert_eq!(client.unregister(password("secret")).await, refused);
    connection.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_name_has_become_somebodys_is_told_so_where_others_read_along() {
    let mut server = FakeServer::start_in_the_open(Reconnect::Forever);
    refuse(&mut server, needed()).await;
    let unsaid = server.outcome().await.err();
    assert!(matches!(unsaid, Some(ConnectError::PasswordUnsaid { name }) if name == user("Jim")));

    let mut server = FakeServer::start_in_the_open(Reconnect::Forever);
    let connection = server.accept_and_welcome(false, 10, &[]).await;
    let (_client, mut events, _) = server.outcome().await.expect("welcome");
    drop(connection);
    refuse(&mut server, needed()).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert_eq!(events.next().await, Some(Event::Ended(Ended::Refused(needed()))));
}
