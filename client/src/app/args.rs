//! The command line. `args/server_address.rs`: where the server is.

mod server_address;

use std::ffi::OsStr;
use std::path::PathBuf;

use chatroom_proto::Fingerprint;
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The assignment's port: where a server listens unless told otherwise.
const PORT: u16 = 9000;

const AFTER_HELP: &str = "\
Examples:
  chatroom                             ask for a name, and chat at 127.0.0.1:9000
  chatroom 127.0.0.1 9000 Jim          chat as Jim
  printf 'users\\n' | chatroom 127.0.0.1 9000 Ann
                                       commands from a pipe, one a line; each waits for its answer

With a pipe, standard output has what the server said, one event a line, and standard error what \
this program has
to say itself. Without a NAME, the first line of the pipe is the name. What was said before, \
while this program did
not run or had no connection, or in a history, has the time in front of it: \
[2026-11-24T09:15:02.123Z].

A server that keeps messages tells those that came while you were away, once, when you are back \
under your name on
this machine; and what was sent and has no answer when this program is killed is sent again by \
its next run.

To every host but this machine it speaks TLS. A server that an authority of this system vouches \
for is believed; of
any other, the key is kept when it is met first, and shown, and a server with another key is \
refused from then on.

Exit codes:
  0  fine                              3  cannot connect, the connection is lost for good, or the \
  server is not trusted
  1  a command was refused (pipe)      4  the name or its password was refused
  2  wrong usage                       5  the server speaks another protocol or version
  128 + n when signal n ended it";

/// Chat with the people on a chatroom-server.
#[derive(Debug, Parser)]
#[command(name = "chatroom", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Where the server is; HOST:PORT and [IPv6 address]:PORT are fine, too
    #[arg(value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Its port [default: 9000]
    #[arg(value_name = "PORT")]
    second: Option<String>,

    /// Your name; asked for when it is missing
    #[arg(value_name = "NAME")]
    third: Option<String>,

    #[arg(skip)]
    pub(crate) port: u16,

    #[arg(skip)]
    pub(crate) name: Option<String>,

    /// Colours; `auto` means at a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,

    /// Show the time before what arrives at a terminal, and a line between days
    #[arg(long, env = "CHATROOM_TIMES", value_parser = BoolishValueParser::new())]
    pub(crate) times: bool,

    /// Where to keep the lines that you type [default: $XDG_STATE_HOME/chatroom/history]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    /// Do not keep the lines that you type
    #[arg(long, conflicts_with = "history")]
    pub(crate) no_history: bool,

    /// Where to keep who you are here, and how far you have read
    /// [default: $XDG_STATE_HOME/chatroom/clients/HOST_PORT/NAME]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Do not keep that: be a stranger each time
    #[arg(long, conflicts_with = "state")]
    pub(crate) no_state: bool,

    /// A file whose first line is the password of NAME, for when it is registered
    #[arg(long, value_name = "FILE", conflicts_with = "password_command")]
    pub(crate) password_file: Option<PathBuf>,

    /// A command whose first line of output is the password of NAME
    #[arg(long, value_name = "COMMAND")]
    pub(crate) password_command: Option<String>,
    /// Speak TLS, also to this machine [default: to every host but this machine]
    #[arg(long, conflicts_with = "plaintext")]
    pub(crate) tls: bool,

    /// Do not speak TLS: everybody on the way to the server can read along
    #[arg(long)]
    pub(crate) plaintext: bool,

    /// Where to keep the keys of servers that no authority vouches for
    /// [default: $XDG_STATE_HOME/chatroom/known_hosts]
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// Go on only if the server has this key, and know it by this key from now on
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "plaintext")]
    pub(crate) accept_key: Option<Fingerprint>,

    /// What to log, for example `debug` or `chatroom_client=trace`; messages are never logged
    #[arg(
        long,
        env = "RUST_LOG",
        value_name = "FILTER",
        value_parser = |filter: &str| EnvFilter::try_new(filter)
    )]
    pub(crate) log: Option<EnvFilter>,

    /// Where to log to, instead of standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

impl Args {
    /// Reads the command line and the environment. A variable that is empty is as if it was not
    /// there.
    ///
    /// # Errors
    /// What is to be answered instead: help, the version, or what is wrong.
    pub(crate) fn read() -> Result<Args, clap::Error> {
        let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let mut command = Args::command().mut_args(|arg| {
            if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg }
        });
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let args = Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        args.place().map_err(|why| command.error(ErrorKind::ValueValidation, why))
    }

    /// Finds out which argument is what: behind HOST:PORT comes the name.
    fn place(mut self) -> Result<Args, String> {
        let (host, port) = server_address::split(&self.host)?;
        let (port, name) = match (port, self.second.take(), self.third.take()) {
            (Some(port), second, None) => (Some(port.to_owned()), second),
            (Some(port), Some(second), Some(_)) => {
                return Err(format!("the port is given twice: '{port}' and '{second}'"));
            }
            (_, second, third) => (second, third),
        };
        self.port = port.map_or(Ok(PORT), |port| server_address::port(&port))?;
        self.name = name;
        self.host = host.to_owned();
        Ok(self)
    }
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// At a terminal, unless NO_COLOR is set.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl ColorChoice {
    /// The answer for this process.
    pub(crate) fn decide(self, at_terminal: bool) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                at_terminal
                    && !is_set("NO_COLOR")
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn host_and_port_have_the_assignments_defaults() {
        assert_eq!(placed(&[]), Ok(("127.0.0.1".to_owned(), 9000, None)));
        let jim = Some("Jim".to_owned());
        let all = placed(&["chat.example", "7000", "Jim"]);
        assert_eq!(all, Ok(("chat.example".to_owned(), 7000, jim)));
    }

    #[test]
    fn a_host_may_have_its_port_with_it() {
        let jim = || Some("Jim".to_owned());
        assert_eq!(placed(&["localhost:7"]), Ok(("localhost".to_owned(), 7, None)));
        assert_eq!(placed(&["localhost:7", "Jim"]), Ok(("localhost".to_owned(), 7, jim())));
        assert_eq!(placed(&["[::1]:7", "Jim"]), Ok(("::1".to_owned(), 7, jim())));
        assert_eq!(placed(&["[::1]", "7", "Jim"]), Ok(("::1".to_owned(), 7, jim())));
        assert!(placed(&["localhost:7", "8", "Jim"]).unwrap_err().contains("given twice"));
        assert!(placed(&["localhost", "Jim"]).unwrap_err().contains("'Jim' is no port"));
        assert!(placed(&["localhost", "70000"]).unwrap_err().contains("from 1 to 65535"));
    }

    fn placed(arguments: &[&str]) -> Result<(String, u16, Option<String>), String> {
        let all = ["chatroom"].iter().chain(arguments);
        let args = Args::parse_from(all).place()?;
        Ok((args.host, args.port, args.name))
    }
}
