//! A real server on streams in memory and paused time: the log can be stopped, and time passes when
//! it is told to.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
use chatroom_proto::{ClientFrame, Code, Request, Retention, Seq, ServerFrame, Tag, UnixMillis};
use chatroom_server::chat::effect::{Read, Replay, StoredPost};
use chatroom_server::chat::entry::Proposal;
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::clock::Clock;
use chatroom_server::config::{HashCost, RATE_MAX};
use chatroom_server::storage::archive::{
    AgedPosts, Answer, Archive, ArchiveView, FoundPosts, Missed,
};
use chatroom_server::storage::log::{Batches, Log, LogError, LogSnapshot, MemoryLog};
use chatroom_server::{Config, Restored, Server};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Entrance, Memories, Stage, base, hello_with};
use crate::dialogue::play;
use crate::model::Model;

/// When it begins, as a wall clock tells it.
const BEGIN: UnixMillis = UnixMillis(1_000_000_000);

/// What is on its way in one direction, in bytes: more than is said in a dialogue.
const PIPE_BYTES: usize = 256 * 1024;

/// How long somebody waits for what must come. The clock is the stage's: nobody waits in vain.
const PATIENCE: Duration = Duration::from_millis(100);

/// Nobody is asked whether they are there.
const IDLE: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

/// Plays a dialogue on a server with these limits, in a thread whose clock is the dialogue's.
///
/// # Panics
/// As [`play`].
pub fn play_in_memory(limits: Limits, dialogue: &str) {
    on_paused_time(async { play(InMemory::open(limits).await, dialogue).await });
}

/// Does this in a thread whose clock goes on only when everybody waits.
///
/// # Panics
/// When it does.
pub fn on_paused_time(scene: impl Future<Output = ()> + Send) {
    let played = std::thread::scope(|scope| {
        let played = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime without threads").block_on(scene);
        });
        played.join()
    });
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

/// The stage.
pub struct InMemory {
    log: StoppableLog,
    /// By how much the server's clock was set, in milliseconds.
    clock_offset_ms: Arc<AtomicI64>,
    streams: mpsc::Sender<DuplexStream>,
    code: Option<Code>,
    guests: HashMap<String, Guest>,
    memories: Memories,
    /// Who has said something that may not be taken in yet: what one says in one breath meets in
    /// the server, and what somebody else says then comes behind it.
    speaker: Option<String>,
}

struct Guest {
    frames: FrameReader<ReadHalf<DuplexStream>, ServerFrame>,
    writer: FrameWriter<WriteHalf<DuplexStream>, ClientFrame>,
    next_tag: u32,
}

impl Guest {
    /// Says something. One who was hung up on says it to nobody.
    async fn say(&mut self, request: Request) {
        self.next_tag += 1;
        let frame = ClientFrame { tag: Tag(self.next_tag), request };
        if self.writer.feed(frame).await.is_ok() {
            let _ = self.writer.flush().await;
        }
    }

    /// The next frame, if there is one soon; nothing inside when the server has hung up.
    async fn hear(&mut self) -> Option<Option<ServerFrame>> {
        let frame = timeout(PATIENCE, self.frames.next()).await.ok()?;
        Some(frame.map(|frame| frame.expect("a whole frame")))
    }
}

impl InMemory {
    /// A server that nobody is at. It lives as long as its runtime, whose time is paused.
    ///
    /// # Panics
    /// When an empty log can't be restored.
    pub async fn open(limits: Limits) -> InMemory {
        let log = StoppableLog::default();
        let began = Instant::now();
        let clock_offset_ms = Arc::new(AtomicI64::new(0));
        let offset = Arc::clone(&clock_offset_ms);
        let now = move || {
            let unset = BEGIN.0 + began.elapsed().as_millis() as u64;
            UnixMillis(unset.saturating_add_signed(offset.load(Ordering::Relaxed)))
        };
        let config = Config {
            limits,
            rate: RATE_MAX,
            idle_ping: IDLE,
            idle_deadline: 2 * IDLE,
            hash_cost: HashCost::Least,
            clock: Clock::new(now),
            ..Config::default()
        };
        let kept = (limits.retention != Retention::Nothing).then(|| Restored {
            archive: Archive::over(View::of(&log.log, limits)),
            state: ChatState::new(limits),
        });
        let server =
            Server::open(Arc::new(log.clone()), kept, config, CancellationToken::new()).await;
        let server = server.expect("an empty log is restored");
        let code = server.operator_code().cloned();
        let (streams, dialled) = mpsc::channel(1);
        tokio::spawn(server.run_on(dialled));
        let (guests, memories) = (HashMap::new(), Memories::default());
        InMemory { log, clock_offset_ms, streams, code, guests, memories, speaker: None }
    }

    /// Somebody asks something, and goes on before it was taken in.
    pub async fn submit(&mut self, name: &str, request: Request) {
        self.guest(name).say(request).await;
    }

    /// Waits until what was said is taken in, if somebody said something.
    async fn settle_speaker(&mut self) {
        if self.speaker.take().is_some() {
            settle().await;
        }
    }

