//! The command line, and the environment's variable for each option.

use std::path::PathBuf;

use anyhow::Context;
use chatroom_proto::GroupName;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use tracing_subscriber::EnvFilter;

use super::environment::{self, UnknownVariable};
use crate::config::{Config, RATE_MAX};
use crate::net::tls::TlsSource;
use crate::storage::data_dir::default_data;
use crate::storage::log::Durability;

/// A chat server. Clients connect with `chatroom HOST PORT NAME`.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "\
Signals: SIGTERM and Ctrl-C say goodbye to everyone and stop the server, and so does SIGHUP when \
the terminal in
which it was started is closed; any other SIGHUP reads the TLS certificate and its key again. \
SIGUSR1 writes every
client's address, name and groups to the diagnostics, and whether it speaks TLS.

Clients on other machines speak TLS. The server makes a key for that in its data directory; \
clients recognize it by
its fingerprint, which is said at the start and by `chatroom-server fingerprint`."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) tool: Option<Tool>,

    /// Where to listen: an address or a name of this machine, at all addresses of a name; may be
    /// given more than once. Only this machine can reach 127.0.0.1; others reach 0.0.0.0:9000, and
    /// [::]:9000 over IPv6 as well.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9000",
        env = "CHATROOM_LISTEN",
        value_delimiter = ','
    )]
    pub(super) listen: Vec<String>,

    /// A certificate that an authority has signed, with those that lead to the authority, in PEM
    /// [default: the server makes its own].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "tls_key",
        env = "CHATROOM_TLS_CERT"
    )]
    pub(super) tls_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "tls_cert",
        env = "CHATROOM_TLS_KEY"
    )]
    pub(super) tls_key: Option<PathBuf>,

    /// Let clients on other machines come without TLS: everybody on the way can read along.
    #[arg(long, env = "CHATROOM_ALLOW_PLAINTEXT")]
    pub(super) allow_plaintext: bool,

    /// Connections at the same time [default: as many as the limit on file descriptors allows].
    #[arg(
        long,
        value_name = "COUNT",
        env = "CHATROOM_CONNECTIONS_MAX",
        value_parser = value_parser!(u32).range(1..)
    )]
    pub(super) connections_max: Option<u32>,

    /// Connections from one address at the same time, and half of what may come from it in a
    /// minute; 0 for any number. An address is one of IPv4, or 64 bits of one of IPv6. 127.0.0.1
    /// and ::1 have no such limit.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = Config::default().connections_per_address_max,
        env = "CHATROOM_CONNECTIONS_PER_ADDRESS_MAX"
    )]
    pub(super) connections_per_address_max: u32,

    /// What one person may ask for in a second; 0 for any amount. A short message is 1, a long one
    /// up to 17, a new group 10. Ten times as much may come at once, and twenty times as much from
    /// one address.
    #[arg(
        long,
        value_name = "UNITS",
        default_value_t = Config::default().rate,
        env = "CHATROOM_RATE",
        value_parser = value_parser!(u32).range(0..=i64::from(RATE_MAX))
    )]
    pub(super) rate: u32,

    /// Groups in all.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = Config::default().limits.groups_max,
        env = "CHATROOM_GROUPS_MAX",
        value_parser = value_parser!(u32).range(1..)
    )]
    pub(super) groups_max: u32,

    /// Keep everything in this directory, so that a restart or a crash forgets nothing [default:
    /// chatroom-server in $XDG_STATE_HOME or ~/.local/state].
    #[arg(long, global = true, value_name = "DIRECTORY", env = "CHATROOM_DATA")]
    pub(super) data: Option<PathBuf>,

    /// Keep nothing: what is said is told to those who are there, and a restart forgets everything.
    #[arg(
        long,
        conflicts_with_all = ["data", "durability", "keep_days"],
        env = "CHATROOM_IN_MEMORY"
    )]
    pub(super) in_memory: bool,

    /// What an acknowledged message survives.
    #[arg(long, value_enum, default_value_t = Durability::Full, env = "CHATROOM_DURABILITY")]
    pub(super) durability: Durability,

    /// Delete what was said after so many days; 0 keeps it for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 0, env = "CHATROOM_KEEP_DAYS")]
    pub(super) keep_days: u32,

    /// Which diagnostics go to standard error: a level (error, warn, info, debug, trace) or a
    /// filter in the syntax of tracing's `EnvFilter`.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "RUST_LOG",
        value_parser = |filter: &str| EnvFilter::try_new(filter)
    )]
    pub(super) log: EnvFilter,
}

/// What else can be done with what a server keeps.
#[derive(Debug, Subcommand)]
pub(super) enum Tool {
    /// Read everything that is kept, and say whether it is whole.
    Verify,
    /// Write what was said in a group to standard output, as lines of JSON. A server may be
    /// running.
    Export {
        /// The group's name.
        #[arg(value_parser = |name: &str| GroupName::parse(name))]
        group: GroupName,
    },
    /// Write the fingerprint of the server's key, by which clients recognize it.
    Fingerprint,
    /// Copy the log and the server's own key to a new directory, and check the copy. A server may
    /// be running.
    Backup {
        /// Where to: nothing may be there.
        #[arg(value_name = "DIRECTORY")]
        to: PathBuf,
    },
    /// Put a backup back into the data directory (--data), which must have no log.
    Restore {
        /// Where the backup is.
        #[arg(value_name = "DIRECTORY")]
        from: PathBuf,
    },
}

impl Arguments {
    /// Reads the command line and the environment. Also gives the variables that mean nothing.
    ///
    /// # Errors
    /// What is to be answered instead: help, the version, or what is wrong.
    pub(super) fn read() -> Result<(Arguments, Vec<UnknownVariable>), clap::Error> {
        let unknown = environment::unknown_variables(&Arguments::command());
        let mut command = environment::heed(Arguments::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let read = Arguments::from_arg_matches(&matches);
        Ok((read.map_err(|error| error.format(&mut command))?, unknown))
    }

    /// Where the key and the certificate are.
    pub(super) fn tls_source(&self) -> anyhow::Result<TlsSource> {
        Ok(match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                TlsSource::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ if self.in_memory => TlsSource::Memory,
            _ => TlsSource::Directory(self.data_dir()?),
        })
    }

    /// Where things are kept.
    pub(super) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        let data = self.data.clone().or_else(default_data);
        data.context(
            "there is no home directory to keep things in: choose a directory with --data, or \
             --in-memory",
        )
    }
}
