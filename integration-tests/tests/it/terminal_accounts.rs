//! Registered names, as people meet them: passwords that are asked for and never shown.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::proxy::Proxy;
use integration_tests::screen::Screen;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::tls::elsewhere;

const SECRET: &str = "correct horse";

fn jim_at(server: &ServerProgram, home: &Home) -> Terminal {
    Terminal::chatroom(&["127.0.0.1", &server.port().to_string(), "Jim"], home)
}

fn is_ready(screen: &Screen) -> bool {
    screen.has("You joined the room 'General'")
        && screen.is_typing()
        && screen.before_cursor.is_empty()
}

/// Whether this is on the screen, wherever its lines were broken.
fn has_text(screen: &Screen, text: &str) -> bool {
    screen.unfolded().join(" ").contains(text)
}

/// Waits for a question, and answers it.
fn answer(terminal: &mut Terminal, question: &str, text: &str) {
    terminal.wait_for(question, |screen| {
        screen.is_typing() && screen.before_cursor.trim_start().starts_with(question.trim_end())
    });
    terminal.type_line(text);
}

fn register(terminal: &mut Terminal) {
    terminal.type_line("register");
    answer(terminal, "New password:", SECRET);
    answer(terminal, "The same again:", SECRET);
    terminal.wait_for("the name is Jim's", |screen| has_text(screen, "The name is yours now."));
}

/// Everything that was written into files below this folder.
fn all_files(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            bytes.extend(all_files(&path));
        } else {
            bytes.extend(fs::read(&path).unwrap_or_default());
        }
    }
    bytes
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_password_is_asked_for_twice_and_stands_nowhere() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);
    jim.type_line("register");
    answer(&mut jim, "New password:", SECRET);
    answer(&mut jim, "The same again:", "something else");
    jim.wait_for("nothing was done", |screen| has_text(screen, "These two passwords differ"));
    register(&mut jim);
    assert!(!contains(&jim.raw(), SECRET), "it was on the screen");
    jim.type_line("exit");
    jim.wait_exit();
    assert!(!contains(&all_files(home.path()), SECRET), "it is in a file of the client");
    assert!(!contains(&all_files(server.home().path()), SECRET), "it is in a file of the server");
    assert!(!format!("{}", server.diagnostics()).contains(SECRET), "it is in the diagnostics");
}

#[test]
fn what_was_typed_as_a_password_is_not_brought_back_by_any_key_nor_told_by_the_cursor() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);
    let mut ann = Piped::connect(server.port(), "Ann");
    jim.wait_for_line("Ann joined the room 'General'");
    jim.type_line("register");
    let at_question =
        |screen: &Screen| screen.is_typing() && screen.before_cursor.trim_end() == "New password:";
    jim.wait_for("the question", at_question);
    for (number, kills) in ['u', 'w'].into_iter().enumerate() {
        jim.type_text(SECRET);
        // What is said paints the line anew, behind all that was typed until then.
        ann.say(&format!("public General how long is it? {number}"));
        jim.wait_for_line(&format!("In group General, Ann: how long is it? {number}"));
        jim.wait_for("the cursor where it was", at_question);
        jim.press(Key::Control(kills));
    }
    for key in ['y', '_', 'r', 'a', 'k', 'y'] {
        jim.press(Key::Control(key));
    }
    jim.type_line(SECRET);
    jim.wait_for("the question", |screen| {
        screen.is_typing() && screen.before_cursor.contains("again:")
    });
    jim.paste(&format!("{SECRET}\n"));
    jim.press(Key::Enter);
    jim.wait_for("the name is Jim's", |screen| has_text(screen, "The name is yours now."));
    for key in [Key::Control('y'), Key::Control('_'), Key::Up, Key::Control('y')] {
        jim.press(key);
    }
    jim.type_text("!");
    jim.wait_for("what was typed last", |screen| screen.before_cursor == "register!");
    assert!(
        !contains(&jim.raw(), SECRET) && !contains(&jim.raw(), "horse"),
        "it was on the screen"
    );
}

#[test]
fn one_comes_back_without_a_password_and_from_elsewhere_with_it() {
    let (server, home, elsewhere) = (ServerProgram::start(), Home::new(), Home::new());
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);
    register(&mut jim);
    jim.type_line("exit");
    jim.wait_exit();
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);

    let mut also_jim = jim_at(&server, &elsewhere);
    also_jim.wait_for("what it is asked for", |screen| {
        has_text(screen, "The name 'Jim' belongs to somebody who has registered it.")
    });
    answer(&mut also_jim, "Password:", "wrong");
    also_jim
        .wait_for("it is wrong", |screen| has_text(screen, "That is not the password of 'Jim'."));
    answer(&mut also_jim, "Password:", SECRET);
    also_jim.wait_for("the welcome", is_ready);
    also_jim.type_line("public General here, too");
    jim.wait_for_line("In group General, Jim: here, too");

    // A new password locks the other one out.
    jim.type_line("passwd");
    answer(&mut jim, "Password until now:", SECRET);
    answer(&mut jim, "New password:", "another");
    answer(&mut jim, "The same again:", "another");
    jim.wait_for("it is changed", |screen| has_text(screen, "The password is changed."));
    let left = also_jim.wait_exit();
    assert_eq!(left.code, 4, "{}", left.screen);
    assert!(
        has_text(&left.screen, "The password of your name was changed on another device."),
        "{}",
        left.screen
    );
    // And this one is still known, by another token.
    jim.type_line("exit");
    jim.wait_exit();
    jim_at(&server, &home).wait_for("the welcome", is_ready);
}

