//! Help, a screen at a time; and what the client says to those who mistype.

use integration_tests::program::{Home, ServerProgram, quiet_port};
use integration_tests::screen::Screen;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::TestClient;

/// Types a line, and gives what is shown below it: 24 rows at the most, with the line being typed.
fn page(jim: &mut Terminal, line: &str, last: &str) -> Vec<String> {
    jim.type_line(line);
    let is_last = |shown: &String| shown.starts_with(last);
    let screen = jim.wait_for(last, |screen| screen.lines.iter().any(is_last));
    let from = screen.lines.iter().rposition(|shown| shown == line).expect("it was typed");
    let page = screen.lines[from + 1..].to_vec();
    assert!(page.len() < 24, "{screen}");
    page
}

#[test]
fn help_is_a_page_of_ten_commands_and_the_names_of_the_others() {
    let server = ServerProgram::start();
    let mut jim = Terminal::sit_down(&server, "Jim");
    let first = page(&mut jim, "help", "help keys");
    let words: Vec<&str> = first.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        words[..8],
        ["create", "join", "leave", "groups", "users", "public", "private", "exit"]
    );
    assert_eq!(words[8..10], ["history", "search"]);
    for (topic, last, has) in [
        ("groups", "unregister", "open [group-name|@username]"),
        ("order", "deop", "kick"),
        ("server", "server-bans", "clients"),
        ("keys", "that begins with //", "Ctrl-R"),
    ] {
        assert!(first.iter().any(|line| line.starts_with(&format!("help {topic} "))));
        let page = page(&mut jim, &format!("help {topic}"), last);
        assert!(page.iter().any(|line| line.starts_with(has)), "{page:?}");
    }
    page(&mut jim, "help kick", "Ends somebody's membership");
}

#[test]
fn what_ended_the_last_run_is_not_the_first_that_up_brings() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let jim = || {
        let port = server.port().to_string();
        let jim = Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &home);
        jim.wait_for("the welcome", |screen| screen.is_typing() && screen.lines.len() > 2);
        jim
    };
    let mut first = jim();
    first.type_line("users");
    first.wait_for_line("online users:");
    first.type_line("quit");
    first.wait_for_line("There is no command 'quit'. Did you mean 'exit'?");
    first.type_line("exit");
    first.wait_exit();
    let mut second = jim();
    second.press(Key::Up);
    second.wait_for("what was typed before", |screen| screen.before_cursor == "users");
}

#[tokio::test]
async fn one_who_ignores_nobody_is_told_and_who_was_meant() {
    let says = |screen: &Screen, text: &str| screen.unfolded().join(" ").contains(text);
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_line("users");
    jim.wait_for_line("online users:");
    jim.type_line("ignore Amn");
    jim.wait_for("nobody, and who was meant", |screen| {
        says(screen, "Nobody called 'Amn' is here, or was lately. Did you mean 'Ann'?")
    });
    jim.type_line("ignore Zoe");
    jim.wait_for("nobody", |screen| {
        says(screen, "Nobody called 'Zoe' is here, or was lately. If one comes,")
    });
    ann.do_(chatroom_proto::Request::Exit).await;
    jim.wait_for_line("Ann has left the chat.");
    jim.type_line("ignore Ann");
    jim.wait_for("the answer", |screen| says(screen, "You hear nothing more of what Ann says."));
    jim.type_line("groups");
    let screen = jim.wait_for_line("available groups:");
    assert!(!says(&screen, "Nobody called 'Ann'"), "she was here: {screen}");
}

#[test]
fn without_a_server_nobody_is_asked_for_a_name() {
    let port = quiet_port().to_string();
    let jim = Terminal::chatroom(&["127.0.0.1", &port], &Home::new());
    let left = jim.wait_exit();
    assert_eq!(left.code, 3);
    let said = left.screen.unfolded().join(" ");
    assert!(said.contains("Is the server running there?"), "{said}");
    assert!(!said.contains("Choose username"), "{said}");
}
