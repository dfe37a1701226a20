//! `chatroom-server`: arguments, logging, which log to open; runs until told to stop.

use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chatroom_proto::{GroupName, Keeps};
use chatroom_server::archive::{Archive, ArchiveError};
use chatroom_server::chat::effect::Channel;
use chatroom_server::config::{self, Config};
use chatroom_server::console::Console;
use chatroom_server::data::default_data;
use chatroom_server::log::{Durability, Log, MemoryLog, SqliteLog};
use chatroom_server::tls::{self, Source, Tls};
use chatroom_server::{Kept, Monitor, Server, listener, tools};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that may wait for a standard output or error that is slow; more are dropped. The server never waits for them.
const LINES_WAITING_MAX: usize = 16_384;

/// A chat server. Clients connect with `chatroom HOST PORT NAME`.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "\
Signals: SIGTERM and Ctrl-C say goodbye to everyone and stop the server, and so does SIGHUP when the terminal in
which it was started is closed; any other SIGHUP reads the TLS certificate and its key again. SIGUSR1 writes every
client's address, name and groups to the diagnostics, and whether it speaks TLS.

Clients on other machines speak TLS. The server makes a key for that in its data directory; clients recognize it by
its fingerprint, which is said at the start and by `chatroom-server fingerprint`."
)]
struct Arguments {
    #[command(subcommand)]
    tool: Option<Tool>,

    /// Where to listen: an address or a name of this machine; may be given more than once. Only this machine can reach
    /// 127.0.0.1; others reach 0.0.0.0:9000, and [::]:9000 over IPv6 as well.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9000",
        env = "CHATROOM_LISTEN",
        value_delimiter = ','
    )]
    listen: Vec<String>,

    /// A certificate that an authority has signed, with those that lead to the authority, in PEM
    /// [default: the server makes its own].
    #[arg(long, global = true, value_name = "FILE", requires = "tls_key", env = "CHATROOM_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(long, global = true, value_name = "FILE", requires = "tls_cert", env = "CHATROOM_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Let clients on other machines come without TLS: everybody on the way can read along.
    #[arg(long, env = "CHATROOM_ALLOW_PLAINTEXT")]
    allow_plaintext: bool,

    /// Connections at the same time [default: as many as the limit on file descriptors allows].
    #[arg(long, value_name = "COUNT", env = "CHATROOM_CONNECTIONS_MAX", value_parser = clap::value_parser!(u32).range(1..))]
    connections_max: Option<u32>,

    /// Connections from one address at the same time, and half of what may come from it in a minute; 0 for any number. An
    /// address is one of IPv4, or 64 bits of one of IPv6. 127.0.0.1 and ::1 have no such limit.
    #[arg(long, value_name = "COUNT", default_value_t = config::Config::default().connections_per_address_max,
          env = "CHATROOM_CONNECTIONS_PER_ADDRESS_MAX")]
    connections_per_address_max: u32,

    /// What one person may ask for in a second; 0 for any amount. A short message is 1, a long one up to 17, a new group 10. Ten
    /// times as much may come at once, and twenty times as much from one address.
    #[arg(long, value_name = "UNITS", default_value_t = config::Config::default().rate, env = "CHATROOM_RATE",
          value_parser = clap::value_parser!(u32).range(0..=i64::from(config::RATE_MAX)))]
    rate: u32,

    /// Groups in all.
    #[arg(long, value_name = "COUNT", default_value_t = config::Config::default().limits.groups_max, env = "CHATROOM_GROUPS_MAX",
          value_parser = clap::value_parser!(u32).range(1..))]
    groups_max: u32,

    /// Keep everything in this directory, so that a restart or a crash forgets nothing [default: chatroom-server in
    /// $XDG_STATE_HOME or ~/.local/state].
    #[arg(long, global = true, value_name = "DIRECTORY", env = "CHATROOM_DATA")]
    data: Option<PathBuf>,

    /// Keep nothing: what is said is told to those who are there, and a restart forgets everything.
    #[arg(long, conflicts_with_all = ["data", "durability", "keep_days"], env = "CHATROOM_IN_MEMORY")]
    in_memory: bool,

    /// What an acknowledged message survives.
    #[arg(long, value_enum, default_value_t = Durability::Full, env = "CHATROOM_DURABILITY")]
    durability: Durability,

    /// Delete what was said after so many days; 0 keeps it for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 0, env = "CHATROOM_KEEP_DAYS")]
    keep_days: u32,

    /// Which diagnostics go to standard error: a level (error, warn, info, debug, trace) or a filter in the syntax of
    /// tracing's `EnvFilter`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    log: EnvFilter,
}

