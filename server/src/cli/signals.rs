//! What the server does when the system signals it.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::certificate;
use crate::chat::effect::Channel;
use crate::clock::Clock;
use crate::net::tls::ServerTls;
use crate::server::Monitor;

/// From now on, a file that may not get any longer (`ulimit -f`) is an error where it is written.
/// The system would end the program otherwise, without a word.
pub(super) fn outlive_file_limits() -> anyhow::Result<()> {
    // To listen for it is all: it says nothing that the error does not say.
    listen_for(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// The first signal stops the server politely, the second at once.
pub(super) fn stop_on_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
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

/// SIGHUP has two meanings: that the terminal is gone, which stops the server; otherwise that the
/// certificate is to be read again.
pub(super) fn on_hangup(
    tls: ServerTls,
    clock: Clock,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
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
            let reloaded = tokio::task::spawn_blocking(move || {
                again.reload().and_then(|()| again.fingerprint())
            });
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
            certificate::check(&tls, &clock);
        }
    });
    Ok(())
}

/// Whether this process has a terminal that can end it.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

pub(super) fn report_clients_on_signal(monitor: Monitor) -> anyhow::Result<()> {
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
