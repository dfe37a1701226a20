//! Who runs a server: how one becomes its operator, what operators may, and what becomes of whom
//! they put out.

use chatroom_proto::{
    AddressPrefix, BanTarget, CloseReason, Code, Hello, Notification, Operation, Password, Proof,
    Reason, Refusal, Request, Response, Seq,
};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::stage::play_in_memory;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, group, hello, user};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

async fn become_operator(guest: &mut TestClient, code: Code) {
    let password = Password::try_from("secret".to_owned()).expect("a valid password");
    guest.do_(Request::Register { password }).await;
    guest.do_(Request::Claim { code }).await;
}

#[test]
fn the_code_makes_one_person_an_operator_once() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        bob> clients
        bob< refused: not an operator
        bob> server-bans
        bob< refused: not an operator
        bob> disconnect ann
        bob< refused: not an operator
        bob> guess
        bob< refused: wrong code
        # Under a name that is nobody's own, anybody could come.
        ann> operator
        ann< refused: register first
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        ann> guess
        ann< refused: no difference
        ann> clients
        ann< clients: ann in General, bob in General
        ann> appoint bob
        ann< refused: register first
        bob> register secret
        bob< registered
        ann> appoint bob
        ann< done
        bob< ann does: appoint bob
        ann> appoint bob
        ann< refused: no difference
        bob> server-bans
        bob< server-bans: none
        bob> dismiss ann
        bob< done
        ann< bob does: dismiss ann
        ann> clients
        ann< refused: not an operator
        ann> guess
        ann< refused: wrong code
        ",
    );
}

#[test]
fn operators_of_the_server_keep_order_everywhere_and_over_owners() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        bob> create tea
        bob< created tea
        bob> join tea
        bob< joined tea
        ann> mute General bob
        ann< done in General
        bob< ann does in General: mute bob
        bob> public General hello
        bob< refused: muted in General
        bob> kick general ann
        bob< refused: not allowed in General
        bob> ban tea ann
        bob< refused: ann is out of reach in tea
        ann> kick tea bob
        ann< done in tea
        bob< ann does in tea: kick bob
        ann> ban General bob
        ann< done in General
        bob< ann does in General: ban bob
        bob> exit
        bob< goodbye
        bob is hung up on
        bob logs in
        bob< welcome, in none
        bob> join General
        bob< refused: banned from General
        ann> clients
        ann< clients: ann in General, bob in none
        ann> topic General Be kind
        ann< done in General
        eve comes
        eve< The topic of group chat 'General': Be kind
        ann< eve arrived in General
        ",
    );
}

#[test]
fn one_who_is_disconnected_is_told_and_may_come_again_and_one_who_is_banned_may_not() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        eve comes
        ann< eve arrived in General
        bob< eve arrived in General
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        ann> disconnect ann
        ann< refused: not oneself
        ann> disconnect jim
        ann< refused: nobody is jim
        ann> disconnect bob too loud
        ann< done
        bob< ann does: disconnect bob too loud
        bob< closing: Disconnected
        bob is hung up on
        ann< bob departed
        eve< bob departed
        ann> disconnect bob
        ann< refused: no difference
        bob logs in again
        bob< welcome back, in General
        ann< bob arrived in General
        eve< bob arrived in General
        ann> server-ban bob 600
        ann< done
        bob< ann does: server-ban bob
        bob< closing: Disconnected
        bob is hung up on
        ann< bob departed
        eve< bob departed
        bob logs in again
        bob< refused: banned from the server for a while
        bob is hung up on
        BOB logs in
        BOB< refused: banned from the server for a while
        BOB is hung up on
        ann> server-bans
        ann< server-bans: bob by ann for a while
        eve> register secret
        eve< registered
        ann> appoint eve
        ann< done
        eve< ann does: appoint eve
        ann> server-ban eve
        ann< refused: eve is an operator
        eve> server-unban Bob
        eve< done
        eve> server-unban Bob
        eve< refused: no difference
        bob logs in again
        bob< welcome back, in General
        ann< bob arrived in General
        eve< bob arrived in General
        ",
    );
}

#[test]
fn a_ban_from_the_server_ends_by_itself() {
    play_in_memory(
        Limits::default(),
        "
        ann comes
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        jim comes
        ann< jim arrived in General
        jim> exit
        jim< goodbye
        jim is hung up on
        ann< jim departed
        ann> server-ban jim 60
        ann< done
        jim logs in again
        jim< refused: banned from the server for a while
        jim is hung up on
        60 s pass
        jim logs in again
        jim< welcome back, in General
        ann< jim arrived in General
        ",
    );
}