/// What else can be done with what a server keeps.
#[derive(Debug, Subcommand)]
enum Tool {
    /// Read everything that is kept, and say whether it is whole.
    Verify,
    /// Write what was said in a group to standard output, as lines of JSON. A server may be running.
    Export {
        /// The group's name.
        #[arg(value_parser = |name: &str| GroupName::parse(name))]
        group: GroupName,
    },
    /// Write the fingerprint of the server's key, by which clients recognize it.
    Fingerprint,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (diagnostics, _diagnostics_guard) = lossy(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(arguments.log.clone())
        .with_writer(diagnostics)
        .with_ansi(
            std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none(),
        )
        .init();
    let done = match &arguments.tool {
        Some(tool) => use_tool(tool, &arguments),
        None => run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatroom-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { listen, connections_max, groups_max, .. } = &arguments;
    let (output, _output_guard) = lossy(std::io::stdout());
    let mut config = Config { console: Console::new(output), ..Config::default() };
    config.limits.groups_max = *groups_max;
    config.connections_per_address_max = arguments.connections_per_address_max;
    config.rate = arguments.rate;
    config.limits.keeps = match (arguments.in_memory, arguments.keep_days) {
        (true, _) => Keeps::Nothing,
        (false, 0) => Keeps::Everything,
        (false, days) => Keeps::Days(days),
    };
    config.connections_max = allowed_connections(*connections_max)?;
    let sockets = bind(listen).await?;
    let addresses: Result<Vec<_>, _> = sockets.iter().map(TcpListener::local_addr).collect();
    let addresses = addresses.context("can't tell where the server listens")?;
    let (console, connections_max) = (config.console.clone(), config.connections_max);

    let shutdown = CancellationToken::new();
    stop_on_signals(&shutdown)?;
    let (log, kept) = open_log(&arguments)?;
    // Behind the log, which sees to it that no other server uses the directory.
    let tls = Tls::open(tls_source(&arguments)?).context("can't set up TLS")?;
    let fingerprint = tls.fingerprint()?;
    on_hangup(tls.clone(), &shutdown)?;
    (config.tls, config.allow_plaintext) = (Some(tls), arguments.allow_plaintext);
    let server = Server::open(log, kept, config, shutdown.clone()).await.context("can't restore the chat")?;
    if shutdown.is_cancelled() {
        info!("stopped before anybody was served");
        return Ok(());
    }
    report_clients_on_signal(server.monitor())?;
    for address in &addresses {
        info!(%address, connections_max, groups_max, "listening");
    }
    info!(%fingerprint, "clients on other machines recognize this server by its key");
    if let Some(code) = server.operator_code() {
        // Not a diagnostic: it is for the person who starts the server, whatever the filter says, and for no file of them.
        eprintln!("To become an operator of this server, type in the client: operator {code}");
    }
    console.listening();
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        console.fingerprint(fingerprint);
        warn_of_the_network(&arguments);
    }
    server.run(sockets).await?;
    info!("stopped");
    Ok(())
}

/// What is to be known of a server that others can reach.
fn warn_of_the_network(arguments: &Arguments) {
    if arguments.allow_plaintext {
        warn!("clients on other machines may come without TLS: everybody on the way can read along");
    }
    if arguments.in_memory && arguments.tls_cert.is_none() {
        warn!(
            "the key is a new one at every start, and clients refuse a server whose key has changed: give one with \
             --tls-cert and --tls-key, or keep one with --data"
        );
    }
}

/// Where the key and the certificate are.
fn tls_source(arguments: &Arguments) -> anyhow::Result<Source> {
    Ok(match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            Source::Files { certificate: certificate.clone(), key: key.clone() }
        }
        _ if arguments.in_memory => Source::Memory,
        _ => Source::Directory(data(arguments)?),
    })
}

/// The log that was asked for, and what it has kept.
fn open_log(arguments: &Arguments) -> anyhow::Result<(Arc<dyn Log>, Option<Kept>)> {
    if arguments.in_memory {
        return Ok((Arc::new(MemoryLog::new()), None));
    }
    let directory = data(arguments)?;
    info!(directory = %directory.display(), durability = ?arguments.durability, "keeping everything");
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(&directory, arguments.durability)?);
    let kept = open_archive(&directory, &log, arguments.durability)?;
    Ok((log, Some(kept)))
}

