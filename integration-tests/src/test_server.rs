//! A server in this process, on a port that the system chose.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::{Code, Retention};
use chatroom_server::config::RATE_MAX;
use chatroom_server::net::listener;
use chatroom_server::storage::archive::Archive;
use chatroom_server::storage::log::{Durability, Log, MemoryLog, SqliteLog};
use chatroom_server::{Config, Monitor, Restored, ServeError, Server};
use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::test_client::{DEADLINE, TestClient};

/// A running server. It stops when this is dropped.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What to ask about it.
    pub monitor: Monitor,
    /// What makes somebody an operator of the server, if nobody is.
    pub code: Option<Code>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), ServeError>>,
    /// Deleted with the server.
    directory: Option<TempDir>,
}

impl TestServer {
    /// A server with the default configuration and a log in memory.
    pub fn start() -> TestServer {
        TestServer::start_with(Config::default())
    }

    /// A server with this configuration and a log in memory.
    ///
    /// # Panics
    /// When this machine has no free port.
    pub fn start_with(config: Config) -> TestServer {
        let opening = TestServer::open(config, Arc::new(MemoryLog::new()));
        opening.now_or_never().expect("an empty log is restored at once")
    }

    /// A server with this configuration that keeps everything, as long as it lives.
    ///
    /// # Panics
    /// When this machine has no free port, or no room for files.
    pub async fn keeping(config: Config) -> TestServer {
        let directory =
            TempDir::with_prefix("chatroom-host-").expect("a temporary directory can be made");
        let mut host = TestServer::keeping_in(directory.path(), config).await;
        host.directory = Some(directory);
        host
    }

    /// A server with this configuration that keeps everything in this directory, and knows what is
    /// there.
    ///
    /// # Panics
    /// When this machine has no free port, or what is in the directory can't be restored.
    pub async fn keeping_in(directory: &Path, mut config: Config) -> TestServer {
        if config.limits.retention == Retention::Nothing {
            config.limits.retention = Retention::Everything;
        }
        // What is tested with this is not a power failure.
        let log = SqliteLog::open(directory, Durability::Normal).expect("a log that can be opened");
        let log: Arc<dyn Log> = Arc::new(log);
        let kept =
            Archive::open(directory, Arc::clone(&log)).expect("an archive that can be opened");
        TestServer::serve(config, log, Some(kept)).await
    }

    /// A server with this configuration and this log, which is restored.
    ///
    /// # Panics
    /// When this machine has no free port, or the log can't be restored.
    pub async fn open(config: Config, log: Arc<dyn Log>) -> TestServer {
        TestServer::serve(config, log, None).await
    }

    async fn serve(mut config: Config, log: Arc<dyn Log>, kept: Option<Restored>) -> TestServer {
        // Guests say more than people do, and do not go slower. What that is for is tested with the
        // real programs.
        config.rate = RATE_MAX;
        let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("a socket that listens has an address");
        let shutdown = CancellationToken::new();
        let server = Server::open(log, kept, config, shutdown.clone())
            .await
            .expect("a log that can be restored");
        let monitor = server.monitor();
        let code = server.operator_code().cloned();
        let running = tokio::spawn(server.run(vec![socket]));
        TestServer { address, monitor, code, shutdown, running, directory: None }
    }

    /// A guest who has been let in.
    pub async fn guest(&self, name: &str) -> TestClient {
        TestClient::come(self.address, name).await
    }

    /// Tells the server to stop, without waiting.
    pub fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Stops the server and waits until it has.
    ///
    /// # Errors
    /// Why it had stopped by itself.
    ///
    /// # Panics
    /// When it doesn't stop in time.
    pub async fn stop(mut self) -> Result<(), ServeError> {
        self.shutdown.cancel();
        let stopped = tokio::time::timeout(DEADLINE, &mut self.running).await;
        stopped.expect("the server stops when told to").expect("the server does not panic")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // Only then: nothing is left behind when the server writes its last words.
        drop(self.directory.take());
    }
}
