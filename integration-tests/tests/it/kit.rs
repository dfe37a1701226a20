//! The kit sees what a person would see: played with a shell instead of the client.

use std::path::Path;

use integration_tests::program::{Home, ServerProgram, programs};
use integration_tests::screen::Size;
use integration_tests::terminal::{Key, Modes, Terminal};

fn shell(script: &str, size: Size) -> Terminal {
    Terminal::run(Path::new("/bin/sh"), &["-c", script], &Home::new(), size)
}

#[test]
fn a_line_that_is_too_long_for_a_row_is_one_line_also_after_it_has_scrolled_off() {
    let script = r#"
        i=0
        while [ $i -lt 30 ]; do echo "$i: a text that is wider than the window"; i=$((i + 1)); done
        printf 'half a line that needs two rows' "#;
    let left = shell(script, Size { rows: 5, columns: 20 }).wait_for("the end", |screen| {
        screen.before_cursor.is_empty()
            && screen.lines.last().is_some_and(|line| line.contains("[left"))
    });
    let mut expected: Vec<String> =
        (0..30).map(|i| format!("{i}: a text that is wider than the window")).collect();
    expected.push("half a line that needs two rows[left with 0]".to_owned());
    assert_eq!(left.lines, expected);
}

#[test]
fn the_cursor_is_found_in_a_line_of_several_rows_of_wide_and_joined_characters() {
    let script = "printf '> \u{645}\u{6cc}\u{200c}\u{631}\u{648}\u{645} \u{4f60}\u{597d} \
        \u{4f60}\u{597d}\\033[2D'; read -r _";
    let screen = shell(script, Size { rows: 5, columns: 10 })
        .wait_for("the cursor in the second row", |screen| screen.after_cursor == "\u{597d}");
    assert_eq!(
        screen.before_cursor,
        "> \u{645}\u{6cc}\u{200c}\u{631}\u{648}\u{645} \u{4f60}\u{597d} \u{4f60}"
    );
}

#[test]
fn a_window_that_shrinks_keeps_the_cursor_s_row() {
    let mut terminal = shell("seq 1 8; printf half; read -r line; echo got $line", Size::default());
    terminal.wait_for("half", |screen| screen.before_cursor == "half");
    terminal.resize(Size { rows: 4, columns: 30 });
    terminal.type_line("typed");
    terminal.wait_for_line("got typed");
    let left = terminal.wait_exit();
    let expected =
        ["1", "2", "3", "4", "5", "6", "7", "8", "halftyped", "got typed", "[left with 0]"];
    assert_eq!(left.screen.lines, expected);
}

#[test]
fn a_terminal_that_was_left_raw_is_seen_to_be_raw() {
    let raw = shell("stty -icanon -echo -isig -opost; printf '\\033[?2004h'", Size::default())
        .wait_exit();
    assert_eq!(raw.modes, Modes { canonical: false, echo: false, signals: false, newlines: false });
    assert!(raw.screen.bracketed_paste);
    let usable = shell("exit 7", Size::default()).wait_exit();
    assert_eq!((usable.code, usable.modes), (7, Modes::USABLE));
    assert!(!usable.screen.bracketed_paste);
}

#[test]
fn a_signal_reaches_the_program_and_the_shell_tells_of_it() {
    let terminal = shell("echo ready; exec cat", Size::default());
    terminal.wait_for_line("ready");
    terminal.signal(rustix::process::Signal::TERM);
    assert_eq!(terminal.wait_exit().code, 128 + 15);
    let mut terminal = shell("stty -echoctl; echo ready; exec cat", Size::default());
    terminal.wait_for_line("ready");
    terminal.press(Key::Control('c'));
    assert_eq!(terminal.wait_exit().code, 128 + 2);
}

#[test]
fn the_server_s_program_starts_on_a_free_port_and_stops_when_told() {
    assert!(programs().client.is_file());
    let server = ServerProgram::start();
    assert_ne!(server.port(), 0);
    let finished = server.stop();
    assert_eq!(finished.exit, integration_tests::process::Exit::Code(0));
    assert_eq!(finished.output, "Server is listening!\n");
    assert!(finished.diagnostics.ends_with("stopped\n"), "{}", finished.diagnostics);
}
