//! A line between a device and a server: bytes that take their time, in pieces of any size, until
//! it is cut.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_client::ConnectError;
use chatroom_client::dial::{Dial, Dialled};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::Notify;
use tokio_util::bytes::BytesMut;

use super::tamper::Tamper;
use super::witness::{Greetings, Witness};
use super::world::World;

/// What is on its way in one direction, in bytes, at each end of it: a peer that does not read is
/// soon behind.
const PIPE_BYTES: usize = 1_024;

/// The most that goes together, in bytes.
const PIECE_BYTES_MAX: usize = 1_024;

/// One line.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) device: usize,
    /// Of which run of the server.
    pub(super) run: u64,
    fate: Mutex<Fate>,
    is_cut: Notify,
}

#[derive(Debug, Default)]
struct Fate {
    /// Nothing goes up or down before that, in virtual milliseconds.
    up_stalled_until: u64,
    down_stalled_until: u64,
    cut: Option<Cut>,
}

/// A line that is cut: each end finds out so many milliseconds later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) client_ms: u64,
    pub(super) server_ms: u64,
}

/// How one life of a device connects.
pub(super) struct SimDial {
    pub(super) world: Arc<World>,
    pub(super) device: usize,
    pub(super) greetings: Greetings,
    /// Set when the device is killed: whatever is left of it connects no more.
    pub(super) is_over: Arc<Mutex<bool>>,
}

impl Dial for SimDial {
    type Stream = DuplexStream;

    async fn dial(&self) -> Result<Dialled<DuplexStream>, ConnectError> {
        self.world.sleep(self.world.between(1, 12)).await;
        if *lock(&self.is_over) {
            return std::future::pending().await;
        }
        let refused = || ConnectError::Unreachable(std::io::ErrorKind::ConnectionRefused.into());
        let running = self.world.now().server.as_ref().map(|it| (it.run, it.streams.clone()));
        let (run, streams) = running.ok_or_else(refused)?;
        let (near, client) = duplex(PIPE_BYTES);
        let (server, far) = duplex(PIPE_BYTES);
        streams.send(far).await.map_err(|_| refused())?;
        let line = {
            let mut now = self.world.now();
            now.lines_made += 1;
            let line = Arc::new(Line {
                number: now.lines_made,
                device: self.device,
                run,
                fate: Mutex::default(),
                is_cut: Notify::new(),
            });
            now.lines.insert(line.number, Arc::clone(&line));
            line
        };
        let greetings = Arc::clone(&self.greetings);
        tokio::spawn(line.carry(Arc::clone(&self.world), client, server, greetings));
        Ok(Dialled { stream: near, is_private: true })
    }
}

impl Line {
    /// Cuts it, unless it is cut already.
    pub(super) fn cut(&self, cut: Cut) {
        lock(&self.fate).cut.get_or_insert(cut);
        self.is_cut.notify_one();
    }

    /// Lets nothing through for so long.
    pub(super) fn stall(&self, up_until: u64, down_until: u64) {
        let mut fate = lock(&self.fate);
        (fate.up_stalled_until, fate.down_stalled_until) = (up_until, down_until);
    }