#[test]
fn a_ban_of_what_is_no_address_and_nobodys_name_is_refused_in_its_turn() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        ann> server-ban 127.0.0.300
        ann< refused: nobody is 127.0.0.300
        ann> server-unban 127.0.0.
        ann< refused: nobody is 127.0.0.
        ann> disconnect 127.0.0.3
        ann< refused: nobody is 127.0.0.3
        ann> appoint 127.0.0.0/24
        ann< refused: nobody is 127.0.0.0/24
        ann> dismiss 127.0.0.*
        ann< refused: nobody is 127.0.0.*
        ann> ban General 127.0.0.3:50000
        ann< refused: nobody is 127.0.0.3:50000
        ann> mute General @eve
        ann< refused: nobody is @eve
        ann> server-ban @bob
        ann< done
        bob< ann does: server-ban bob
        bob< closing: Disconnected
        bob is hung up on
        ann< bob departed
        ann> server-bans
        ann< server-bans: bob by ann
        ann> server-unban @bob
        ann< done
        ",
    );
}

#[tokio::test]
async fn the_ban_of_an_address_puts_out_everybody_from_there_but_operators() {
    let host = TestServer::start();
    let mut ann = host.guest("ann").await;
    let mut others = [host.guest("bob").await, host.guest("eve").await];
    become_operator(&mut ann, host.code.clone().expect("nobody is an operator")).await;
    let whom = || BanTarget::Host(AddressPrefix::parse("::ffff:127.0.0.1").expect("an address"));
    let ban = Operation::Ban { whom: whom(), seconds: None, reason: Reason::parse("a flood").ok() };
    ann.do_(Request::Operate { act: ban.clone() }).await;
    for other in &mut others {
        let heard = loop {
            if let Notification::Operated { by, act, .. } = other.hear().await {
                break (by, act);
            }
        };
        assert_eq!(heard, (user("ann"), ban.clone()));
        assert_eq!(other.hear_why_closed().await, Some(CloseReason::Disconnected));
    }
    let mut guest = TestClient::connect(host.address).await;
    let refused = guest.ask(Request::Hello(hello("kim"))).await;
    assert_eq!(refused, Err(Refusal::ServerBanned { until: None }));
    let token = ann.welcome().expect("welcome").token.clone();
    let back = Hello { proof: Proof::Resume(token), ..hello("ann") };
    let (mut ann, _) = TestClient::come_with(host.address, back).await;
    for _ in 0..10 {
        ann.do_(Request::Ping).await;
    }
    ann.do_(Request::Operate { act: Operation::Unban { whom: whom() } }).await;
    host.guest("kim").await;
}

#[tokio::test]
async fn operators_and_bans_survive_a_restart_and_the_code_of_the_run_before_does_not() {
    let directory =
        tempfile::TempDir::with_prefix("chatroom-rule-").expect("a temporary directory");
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let first = host.code.clone().expect("nobody is an operator");
    host.stop().await.expect("stops");

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let second = host.code.clone().expect("nobody is an operator yet");
    let mut ann = host.guest("ann").await;
    assert_eq!(ann.ask(Request::Claim { code: first }).await, Err(Refusal::WrongCode));
    become_operator(&mut ann, second.clone()).await;
    let jim = host.guest("jim").await;
    let ban = Operation::Ban { whom: BanTarget::User(user("jim")), seconds: None, reason: None };
    ann.do_(Request::Operate { act: ban }).await;
    drop(jim);
    let bans = ann.do_(Request::ServerBans { after: Seq::ZERO }).await;
    let token = ann.welcome().expect("welcome").token.clone();
    drop(ann);
    host.stop().await.expect("stops");

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    assert_eq!(host.code, None, "somebody is an operator");
    let back = Hello { proof: Proof::Resume(token), ..hello("ann") };
    let (mut ann, _) = TestClient::come_with(host.address, back).await;
    assert_eq!(ann.do_(Request::ServerBans { after: Seq::ZERO }).await, bans);
    let mut jim = TestClient::connect(host.address).await;
    let refused = jim.ask(Request::Hello(hello("jim"))).await;
    assert_eq!(refused, Err(Refusal::ServerBanned { until: None }));
    let mut eve = host.guest("eve").await;
    assert_eq!(
        eve.ask(Request::Claim { code: second }).await,
        Err(Refusal::WrongCode),
        "it is good for once"
    );
}

