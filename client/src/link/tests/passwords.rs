//! A connection that is lost while the password is changed: the server may have done it, or not.

use chatroom_proto::{Hello, Password, Proof, Refusal, Request, Response, Seq};

use super::fake::{self, FakeServer, WelcomedConnection, user};
use crate::client::Client;
use crate::error::{AskError, ConnectError, Ended, Lost};
use crate::event::{Event, Events};
use crate::options::Reconnect;

fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).unwrap()
}

fn change(old: &str, new: &str) -> Request {
    Request::ChangePassword { old: password(old), new: password(new) }
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

/// One tries, and is let in with this password.
async fn let_in(server: &mut FakeServer, with: &str) -> WelcomedConnection {
    let mut connection = server.accept().await;
    let (tag, hello) = connection.hello().await;
    assert_eq!(hello.proof, Proof::Password(password(with)));
    connection.welcome(tag, false, 20, &[]).await;
    connection
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_before_the_answer_was_lost_lets_its_client_in() {
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
        if let Some(known) = known {
            assert_eq!(refuse(&mut server, wrong()).await, Proof::Password(password(known)));
        }
        let mut connection = let_in(&mut server, "new").await;
        assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
        assert!(matches!(events.next().await, Some(Event::Back { resumed: false, .. })));
        let result = Ok(Response::PasswordChanged { seq: Seq(20), token: fake::TOKEN });
        assert_eq!(
            events.next().await,
            Some(Event::Answer { tag, request: change("old", "new"), result })
        );

        // It is not asked again, and what was asked behind it is.
        let (tag, request) = connection.asked().await;
        assert_eq!(request, Request::Ping);
        connection.answer(tag, Response::Pong).await;
        assert_eq!(ping.await.unwrap(), Ok(()));

        // From now on it is the password.
        drop(connection);
        refuse(&mut server, needed()).await;
        let_in(&mut server, "new").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_not_changed_is_changed_when_the_client_is_back() {
    let (client, _events, mut connection, mut server) = come(Some("old")).await;
    client.submit(change("old", "new")).await.unwrap();
    let asked = connection.asked().await;
    drop(connection);
    refuse(&mut server, needed()).await;
    assert_eq!(let_in(&mut server, "old").await.asked().await, asked);
}

#[tokio::test(start_paused = true)]
async fn of_several_changes_those_are_done_that_led_to_the_password_that_holds() {
    let (client, mut events, mut connection, mut server) = come(Some("a")).await;
    for (old, new) in [("a", "b"), ("b", "c"), ("c", "d")] {
        client.submit(change(old, new)).await.unwrap();
        connection.asked().await;
    }
    drop(connection);
    refuse(&mut server, needed()).await;
    for tried in ["a", "d"] {
        assert_eq!(refuse(&mut server, wrong()).await, Proof::Password(password(tried)));
    }
    let mut connection = let_in(&mut server, "c").await;
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
async fn one_whom_no_password_lets_in_is_told_what_the_server_said_of_the_one_that_was_known() {
    for (known, said) in [(Some("old"), wrong()), (None, needed())] {
        let (client, mut events, mut connection, mut server) = come(known).await;
        client.submit(change("old", "new")).await.unwrap();
        connection.asked().await;
        drop(connection);
        refuse(&mut server, needed()).await;
        for _ in known.into_iter().chain(["new"]) {
            refuse(&mut server, wrong()).await;
        }
        assert!(matches!(events.next().await, Some(Event::Lost(_))));
        assert_eq!(events.next().await, Some(Event::Ended(Ended::Refused(said))));
    }
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
