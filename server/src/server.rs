//! A server that runs: the listener, the dispatch task and the background tasks, put together.

use std::sync::Arc;

use chatroom_proto::{Code, Retention};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chat::entry::NodeId;
use crate::chat::{Chat, ChatState, ClientReport};
use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::dispatch::handle::{DispatchHandle, Lifetime};
use crate::dispatch::outbox::Bounds;
use crate::net::listener::Listener;
use crate::storage::archive::{Archive, Restored};
use crate::storage::log::{Log, LogError};
use crate::storage::{erasure, retention};

/// A server that is being run by [`Server::run`].
pub struct Server {
    config: Config,
    bounds: Arc<Bounds>,
    dispatch: Dispatch,
    handle: DispatchHandle,
    lifetime: Lifetime,
    log: Arc<dyn Log>,
    /// Where what was said can be read back, if it is kept.
    archive: Option<Archive>,
    /// Makes who knows it an operator, where there is none.
    code: Option<Code>,
    /// What is older than so many days is deleted.
    retention: Option<u32>,
}

/// Asks a running server about itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Monitor {
    handle: DispatchHandle,
    bounds: Arc<Bounds>,
}

impl Monitor {
    /// Every client's address, name and groups, in the order of arrival; nothing from a server that
    /// has stopped.
    pub async fn clients(&self) -> Vec<ClientReport> {
        self.handle.clients().await.unwrap_or_default()
    }

    /// What waits to be written to all clients together, in bytes of memory: zero when everybody
    /// has read everything, and when the server has stopped.
    pub fn outboxes_bytes(&self) -> usize {
        self.bounds.held()
    }

    /// What everything has come to here, and how much is under way: proposals that the log has not
    /// given back, and requests that wait for them. Nothing from a server that has stopped.
    #[cfg(feature = "test-util")]
    pub async fn state(&self) -> Option<(ChatState, usize)> {
        self.handle.state().await.ok()
    }
}

/// Why a server stopped that was not told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The log can't go on.
    #[error("the log can't go on")]
    Log(#[from] LogError),
    /// What was said can't be kept readable: the archive's file can't be written, for one. What was
    /// acknowledged is in the log.
    #[error("the archive has stopped (the diagnostics before this say why)")]
    Archive,
    /// A bug of ours.
    #[error("the dispatch task panicked")]
    Panicked,
}

impl Server {
    /// A server with this log, which runs until `shutdown` is cancelled. What the log has kept from
    /// earlier runs is restored first, unless it is cancelled meanwhile. Without anything
    /// `restored`, what is said is told to those who are there, and to nobody later.
    ///
    /// # Errors
    /// [`LogError`] when the log can't be read.
    pub async fn open(
        log: Arc<dyn Log>,
        restored: Option<Restored>,
        mut config: Config,
        shutdown: CancellationToken,
    ) -> Result<Server, LogError> {
        let node = config.entropy.bytes();
        let (archive, state) = match restored {
            Some(Restored { archive, state }) => (Some(archive), state),
            None => {
                config.limits.retention = Retention::Nothing;
                (None, ChatState::new(config.limits))
            }
        };
        let retention = match config.limits.retention {
            Retention::Days(days) => Some(days),
            Retention::Nothing | Retention::Everything => None,
        };
        let chat = Chat::on(state, NodeId(u64::from_le_bytes(node)), config.limits);
        let bounds = Bounds::new(config.outbox_bytes_max, config.outboxes_bytes_max);
        let lifetime = Lifetime { shutdown, end: CancellationToken::new() };
        let (mut dispatch, handle) = Dispatch::new(
            chat,
            Arc::clone(&log),
            archive.clone(),
            &config,
            Arc::clone(&bounds),
            &lifetime,
        );
        let code = Code(config.entropy.bytes());
        let is_offered = dispatch.restore(&code).await?;
        let code = is_offered.then_some(code);
        Ok(Server { config, bounds, dispatch, handle, lifetime, log, archive, code, retention })
    }

    /// What makes who types it an operator of the server, once; nothing, where there are operators.
    /// It is to be shown where only those look who run the server, and is another one at the next
    /// start.
    pub fn operator_code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    /// What to ask about the server while it runs.
    pub fn monitor(&self) -> Monitor {
        Monitor { handle: self.handle.clone(), bounds: Arc::clone(&self.bounds) }
    }

    /// Serves everyone who connects to one of these sockets. When told to stop, says goodbye to
    /// every client, waits a moment for them to have read it, and returns.
    ///
    /// # Errors
    /// [`ServeError`] when it had to stop by itself.
    pub async fn run(self, sockets: Vec<TcpListener>) -> Result<(), ServeError> {
        let listener = self.listener();
        self.serve(&listener, listener.run(&sockets)).await
    }

    /// The same for the streams that come out of `streams`, which are in memory. No longer than any
    /// come.
    ///
    /// # Errors
    /// [`ServeError`] when it had to stop by itself.
    pub async fn run_on(self, streams: mpsc::Receiver<DuplexStream>) -> Result<(), ServeError> {
        let listener = self.listener();
        self.serve(&listener, listener.run_on(streams)).await
    }

    fn listener(&self) -> Listener {
        let (handle, shutdown) = (self.handle.clone(), self.lifetime.shutdown.clone());
        Listener::new(handle, self.config.clone(), Arc::clone(&self.bounds), shutdown)
    }

    /// Lives as long as connections are accepted, and a moment longer.
    async fn serve(
        self,
        listener: &Listener,
        accepting: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let clock = self.config.clock.clone();
        let Server { dispatch, lifetime, log, archive, retention, .. } = self;
        let Lifetime { shutdown, end } = lifetime;
        if shutdown.is_cancelled() {
            // Perhaps before everything was restored: nobody may be served by that.
            return Ok(());
        }
        // Ends with this.
        let mut background = JoinSet::new();
        if let (Some(days), Some(archive)) = (retention, archive.clone()) {
            background.spawn(retention::run(Arc::clone(&log), archive, days, clock));
        }
        if let Some(archive) = archive.clone() {
            background.spawn(erasure::run(log, archive));
        }
        let mut dispatching = tokio::spawn(dispatch.run());
        let mut has_failed = false;
        let ended = tokio::select! {
            biased;
            () = accepting => None,
            ended = &mut dispatching => Some(ended),
            () = failed(archive) => {
                has_failed = true;
                None
            }
        };
        shutdown.cancel();
        listener.wait_for_connections().await;
        end.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => dispatching.await,
        };
        // What it holds of the log and the archive is let go when this returns.
        background.shutdown().await;
        ended.map_err(|_| ServeError::Panicked)?.map_err(ServeError::Log)?;
        if has_failed { Err(ServeError::Archive) } else { Ok(()) }
    }
}

/// Ends when the archive has stopped by itself; never, where there is none.
async fn failed(archive: Option<Archive>) {
    match archive {
        Some(archive) => archive.failed().await,
        None => std::future::pending().await,
    }
}