    fn guest(&mut self, name: &str) -> &mut Guest {
        self.guests.get_mut(name).unwrap_or_else(|| panic!("{name} is not here"))
    }
}

impl Stage for InMemory {
    async fn log_in(&mut self, name: &str, entrance: Entrance) {
        self.settle_speaker().await;
        let (near, far) = duplex(PIPE_BYTES);
        self.streams.send(far).await.expect("the server runs");
        let (read, write) = split(near);
        let frames = FrameReader::new(read, FRAME_BYTES_MAX);
        let mut guest = Guest { frames, writer: FrameWriter::new(write), next_tag: 0 };
        let hello = hello_with(base(name), entrance, self.memories.of(name));
        guest.say(Request::Hello(hello)).await;
        self.guests.insert(name.to_owned(), guest);
        settle().await;
    }

    async fn say(&mut self, name: &str, request: Request) {
        if self.speaker.as_deref() != Some(name) {
            self.settle_speaker().await;
            self.speaker = Some(name.to_owned());
        }
        self.submit(name, request).await;
    }

    async fn hear(&mut self, name: &str) -> Option<ServerFrame> {
        self.settle_speaker().await;
        let heard = self.guest(name).hear().await;
        let heard = heard.unwrap_or_else(|| panic!("{name} has nothing to hear"));
        if let Some(frame) = &heard {
            self.memories.learn(name, frame);
        }
        heard
    }

    async fn vanish(&mut self, name: &str) {
        self.settle_speaker().await;
        self.guests.remove(name);
        settle().await;
    }

    async fn rest(&mut self, name: &str) -> Option<ServerFrame> {
        self.settle_speaker().await;
        self.guests.get_mut(name)?.hear().await.flatten()
    }

    fn code(&mut self) -> Code {
        self.code.clone().expect("nobody is an operator yet")
    }

    async fn pass(&mut self, seconds: u64) {
        self.settle_speaker().await;
        sleep(Duration::from_secs(seconds)).await;
    }

    async fn set_clock(&mut self, by_seconds: i64) {
        self.settle_speaker().await;
        self.clock_offset_ms.fetch_add(by_seconds * 1_000, Ordering::Relaxed);
    }

    async fn hold_log(&mut self, hold: bool) {
        self.settle_speaker().await;
        self.log.hold(hold);
    }
}

/// Until nobody has anything to do. What was said was taken in then.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// A log in memory that may be stopped.
#[derive(Clone, Default)]
struct StoppableLog {
    log: MemoryLog,
    /// What waits until it goes on; nothing while it goes.
    held: Arc<Mutex<Option<Vec<Proposal>>>>,
}

impl StoppableLog {
    fn hold(&self, hold: bool) {
        if hold {
            lock(&self.held).get_or_insert_default();
        } else if let Some(waiting) = lock(&self.held).take() {
            self.log.append(waiting).expect("a log in memory takes everything");
        }
    }
}

impl Log for StoppableLog {
    fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError> {
        match &mut *lock(&self.held) {
            Some(waiting) => {
                waiting.extend(proposals);
                Ok(())
            }
            None => self.log.append(proposals),
        }
    }

    fn follow(&self, after: Seq) -> Batches {
        self.log.follow(after)
    }

    fn head(&self) -> Seq {
        self.log.head()
    }

    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        self.log.snapshot()
    }

    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        self.log.batch_end(at)
    }

    fn compact(&self, base: LogSnapshot) -> Result<(), LogError> {
        self.log.compact(base)
    }

    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>> {
        self.log.erase(posts)
    }
}

/// What can be read back: everything, at once.
struct View(Mutex<(Model, Batches)>);

impl View {
    fn of(log: &MemoryLog, limits: Limits) -> View {
        View(Mutex::new((Model::new(limits), log.follow(Seq::ZERO))))
    }

    fn with_model<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        let (model, batches) = &mut *lock(&self.0);
        while let Some(Some(Ok(batch))) = batches.next().now_or_never() {
            batch.iter().for_each(|entry| model.follow(entry));
        }
        look(model)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View(..)")
    }
}

impl ArchiveView for View {
    fn read(&self, read: Read) -> Answer<'_, FoundPosts> {
        Box::pin(async move { self.with_model(|model| model.read(&read)) })
    }

    fn replay(&self, replay: Replay) -> Answer<'_, Missed> {
        Box::pin(async move { Ok(self.with_model(|model| model.replay(&replay))) })
    }

    fn older_than(&self, _: UnixMillis, _: UnixMillis, _: Seq) -> Answer<'_, AgedPosts> {
        // Everything is kept: nobody asks.
        Box::pin(async { Ok(AgedPosts::default()) })
    }

    fn delete(&self, _: Seq) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn find(&self, post: Seq, _: Seq) -> Answer<'_, Option<StoredPost>> {
        Box::pin(async move { Ok(self.with_model(|model| model.find(post))) })
    }

    fn to_erase(&self) -> Answer<'_, Vec<Seq>> {
        // Nobody looks into this log.
        Box::pin(std::future::pending())
    }

    fn erased(&self, _: Vec<Seq>) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn failed(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
