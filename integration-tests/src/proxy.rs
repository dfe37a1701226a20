//! A proxy between clients and a server that cuts connections when a scene says so: after some number of bytes, in the
//! middle of whatever they were.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy carries at once, in bytes.
const CHUNK_BYTES: usize = 4 * 1024;

/// What happens to connections.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Where they go.
    server: SocketAddr,
    /// After how many bytes they are cut.
    bytes_until_cut: usize,
    /// Connections of an earlier epoch are cut at once.
    epoch: u64,
}

/// A running proxy. It stops when this is dropped.
pub struct Proxy {
    /// Where clients connect to.
    pub address: SocketAddr,
    /// How many connections it has cut.
    cuts: Arc<AtomicUsize>,
    plan: watch::Sender<Plan>,
    running: JoinHandle<()>,
}

impl Proxy {
    /// Carries bytes between its clients and this server. The first connection is cut after so many bytes, both
    /// directions counted, and each one later than the one before, so that something gets through in the end; never,
    /// for `usize::MAX`.
    ///
    /// # Panics
    /// When this machine has no free port.
    pub async fn to(server: SocketAddr, bytes_until_cut: usize) -> Proxy {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = socket.local_addr().expect("a socket that listens has an address");
        let cuts = Arc::new(AtomicUsize::new(0));
        let (plan, plans) = watch::channel(Plan { server, bytes_until_cut, epoch: 0 });
        let running = tokio::spawn(accept(socket, plans, Arc::clone(&cuts)));
        Proxy { address, cuts, plan, running }
    }

    /// Lets the next connection live for so many bytes, the one after it for twice as many, and so on.
    pub fn cut_after(&self, bytes: usize) {
        self.plan.send_modify(|plan| plan.bytes_until_cut = bytes);
    }

    /// Cuts all connections.
    pub fn cut_now(&self) {
        self.plan.send_modify(|plan| plan.epoch += 1);
    }

    /// Carries connections that begin from now on to another server.
    pub fn go_to(&self, server: SocketAddr) {
        self.plan.send_modify(|plan| plan.server = server);
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn accept(socket: TcpListener, mut plans: watch::Receiver<Plan>, cuts: Arc<AtomicUsize>) {
    let (mut current, mut times) = (0, 0);
    while let Ok((client, _)) = socket.accept().await {
        let mut plan = *plans.borrow_and_update();
        times = if current == plan.bytes_until_cut { times + 1 } else { 1 };
        current = plan.bytes_until_cut;
        plan.bytes_until_cut = current.saturating_mul(times);
        let (plans, cuts) = (plans.clone(), Arc::clone(&cuts));
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(plan.server).await
                && carry(client, server, plan, plans).await
            {
                cuts.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// Carries bytes both ways. Whether the connection was cut; otherwise one side has closed it.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    plan: Plan,
    mut plans: watch::Receiver<Plan>,
) -> bool {
    let mut up = [0; CHUNK_BYTES];
    let mut down = [0; CHUNK_BYTES];
    let mut left = plan.bytes_until_cut;
    loop {
        let (read, bytes, to) = tokio::select! {
            read = client.read(&mut up) => (read, &up, &mut server),
            read = server.read(&mut down) => (read, &down, &mut client),
            _ = plans.wait_for(|now| now.epoch != plan.epoch) => return true,
        };
        let Ok(read @ 1..) = read else { return false };
        let passed = read.min(left);
        if to.write_all(&bytes[..passed]).await.is_err() {
            return false;
        }
        left -= passed;
        if left == 0 {
            return true;
        }
    }
}