#[tokio::test]
async fn a_list_of_many_clients_comes_in_pages_that_fit_a_frame() {
    let host = TestServer::start();
    let mut ann = host.guest("ann").await;
    become_operator(&mut ann, host.code.clone().expect("nobody is an operator")).await;
    let long = |text: &str, number: usize| format!("{}{number:03}", text.repeat(29));
    for number in 0..99 {
        ann.do_(Request::Create { group: group(&long("\u{1F980}", number)) }).await;
    }
    let mut guests = Vec::new();
    for number in 0..8 {
        let mut guest = host.guest(&long("\u{1F433}", number)).await;
        for number in 0..99 {
            guest.do_(Request::Join { group: group(&long("\u{1F980}", number)) }).await;
        }
        guests.push(guest);
    }
    let (mut names, mut after, mut pages) = (Vec::new(), Seq::ZERO, 0);
    loop {
        let Response::Clients { clients, next } = ann.do_(Request::Clients { after }).await else {
            panic!("no list")
        };
        names.extend(clients.into_vec().into_iter().map(|visitor| visitor.name.to_string()));
        pages += 1;
        let Some(next) = next else { break };
        after = next;
    }
    assert_eq!((names.len(), names[0].as_str()), (9, "ann"));
    assert!(pages > 1, "eight people in a hundred groups do not fit one frame");
}

/// The code that a server shows to the person who starts it.
fn shown_code(server: &ServerProgram) -> Code {
    let code = server.diagnostics().find(|said| {
        let (_, rest) = said.split_once("To become an operator of this server")?;
        let (_, code) = rest.lines().next()?.split_once(": operator ")?;
        Code::parse(code).ok()
    });
    code.expect("the server shows a code")
}

#[tokio::test]
async fn at_a_terminal_the_code_is_typed_and_kept_nowhere() {
    let server = ServerProgram::start();
    let code = shown_code(&server).to_string();
    let home = Home::new();
    let port = server.port().to_string();
    let mut ann = Terminal::chatroom(&["127.0.0.1", &port, "Ann"], &home);
    ann.wait_for("a line to type in", |screen| {
        screen.has("You joined the room 'General'") && screen.is_typing()
    });
    ann.type_line("register");
    for question in ["New password:", "The same again:"] {
        ann.wait_for(question, |screen| {
            screen.is_typing() && screen.before_cursor.trim_start().starts_with(question)
        });
        ann.type_line("correct horse");
    }
    ann.wait_for("the name is Ann's", |screen| {
        screen.lines.join(" ").contains("The name is yours now.") && screen.is_typing()
    });
    ann.type_line("users");
    ann.type_line(&format!("operator {}", code.to_lowercase()));
    ann.wait_for_line(
        "You are an operator of this server now. To see what you can do: help server",
    );
    ann.wait_for("an empty line", |screen| screen.is_typing() && screen.before_cursor.is_empty());
    ann.press(Key::Up);
    ann.wait_for("the line before the secret", |screen| screen.before_cursor == "users");
    ann.press(Key::Control('c'));

    let jim = Terminal::sit_down(&server, "Jim");
    ann.wait_for_line("Jim joined the room 'General'");
    ann.type_line("clients");
    ann.wait_for("everybody's address, name and groups", |screen| {
        screen
            .lines
            .iter()
            .any(|line| line.starts_with("Jim from 127.0.0.1:") && line.ends_with(", in General"))
    });
    ann.type_line("disconnect Jim lunch is ready");
    let left = jim.wait_exit();
    assert_eq!(left.code, 3, "it does not come back by itself");
    assert!(left.screen.has("Ann has disconnected you: lunch is ready"), "{}", left.screen);

    ann.type_line("server-ban 127.0.0.300 1h spam");
    ann.wait_for("the forms", |screen| {
        let said = "There is no user with name '127.0.0.300', nor was there lately, and it is no \
                    address. Addresses are written so: 192.0.2.1, 192.0.2.0/24";
        screen.unfolded().iter().any(|line| line.starts_with(said))
    });
    ann.type_line("server-ban 203.0.113.9/24 1h spam");
    ann.wait_for_line("You have banned 203.0.113.0/24 from this server for 1 hour: spam");
    ann.type_line("server-ban jim 1h spam");
    ann.wait_for_line("You have banned jim from this server for 1 hour: spam");
    let left = Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &Home::new()).wait_exit();
    assert_eq!(left.code, 4);
    assert!(
        left.screen.lines[0].starts_with("An operator of this server has banned this name"),
        "{}",
        left.screen
    );

    ann.type_line("exit");
    ann.wait_exit();
    let history =
        std::fs::read_to_string(home.path().join("state/chatroom/history")).expect("a history");
    assert!(history.contains("users") && !history.to_uppercase().contains(&code), "{history}");
    let said = tokio::task::spawn_blocking(move || server.stop()).await.expect("stops");
    assert_eq!(said.exit, Exit::Code(0));
    assert!(!said.output.contains(&code), "standard output is as in the figure");
    assert_eq!(said.diagnostics.matches(&code).count(), 1, "and it is said once");
}
