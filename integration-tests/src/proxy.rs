//! A proxy between clients and a server that cuts and stalls connections when a scene says so:
//! after some number of bytes, in the middle of whatever they were.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy carries at once, in bytes.
const CHUNK_BYTES: usize = 4 * 1024;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It lives until it is closed, or all are cut.
    Lives,
    /// It is cut.
    IsCut {
        /// After so many bytes, both directions counted.
        after: usize,
    },
    /// It goes silent: nobody is told, and what is sent comes no further until it is released, or
    /// cut.
    Stalls {
        /// After so many bytes, both directions counted.
        after: usize,
        /// In which direction.
        way: Way,
    },
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both ways.
    Both,
}

impl Fate {
    fn bytes(self) -> usize {
        match self {
            Fate::Lives => usize::MAX,
            Fate::IsCut { after } | Fate::Stalls { after, .. } => after,
        }
    }

    fn stalls(self, direction: Way) -> bool {
        matches!(self, Fate::Stalls { way, .. } if way == direction || way == Way::Both)
    }
}

/// Decides about one connection after the other.
type Fates = Box<dyn FnMut() -> Fate + Send>;

/// What happens to connections.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Where they go.
    server: SocketAddr,
    /// Connections of an earlier epoch are cut at once.
    epoch: u64,
    /// What stalled under an earlier number is released.
    releases: u64,
}

/// How often a fate was met.
#[derive(Debug, Default)]
struct Counts {
    cuts: AtomicUsize,
    stalls: AtomicUsize,
}

/// A running proxy. It stops when this is dropped.
pub struct Proxy {
    /// Where clients connect to.
    pub address: SocketAddr,
    counts: Arc<Counts>,
    fates: Arc<Mutex<Fates>>,
    plan: watch::Sender<Plan>,
    running: JoinHandle<()>,
}

impl Proxy {
    /// Carries bytes between its clients and this server. The first connection is cut after so many
    /// bytes, both directions counted, and each one later than the one before, so that something
    /// gets through in the end; never, for `usize::MAX`.
    ///
    /// # Panics
    /// When this machine has no free port.
    pub async fn to(server: SocketAddr, bytes_until_cut: usize) -> Proxy {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = socket.local_addr().expect("a socket that listens has an address");
        let counts = Arc::new(Counts::default());
        let fates: Arc<Mutex<Fates>> = Arc::new(Mutex::new(later_and_later(bytes_until_cut)));
        let (plan, plans) = watch::channel(Plan { server, epoch: 0, releases: 0 });
        let running = tokio::spawn(accept(socket, plans, Arc::clone(&fates), Arc::clone(&counts)));
        Proxy { address, counts, fates, plan, running }
    }