/// The archive of a log. Without full durability, a power failure may cost the log its last moment, which the archive has
/// seen: that is what was asked for.
fn open_archive(directory: &Path, log: &Arc<dyn Log>, durability: Durability) -> Result<Kept, ArchiveError> {
    match Archive::open(directory, Arc::clone(log)) {
        Err(ArchiveError::Ahead { archive, log: head, .. }) if durability == Durability::Normal => {
            warn!(%archive, log = %head, "the log has lost its last moment; the archive is made again");
            Archive::remove(directory)?;
            Archive::open(directory, Arc::clone(log))
        }
        opened => opened,
    }
}

/// Where things are kept.
fn data(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let data = arguments.data.clone().or_else(default_data);
    data.context(
        "there is no home directory to keep things in: choose a directory with --data, or --in-memory",
    )
}

fn use_tool(tool: &Tool, arguments: &Arguments) -> anyhow::Result<()> {
    match tool {
        Tool::Verify => println!("{}", tools::verify(&data(arguments)?)?),
        Tool::Export { group } => {
            tools::export(&data(arguments)?, group, &mut BufWriter::new(std::io::stdout().lock()))?;
        }
        Tool::Fingerprint => {
            let source = tls_source(arguments)?;
            ensure!(
                !matches!(source, Source::Memory),
                "with --in-memory the key is a new one at every start"
            );
            println!("{}", tls::fingerprint_at(&source)?);
        }
    }
    Ok(())
}

/// Sockets that listen at all of these.
async fn bind(listen: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    let cannot = |listen: &str| {
        format!("can't listen on {listen} (is a server running there already? choose another with --listen)")
    };
    let mut addresses = Vec::new();
    for listen in listen {
        addresses.push(resolve(listen).await.with_context(|| cannot(listen))?);
    }
    let bound = |(listen, &address): (&String, &SocketAddr)| {
        listener::bind_beside(address, &addresses).with_context(|| cannot(listen))
    };
    listen.iter().zip(&addresses).map(bound).collect()
}

async fn resolve(listen: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses = tokio::net::lookup_host(listen).await.context("it needs an address and a port")?;
    addresses.next().context("that name has no address")
}

/// As many as were asked for, within what file descriptors allow.
fn allowed_connections(wanted: Option<u32>) -> anyhow::Result<usize> {
    let possible = config::connections_max().context("can't raise the limit on file descriptors")?;
    let Some(wanted) = wanted.map(|wanted| wanted as usize) else { return Ok(possible) };
    if wanted > possible {
        warn!(wanted, possible, "the limit on file descriptors allows fewer connections than were asked for");
    }
    Ok(wanted.min(possible))
}

fn lossy(output: impl std::io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING_MAX).finish(output)
}

/// The first signal stops the server politely, the second at once.
fn stop_on_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = listen_for(kind)?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if shutdown.is_cancelled() {
                    std::process::exit(128 + kind.as_raw_value());
                }
                info!("told to stop");
                shutdown.cancel();
            }
        });
    }
    Ok(())
}

/// SIGHUP has two meanings: that the terminal is gone, which stops the server; otherwise that the certificate is to be read
/// again.
fn on_hangup(tls: Tls, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut signals = listen_for(SignalKind::hangup())?;
    let shutdown = shutdown.clone();
    let had_terminal = has_terminal();
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if had_terminal && !has_terminal() {
                info!("the terminal is gone: stopping");
                shutdown.cancel();
                continue;
            }
            let again = tls.clone();
            let reloaded =
                tokio::task::spawn_blocking(move || again.reload().and_then(|()| again.fingerprint()));
            match reloaded.await {
                Ok(Ok(fingerprint)) => info!(%fingerprint, "read the certificate again"),
                Ok(Err(error)) => {
                    error!(
                        error = format!("{:#}", anyhow::Error::from(error)),
                        "the certificate stays what it was"
                    );
                }
                Err(error) => error!(%error, "the certificate stays what it was"),
            }
        }
    });
    Ok(())
}

/// Whether this process has a terminal that can end it.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

fn report_clients_on_signal(monitor: Monitor) -> anyhow::Result<()> {
    let mut signals = listen_for(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            let clients = monitor.clients().await;
            info!(count = clients.len(), "clients");
            for client in clients {
                info!(
                    address = %client.address,
                    name = %client.name,
                    groups = ?client.groups,
                    connected = client.is_connected,
                    tls = client.channel == Some(Channel::Tls),
                    "client"
                );
            }
        }
    });
    Ok(())
}

fn listen_for(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("can't listen for signals")
}