#[test]
fn one_who_does_not_know_the_password_can_go_and_can_take_another_name() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);
    register(&mut jim);
    let mut stranger = Terminal::chatroom(&["127.0.0.1", &server.port().to_string()], &Home::new());
    answer(&mut stranger, "Choose username:", "jim");
    stranger.wait_for("the password", |screen| {
        screen.is_typing() && screen.before_cursor.contains("Password:")
    });
    stranger.press(Key::Control('c'));
    answer(&mut stranger, "Choose username:", "Kim");
    stranger.wait_for("the welcome", is_ready);
}

#[test]
fn no_password_is_asked_for_where_others_could_read_along() {
    let Some(elsewhere) = elsewhere() else { return };
    let listen = SocketAddr::new(elsewhere, 0).to_string();
    let (server, home) =
        (ServerProgram::start_with(&["--listen", &listen, "--allow-plaintext"]), Home::new());
    let mut jim = jim_at(&server, &home);
    jim.wait_for("the welcome", is_ready);
    register(&mut jim);
    let (host, port) = (elsewhere.to_string(), server.addresses()[1].port().to_string());
    let mut stranger = Terminal::chatroom(&["--plaintext", &host, &port], &Home::new());
    answer(&mut stranger, "Choose username:", "jim");
    stranger.wait_for("what is to be done", |screen| {
        has_text(screen, "so no password is asked for. If it is not, choose another name.")
    });
    answer(&mut stranger, "Choose username:", "Kim");
    stranger.wait_for("the welcome", is_ready);
    for (command, told) in [("register", 1), ("passwd", 2), ("unregister", 3)] {
        stranger.type_line(command);
        stranger.wait_for("why not", |screen| {
            let text = screen.unfolded().join(" ");
            screen.is_typing()
                && text.matches("no password is asked for and none is said").count() == told
        });
    }
}

// Neither side can see a forwarder: to the client it is the server's own machine, to the server a
// stranger's. A thread for it: this one waits for the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_that_a_forwarder_has_carried_in_the_open_is_not_taken_and_its_owner_is_told() {
    let Some(elsewhere) = elsewhere() else { return };
    let listen = SocketAddr::new(elsewhere, 0).to_string();
    let server = ServerProgram::start_with(&["--listen", &listen, "--allow-plaintext"]);
    let proxy = Proxy::to(server.addresses()[1], usize::MAX).await;
    let mut jim = jim_at(&server, &Home::new());
    jim.wait_for("the welcome", is_ready);
    register(&mut jim);

    let (port, home) = (proxy.address.port().to_string(), Home::new());
    let mut also_jim = Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &home);
    answer(&mut also_jim, "Password:", SECRET);
    also_jim.wait_for("what is to be done", |screen| {
        has_text(screen, "Come back with --tls. If somebody may have read it: change it.")
    });

    let mut over_tls = Terminal::chatroom(&["--tls", "127.0.0.1", &port, "Jim"], &home);
    answer(&mut over_tls, "Password:", SECRET);
    over_tls.wait_for("the welcome", is_ready);
}

#[test]
fn a_bot_registers_and_comes_back_with_a_password_from_a_file_or_a_command() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let home = Home::new();
    let file = home.path().join("password");
    fs::write(&file, "hunter2\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    let file = file.to_str().expect("text");
    let mut bot = Piped::run(&["--password-file", file, "127.0.0.1", &port, "Bot"]);
    bot.say_all("register\nexit\n");
    let finished = bot.wait();
    assert_eq!(finished.exit, Exit::Code(0), "{finished:?}");
    assert!(finished.output.contains("The name is yours now."), "{finished:?}");

    // Another place, where nothing is known of it.
    let command = format!("cat {file}");
    let mut bot = Piped::run(&["--password-command", &command, "127.0.0.1", &port, "Bot"]);
    bot.say_all("users\nexit\n");
    let finished = bot.wait();
    assert_eq!(
        (finished.exit, finished.output.contains("online users:\nBot")),
        (Exit::Code(0), true),
        "{finished:?}"
    );

    for (arguments, words) in [
        (vec!["127.0.0.1", &port, "Bot"], "--password-file FILE"),
        (
            vec!["--password-command", "echo wrong", "127.0.0.1", &port, "Bot"],
            "That is not the password of 'Bot'",
        ),
    ] {
        let finished = Piped::run(&arguments).wait();
        assert_eq!(finished.exit, Exit::Code(4), "{finished:?}");
        assert!(finished.diagnostics.contains(words), "{finished:?}");
    }
}

#[test]
fn a_pipe_without_a_password_is_told_how_to_give_one() {
    let server = ServerProgram::start();
    let mut bot = Piped::connect(server.port(), "Bot");
    bot.say_all("register\npasswd\nexit\n");
    let finished = bot.wait();
    assert_eq!(finished.exit, Exit::Code(1), "{finished:?}");
    assert!(finished.diagnostics.contains("--password-file FILE"), "{finished:?}");
}
