//! The client as a script runs it: without a terminal.

use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::Signal;

use crate::process::{Output, Process};
use crate::program::{Finished, Home, Started, finish, programs, start};

/// A client that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Piped {
    process: Process,
    input: Option<ChildStdin>,
    output: Output,
    diagnostics: Output,
    lines_heard: usize,
    _home: Home,
}

impl Piped {
    /// Runs `chatroom` with these arguments.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run(arguments: &[&str]) -> Piped {
        Piped::run_at(&Home::new(), arguments)
    }

    /// The same, in this home.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run_at(home: &Home, arguments: &[&str]) -> Piped {
        Piped::start(home, Stdio::piped(), arguments)
    }

    /// Runs `chatroom 127.0.0.1 PORT NAME`.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn connect(port: u16, name: &str) -> Piped {
        Piped::run(&["127.0.0.1", &port.to_string(), name])
    }

    /// Runs `chatroom` with another standard output, which is not looked at.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run_into(output: impl Into<Stdio>, arguments: &[&str]) -> Piped {
        Piped::run_into_at(&Home::new(), output, arguments)
    }

    /// The same, in this home.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run_into_at(home: &Home, output: impl Into<Stdio>, arguments: &[&str]) -> Piped {
        Piped::start(home, output, arguments)
    }

    /// Runs `chatroom` in this home with these arguments, and with these in its environment, too.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run_with(home: &Home, environment: &[(&str, &str)], arguments: &[&str]) -> Piped {
        Piped::start_with(home, Stdio::piped(), environment, arguments)
    }

    /// Waits until it has said this on standard error.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_diagnostics(&self, wanted: &str) {
        let found = self.diagnostics.find(|said| said.contains(wanted).then_some(()));
        assert!(found.is_some(), "no {wanted} in:\n{}", self.diagnostics);
    }

    /// The next line of its standard output; nothing at its end.
    pub fn next_line(&mut self) -> Option<String> {
        let line = self.output.line(self.lines_heard);
        self.lines_heard += 1;
        line
    }

    fn start(home: &Home, output: impl Into<Stdio>, arguments: &[&str]) -> Piped {
        Piped::start_with(home, output, &[], arguments)
    }

    fn start_with(
        home: &Home,
        output: impl Into<Stdio>,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Piped {
        let mut command = Command::new(&programs().client);
        command
            .args(arguments)
            .env_clear()
            .envs(home.environment())
            .stdin(Stdio::piped())
            .stdout(output);
        command.envs(environment.iter().copied());
        let Started { process, input, output, diagnostics } = start(&mut command);
        Piped { process, input, output, diagnostics, lines_heard: 0, _home: home.clone() }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When the input was ended before.
    pub fn say(&mut self, line: &str) {
        self.say_all(&format!("{line}\n"));
    }

    /// Writes to its standard input. One who has ended and reads no more is not told off.
    ///
    /// # Panics
    /// When the input was ended before.
    pub fn say_all(&mut self, text: &str) {
        let input = self.input.as_mut().expect("the input is still open");
        let _ = input.write_all(text.as_bytes());
    }

    /// Waits for the next line of its standard output, which must be this.
    ///
    /// # Panics
    /// When it is another, or none comes.
    pub fn hear(&mut self, expected: &str) {
        let heard = self.output.line(self.lines_heard);
        assert_eq!(
            heard.as_deref(),
            Some(expected),
            "line {} of the output; in all:\n{}{}",
            self.lines_heard,
            self.output,
            self.diagnostics
        );
        self.lines_heard += 1;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends its input, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn finish(mut self) -> Finished {
        self.input = None;
        self.wait()
    }

    /// Waits for its end, without ending its input.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(self) -> Finished {
        finish(&self.process, &self.output, &self.diagnostics)
    }
}
