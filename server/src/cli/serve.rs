//! `chatroom-server` without a subcommand: opens what it needs, and serves until it is told to
//! stop.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chatroom_proto::Retention;
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::arguments::Arguments;
use super::certificate;
use super::data_directory;
use super::listen;
use super::output::{lossy, say};
use super::signals;
use crate::config::{self, Config};
use crate::console::Console;
use crate::net::tls::{OWN_FILES, ServerTls};
use crate::server::Server;
use crate::storage::archive::{Archive, ArchiveError, Restored};
use crate::storage::log::{Durability, Log, LogReader, MemoryLog, SqliteLog};

pub(super) async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { listen: asked, connections_max, groups_max, .. } = &arguments;
    let (output, _output_guard) = lossy(std::io::stdout());
    let mut config = Config { console: Console::new(output), ..Config::default() };
    config.limits.groups_max = *groups_max;
    config.connections_per_address_max = arguments.connections_per_address_max;
    config.rate = arguments.rate;
    config.limits.retention = match (arguments.in_memory, arguments.keep_days) {
        (true, _) => Retention::Nothing,
        (false, 0) => Retention::Everything,
        (false, days) => Retention::Days(days),
    };
    config.connections_max = allowed_connections(*connections_max)?;
    let sockets = listen::listen(asked).await?;
    let addresses: Result<Vec<_>, _> = sockets.iter().map(TcpListener::local_addr).collect();
    let addresses = addresses.context("can't tell where the server listens")?;
    let (console, connections_max) = (config.console.clone(), config.connections_max);

    let shutdown = CancellationToken::new();
    signals::stop_on_signals(&shutdown)?;
    let (log, restored) = open_log(&arguments)?;
    // Behind the log, which sees to it that no other server uses the directory.
    let tls = ServerTls::open(arguments.tls_source()?).context("can't set up TLS")?;
    let fingerprint = tls.fingerprint()?;
    signals::on_hangup(tls.clone(), config.clock.clone(), &shutdown)?;
    let (shown, clock) = (tls.clone(), config.clock.clone());
    tokio::spawn(certificate::watch(move || certificate::check(&shown, &clock)));
    (config.tls, config.allow_plaintext) = (Some(tls), arguments.allow_plaintext);
    let mut begun = log.follow(log.head());
    let server = Server::open(log, restored, config, shutdown.clone())
        .await
        .context("can't restore the chat")?;
    // A server writes down that it begins. Where not even that can be kept, nobody is to come.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        Some(kept) = begun.next() => drop(kept?),
    }
    drop(begun);
    if shutdown.is_cancelled() {
        info!("stopped before anybody was served");
        return Ok(());
    }
    signals::report_clients_on_signal(server.monitor())?;
    for address in &addresses {
        info!(%address, connections_max, groups_max, "listening");
    }
    info!(%fingerprint, "clients on other machines recognize this server by its key");
    if let Some(code) = server.operator_code() {
        // Not a diagnostic: it is for the person who starts the server, whatever the filter says,
        // and for no file of them.
        say(&format!("To become an operator of this server, type in the client: operator {code}"));
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
        warn!(
            "clients on other machines may come without TLS: everybody on the way can read along"
        );
    }
    if arguments.in_memory && arguments.tls_cert.is_none() {
        warn!(
            "the key is a new one at every start, and clients refuse a server whose key has \
             changed: give one with \
             --tls-cert and --tls-key, or keep one with --data"
        );
    }
}

/// The log that was asked for, and what it has kept.
fn open_log(arguments: &Arguments) -> anyhow::Result<(Arc<dyn Log>, Option<Restored>)> {
    if arguments.in_memory {
        return Ok((Arc::new(MemoryLog::new()), None));
    }
    let directory = arguments.data_dir()?;
    data_directory::check_writers(&directory)?;
    info!(directory = %directory.display(), durability = ?arguments.durability, "keeping \
        everything");
    if LogReader::is_nothing_in(&directory)? {
        // Before anything is begun there: what is missing may be put back.
        Archive::refuse_alone(&directory)?;
        if directory.join(OWN_FILES[0]).exists() {
            warn!(
                directory = %directory.display(),
                "there is a server's key and no log: this begins as a new server. If it had a \
                 log, stop it, and restore a backup (chatroom-server restore)"
            );
        }
    }
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(&directory, arguments.durability)?);
    data_directory::check_room(&directory)?;
    let restored = open_archive(&directory, &log, arguments.durability)?;
    Ok((log, Some(restored)))
}

/// The archive of a log. Without full durability, a power failure may cost the log its last moment,
/// which the archive has seen: that is what was asked for.
fn open_archive(
    directory: &Path,
    log: &Arc<dyn Log>,
    durability: Durability,
) -> Result<Restored, ArchiveError> {
    match Archive::open(directory, Arc::clone(log)) {
        Err(ArchiveError::Ahead { archive, log: head, .. }) if durability == Durability::Normal => {
            warn!(%archive, log = %head, "the log has lost its last moment; the archive is made \
                again");
            Archive::remove(directory)?;
            Archive::open(directory, Arc::clone(log))
        }
        opened => opened,
    }
}

/// As many as were asked for, within what file descriptors allow.
fn allowed_connections(wanted: Option<u32>) -> anyhow::Result<usize> {
    let possible =
        config::connections_max().context("can't raise the limit on file descriptors")?;
    let Some(wanted) = wanted.map(|wanted| wanted as usize) else { return Ok(possible) };
    if wanted > possible {
        warn!(
            wanted,
            possible, "the limit on file descriptors allows fewer connections than were asked for"
        );
    }
    Ok(wanted.min(possible))
}