    /// Carries bytes until it is cut or both ends are closed.
    async fn carry(
        self: Arc<Line>,
        world: Arc<World>,
        client: DuplexStream,
        server: DuplexStream,
        greetings: Greetings,
    ) {
        let ((client_reads, client_writes), (server_reads, server_writes)) =
            (split(client), split(server));
        let mut up = Way::new(client_reads, server_writes);
        let mut down = Way::new(server_reads, client_writes);
        let witness = Mutex::new(Witness::new(self.device, self.run, greetings));
        let is_cut = {
            let carried = async {
                tokio::join!(
                    up.carry(&self, &world, Direction::Up, &witness),
                    down.carry(&self, &world, Direction::Down, &witness)
                )
            };
            tokio::select! {
                biased;
                () = self.is_cut.notified() => true,
                _ = carried => false,
            }
        };
        if is_cut {
            let Cut { client_ms, server_ms } =
                lock(&self.fate).cut.expect("it is cut before that is told");
            up.tear(&world, Direction::Up, &witness);
            down.tear(&world, Direction::Down, &witness);
            let Way { from: client_reads, to: server_writes, .. } = up;
            let Way { from: server_reads, to: client_writes, .. } = down;
            let (client, server) = ((client_reads, client_writes), (server_reads, server_writes));
            if client_ms <= server_ms {
                world.sleep(client_ms).await;
                drop(client);
                world.sleep(server_ms - client_ms).await;
            } else {
                world.sleep(server_ms).await;
                drop(server);
                world.sleep(client_ms - server_ms).await;
            }
        }
        world.now().lines.remove(&self.number);
    }

    fn stalled_until(&self, direction: Direction) -> u64 {
        let fate = lock(&self.fate);
        match direction {
            Direction::Up => fate.up_stalled_until,
            Direction::Down => fate.down_stalled_until,
        }
    }
}

/// A direction of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

/// One direction.
struct Way {
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    /// What is on its way.
    piece: BytesMut,
    /// The mistakes that it makes, with a planted bug.
    tamper: Tamper,
}

impl Way {
    fn new(from: ReadHalf<DuplexStream>, to: WriteHalf<DuplexStream>) -> Way {
        let piece = BytesMut::with_capacity(PIECE_BYTES_MAX);
        Way { from, to, piece, tamper: Tamper::default() }
    }

    async fn carry(
        &mut self,
        line: &Line,
        world: &World,
        direction: Direction,
        witness: &Mutex<Witness>,
    ) {
        loop {
            let most = if world.once_in(6) { world.between(1, 40) } else { PIECE_BYTES_MAX as u64 };
            let mut from = (&mut self.from).take(most);
            let count = from.read_buf(&mut self.piece).await.unwrap_or_default();
            if direction == Direction::Up {
                lock(witness).hears_up(&self.piece);
            }
            let arrives = world.millis() + world.between(1, 12);
            self.wait(arrives, line, world, direction).await;
            world.trace(&[line.number, direction as u64], &self.piece);
            if count == 0 {
                // The other end may have hung up.
                let _ = self.to.shutdown().await;
                return;
            }
            if let Some(fault) = world.fault.filter(|fault| fault.on_line() == Some(direction)) {
                let passed = self.tamper.pass(&self.piece, fault, world);
                self.piece = BytesMut::from(&passed[..]);
            }
            while !self.piece.is_empty() {
                let Ok(written @ 1..) = self.to.write(&self.piece).await else { return };
                self.arrived(written, world, direction, witness);
            }
        }
    }

    /// So many bytes have reached the other end.
    fn arrived(
        &mut self,
        count: usize,
        world: &World,
        direction: Direction,
        witness: &Mutex<Witness>,
    ) {
        let arrived = self.piece.split_to(count);
        if direction == Direction::Down {
            lock(witness).hears_down(&arrived, world);
        }
    }

    async fn wait(&self, arrives: u64, line: &Line, world: &World, direction: Direction) {
        let mut until = arrives;
        while until > world.millis() {
            world.sleep(until - world.millis()).await;
            if !world.is_calm() {
                until = line.stalled_until(direction);
            }
        }
    }

    /// The line is cut: some of what is on its way arrives.
    fn tear(&mut self, world: &World, direction: Direction, witness: &Mutex<Witness>) {
        if world.fault.is_some_and(|fault| fault.on_line() == Some(direction)) {
            // Half a frame is still with what tampers.
            return;
        }
        let some = usize::try_from(world.below(self.piece.len() as u64 + 1)).unwrap_or_default();
        // What does not fit does not arrive.
        if let Some(Ok(written @ 1..)) = self.to.write(&self.piece[..some]).now_or_never() {
            self.arrived(written, world, direction, witness);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