    /// Lets the next connection live for so many bytes, the one after it for twice as many, and so
    /// on.
    pub fn cut_after(&self, bytes: usize) {
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner) = later_and_later(bytes);
    }

    /// From now on this decides what becomes of each connection that begins.
    pub fn decide(&self, fates: impl FnMut() -> Fate + Send + 'static) {
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(fates);
    }

    /// Cuts all connections.
    pub fn cut_now(&self) {
        self.plan.send_modify(|plan| plan.epoch += 1);
    }

    /// Lets go on what has stalled, or would.
    pub fn release(&self) {
        self.plan.send_modify(|plan| plan.releases += 1);
    }

    /// Carries connections that begin from now on to another server.
    pub fn go_to(&self, server: SocketAddr) {
        self.plan.send_modify(|plan| plan.server = server);
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> usize {
        self.counts.cuts.load(Ordering::SeqCst)
    }

    /// How many connections have stalled so far.
    pub fn stalls(&self) -> usize {
        self.counts.stalls.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn later_and_later(bytes_until_cut: usize) -> Fates {
    let mut times = 0;
    Box::new(move || {
        times += 1;
        Fate::IsCut { after: bytes_until_cut.saturating_mul(times) }
    })
}

async fn accept(
    socket: TcpListener,
    mut plans: watch::Receiver<Plan>,
    fates: Arc<Mutex<Fates>>,
    counts: Arc<Counts>,
) {
    while let Ok((client, _)) = socket.accept().await {
        let plan = *plans.borrow_and_update();
        let fate = fates.lock().unwrap_or_else(PoisonError::into_inner)();
        let line = Line {
            fate,
            plan,
            plans: plans.clone(),
            left: fate.bytes().into(),
            counts: Arc::clone(&counts),
        };
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(plan.server).await
                && line.carry(client, server).await
            {
                line.counts.cuts.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// One connection through the proxy.
struct Line {
    fate: Fate,
    plan: Plan,
    plans: watch::Receiver<Plan>,
    /// How many bytes it carries until its fate is met.
    left: AtomicUsize,
    counts: Arc<Counts>,
}

impl Line {
    /// Carries bytes both ways. Whether the connection was cut; otherwise one side has closed it.
    async fn carry(&self, mut client: TcpStream, mut server: TcpStream) -> bool {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let mut plans = self.plans.clone();
        tokio::select! {
            was_cut = self.carry_one_way(Way::Up, from_client, to_server) => was_cut,
            was_cut = self.carry_one_way(Way::Down, from_server, to_client) => was_cut,
            _ = plans.wait_for(|now| now.epoch != self.plan.epoch) => true,
        }
    }

    async fn carry_one_way(
        &self,
        way: Way,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> bool {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            let Ok(read @ 1..) = from.read(&mut chunk).await else { return false };
            let passed = self.pass(read);
            if to.write_all(&chunk[..passed]).await.is_err() {
                return false;
            }
            if self.left.load(Ordering::SeqCst) > 0 {
                continue;
            }
            match self.fate {
                Fate::IsCut { .. } => return true,
                fate if fate.stalls(way) => self.wait_for_release().await,
                _ => {}
            }
            if to.write_all(&chunk[passed..read]).await.is_err() {
                return false;
            }
        }
    }

    /// How many of these bytes may pass before the fate is met.
    fn pass(&self, bytes: usize) -> usize {
        let take = |left: usize| Some(left.saturating_sub(bytes));
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or_default();
        if (1..=bytes).contains(&left) && matches!(self.fate, Fate::Stalls { .. }) {
            self.counts.stalls.fetch_add(1, Ordering::SeqCst);
        }
        left.min(bytes)
    }

    /// Ends when everything is released that had stalled when this began, or before.
    async fn wait_for_release(&self) {
        // A proxy that is gone releases nothing any more.
        let _ = self.plans.clone().wait_for(|now| now.releases > self.plan.releases).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says everything again, and a client of it.
    async fn echo(fate: Fate) -> (Proxy, TcpStream) {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let proxy = Proxy::to(address, usize::MAX).await;
        proxy.decide(move || fate);
        let client = TcpStream::connect(proxy.address).await.unwrap();
        (proxy, client)
    }

    #[tokio::test]
    async fn a_stalled_line_is_silent_until_it_is_released_and_loses_nothing() {
        for way in [Way::Up, Way::Down, Way::Both] {
            let (proxy, mut client) = echo(Fate::Stalls { after: 13, way }).await;
            client.write_all(b"0123456789").await.unwrap();
            let mut heard = [0; 3];
            client.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"012");
            client.write_all(b"abc").await.unwrap();
            proxy.release();
            let mut rest = [0; 10];
            client.read_exact(&mut rest).await.unwrap();
            assert_eq!((&rest, proxy.stalls()), (b"3456789abc", 1));
        }
    }

    #[tokio::test]
    async fn a_line_that_is_to_be_cut_is_cut_there() {
        let (proxy, mut client) = echo(Fate::IsCut { after: 13 }).await;
        client.write_all(b"0123456789").await.unwrap();
        let mut heard = Vec::new();
        let _ = client.read_to_end(&mut heard).await;
        assert_eq!(heard, b"012");
        while proxy.cuts() == 0 {
            tokio::task::yield_now().await;
        }
    }
}
