//! The one task that owns the [`Chat`]. What connections say and what the log has ordered go in; the effects are
//! carried out here. It waits for nothing but these two: not for a disk, not for a socket.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use chatroom_proto::codec::{self, FrameError};
use chatroom_proto::{CloseReason, Notification, Page, Refusal, Response, ServerFrame, Tag};
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::archive::{Archive, Past, ReadError};
use crate::chat::effect::{Audience, ConnectionId, Effect, Entry, Input, Proposal, Read, Replay, SessionId};
use crate::chat::{Chat, Client};
use crate::clock;
use crate::config::{
    INBOX_INPUTS_MAX, INPUTS_A_TURN_MAX, LOAD_MAX, TICK, TURN_BYTES_MAX, TURN_DELIVERIES_MAX,
};
use crate::log::{Log, LogError};
use crate::outbox::{Outbox, Pushed};
use crate::replay;

/// What connections and the server's owner say to the dispatch task.
#[derive(Debug)]
pub(crate) enum Message {
    /// A connection's first words, and where its answers go.
    Knock(Input, Outbox),
    /// Anything else from a connection.
    Input(Input),
    /// Who is here?
    Clients(oneshot::Sender<Vec<Client>>),
}

/// How a server comes to its end. Not messages: these must get through when the inbox is full and nothing is taken in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifetime {
    /// The server goes down: everyone is told, and nobody is let in any more.
    pub(crate) shutdown: CancellationToken,
    /// Nobody is left: the dispatch task ends.
    pub(crate) end: CancellationToken,
}

/// The way to the dispatch task. Cloned for every connection.
#[derive(Debug, Clone)]
pub(crate) struct Door(mpsc::Sender<Message>);

/// The dispatch task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub(crate) struct Stopped;

impl Door {
    /// Hands something in; waits while the inbox is full.
    pub(crate) async fn send(&self, message: Message) -> Result<(), Stopped> {
        self.0.send(message).await.map_err(|_| Stopped)
    }

    /// Who is here, in the order of arrival.
    pub(crate) async fn clients(&self) -> Result<Vec<Client>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Clients(answer)).await?;
        answered.await.map_err(|_| Stopped)
    }
}

/// The task's state.
pub(crate) struct Dispatch {
    chat: Chat,
    log: Arc<dyn Log>,
    archive: Option<Archive>,
    /// For what is found in the archive.
    door: Door,
    inbox: mpsc::Receiver<Message>,
    connections: HashMap<ConnectionId, Line>,
    /// Which connection hears what is said to a session.
    listeners: HashMap<SessionId, (ConnectionId, Outbox)>,
    /// What got frames since the last wake.
    touched: Vec<Outbox>,
    /// What the log gave and was not applied yet.
    ordered: VecDeque<Arc<Entry>>,
    /// What this turn has done so far.
    turn: Turn,
    lifetime: Lifetime,
    /// Whether everyone was told that the server goes down.
    has_said_goodbye: bool,
    /// What this turn proposes: it goes to the log together.
    proposals: Vec<Proposal>,
    /// Kept between turns for their memory.
    effects: Vec<Effect>,
    /// The frame that one connection is about to get.
    scratch: Vec<u8>,
}

/// How much one turn has done, which bounds how long connections wait for theirs.
#[derive(Debug, Default)]
struct Turn {
    /// Bytes that were encoded: more were not put into any outbox.
    bytes: usize,
    /// Frames that were put into outboxes.
    deliveries: usize,
}

impl Turn {
    fn is_over(&self) -> bool {
        self.bytes >= TURN_BYTES_MAX || self.deliveries >= TURN_DELIVERIES_MAX
    }
}

/// One connection, as far as the dispatch task knows it.
struct Line {
    outbox: Outbox,
    session: Option<SessionId>,
}

impl Dispatch {
    /// A dispatch task that is not running yet, and the door to it.
    pub(crate) fn new(
        chat: Chat,
        log: Arc<dyn Log>,
        archive: Option<Archive>,
        lifetime: &Lifetime,
    ) -> (Dispatch, Door) {
        let (door, inbox) = mpsc::channel(INBOX_INPUTS_MAX);
        let door = Door(door);
        let dispatch = Dispatch {
            chat,
            log,
            archive,
            door: door.clone(),
            inbox,
            connections: HashMap::new(),
            listeners: HashMap::new(),
            touched: Vec::new(),
            ordered: VecDeque::new(),
            turn: Turn::default(),
            lifetime: lifetime.clone(),
            has_said_goodbye: false,
            proposals: Vec::new(),
            effects: Vec::new(),
            scratch: Vec::new(),
        };
        (dispatch, door)
    }

    /// Applies what the log has kept from before. Nobody is served until this has been done. A server that is told to
    /// stop meanwhile begins nothing.
    ///
    /// # Errors
    /// [`LogError`] when the log can't be read.
    pub(crate) async fn restore(&mut self) -> Result<(), LogError> {
        let head = self.log.head();
        let mut entries = self.log.follow(self.chat.world().head());
        let shutdown = self.lifetime.shutdown.clone();
        while self.chat.world().head() < head {
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                batch = entries.next() => batch,
            };
            let Some(batch) = batch else { break };
            for entry in batch? {
                self.chat.restore(&entry);
            }
            // What is still in memory comes without a wait, and the signal that tells us to stop needs a turn.
            tokio::task::yield_now().await;
        }
        self.chat.begin(clock::now(), &mut self.effects);
        self.carry_out();
        self.append()
    }

    /// Runs until its lifetime ends, or the log fails. Everybody is hung up on then.
    pub(crate) async fn run(mut self) -> Result<(), LogError> {
        let result = self.turn_until_done().await;
        let reason = if result.is_ok() { CloseReason::Shutdown } else { CloseReason::Failed };
        self.hang_up_on_all(reason);
        result
    }

    async fn turn_until_done(&mut self) -> Result<(), LogError> {
        let mut entries = self.log.follow(self.chat.world().head());
        let mut messages = Vec::with_capacity(INPUTS_A_TURN_MAX);
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Lifetime { shutdown, end } = self.lifetime.clone();
        loop {
            // The log goes first: what is under way shall be done before more is taken in.
            tokio::select! {
                biased;
                () = end.cancelled() => return Ok(()),
                () = shutdown.cancelled(), if !self.has_said_goodbye => {
                    self.has_said_goodbye = true;
                    self.hang_up_on_all(CloseReason::Shutdown);
                }
                _ = ticks.tick() => self.tick(),
                () = std::future::ready(()), if !self.ordered.is_empty() => self.apply(),
                Some(batch) = entries.next() => self.ordered.extend(batch?),
                _ = self.inbox.recv_many(&mut messages, INPUTS_A_TURN_MAX), if self.chat.load() < LOAD_MAX => {
                    for message in messages.drain(..) {
                        self.take_in(message);
                    }
                }
            }
            self.append()?;
            for outbox in self.touched.drain(..) {
                outbox.wake();
            }
            if std::mem::take(&mut self.turn).is_over() {
                // Those who were woken write what they have got, before there is more.
                tokio::task::yield_now().await;
            }
        }
    }

    fn tick(&mut self) {
        self.chat.tick(clock::now(), &mut self.effects);
        self.carry_out();
    }

    /// Hands what this turn proposes to the log.
    fn append(&mut self) -> Result<(), LogError> {
        if self.proposals.is_empty() { Ok(()) } else { self.log.append(std::mem::take(&mut self.proposals)) }
    }

    /// Applies what the log has ordered, up to the end of this turn.
    fn apply(&mut self) {
        while !self.turn.is_over()
            && let Some(entry) = self.ordered.pop_front()
        {
            self.chat.apply(&entry, &mut self.effects);
            // At once, entry by entry: an effect's audience is shared with the group that the next entry may change.
            self.carry_out();
        }
    }

    fn take_in(&mut self, message: Message) {
        let input = match message {
            Message::Input(input) => input,
            Message::Knock(_, outbox) if self.has_said_goodbye => {
                return outbox.close(Some(CloseReason::Shutdown));
            }
            Message::Knock(input, outbox) => {
                if let Input::Knock { connection, .. } = input {
                    self.connections.insert(connection, Line { outbox, session: None });
                }
                input
            }
            Message::Clients(answer) => {
                // One who does not wait for the answer any more needs none.
                let _ = answer.send(self.chat.clients().collect());
                return;
            }
        };
        if let Input::Gone { connection } = input {
            self.forget(connection);
        }
        self.chat.handle(input, clock::now(), &mut self.effects);
        self.carry_out();
    }

    /// Forgets a connection; a session that has moved on to another one is still heard there.
    fn forget(&mut self, connection: ConnectionId) {
        let session = self.connections.remove(&connection).and_then(|line| line.session);
        if let Some(session) = session
            && self.listeners.get(&session).is_some_and(|(listener, _)| *listener == connection)
        {
            self.listeners.remove(&session);
        }
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Propose(proposal) => self.proposals.push(proposal),
                Effect::Admit { connection, session } => self.admit(connection, session),
                Effect::Reply { connection, tag, result } => {
                    self.reply(connection, &ServerFrame::Response { tag, result });
                }
                Effect::Notify { audience, notification } => {
                    self.notify(&audience, notification);
                }
                Effect::Read { connection, tag, read } => self.look_up(connection, tag, read),
                Effect::Replay { connection, replay } => self.replay(connection, replay),
                Effect::Tell { connection, notification } => self.tell(connection, notification),
                Effect::HangUp { connection, reason } => {
                    if let Some(line) = self.connections.get(&connection) {
                        line.outbox.close(reason);
                    }
                }
            }
        }
        self.effects = effects;
    }

    fn admit(&mut self, connection: ConnectionId, session: SessionId) {
        if let Some(line) = self.connections.get_mut(&connection) {
            line.session = Some(session);
            line.outbox.admit();
            self.listeners.insert(session, (connection, line.outbox.clone()));
        }
    }

    /// Has something looked up; what is found comes in by the door. One for each connection at the most.
    fn look_up(&self, connection: ConnectionId, tag: Tag, read: Read) {
        let (archive, door) = (self.archive.clone(), self.door.clone());
        tokio::spawn(async move {
            let found = match archive {
                Some(archive) => archive.read(read).await,
                None => Err(ReadError::Stopped),
            };
            let result = match found {
                Ok(Past { posts, next }) => Ok(Response::Past { posts: Page::fill(posts), next }),
                // A server whose archive has stopped is about to stop.
                Err(ReadError::TookTooLong | ReadError::Stopped) => Err(Refusal::TookTooLong),
            };
            // A server that has stopped answers nobody.
            let _ = door.send(Message::Input(Input::Found { connection, tag, result })).await;
        });
    }

    fn replay(&mut self, connection: ConnectionId, replay: Replay) {
        let Some(line) = self.connections.get(&connection) else { return };
        match &self.archive {
            Some(archive) => {
                line.outbox.hold();
                tokio::spawn(replay::send(archive.clone(), replay, line.outbox.clone()));
            }
            None => line.outbox.close(Some(CloseReason::Failed)),
        }
    }

    fn reply(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        let Some(line) = self.connections.get(&connection) else { return };
        self.scratch.clear();
        if let Err(error) = codec::encode_into(frame, &mut self.scratch) {
            not_encoded(frame, &error);
            return line.outbox.close(Some(CloseReason::Failed));
        }
        self.turn.bytes += self.scratch.len();
        self.turn.deliveries += 1;
        if line.outbox.answer(&self.scratch) == Pushed::First {
            self.touched.push(line.outbox.clone());
        }
    }

    fn tell(&mut self, connection: ConnectionId, notification: Notification) {
        let (Some(line), Some(frame)) =
            (self.connections.get(&connection), encode(&ServerFrame::Notification(notification)))
        else {
            return;
        };
        self.turn.bytes += frame.len();
        self.turn.deliveries += 1;
        if line.outbox.push(&frame) == Pushed::First {
            self.touched.push(line.outbox.clone());
        }
    }

    /// Tells everyone who is meant and is connected here; encoded once, if there is anybody.
    fn notify(&mut self, audience: &Audience, notification: Notification) {
        let frame = ServerFrame::Notification(notification);
        let mut encoded: Option<Bytes> = None;
        for session in audience.iter() {
            self.turn.deliveries += 1;
            let Some((_, outbox)) = self.listeners.get(&session) else { continue };
            let bytes = match &encoded {
                Some(bytes) => bytes,
                None => {
                    let Some(bytes) = encode(&frame) else { return };
                    self.turn.bytes += bytes.len();
                    encoded.insert(bytes)
                }
            };
            if outbox.push(bytes) == Pushed::First {
                self.touched.push(outbox.clone());
            }
        }
    }

    fn hang_up_on_all(&mut self, reason: CloseReason) {
        if !self.connections.is_empty() {
            info!(connections = self.connections.len(), ?reason, "hanging up on everyone");
        }
        for line in self.connections.values() {
            line.outbox.close(Some(reason));
        }
    }
}

/// Encodes what the server itself has made. Its types are bounded so that every frame fits; one that does not is a bug
/// of ours, which must cost no more than the frame.
fn encode(frame: &ServerFrame) -> Option<Bytes> {
    codec::encode(frame).map_err(|error| not_encoded(frame, &error)).ok()
}

fn not_encoded(frame: &ServerFrame, error: &FrameError) {
    let kind = match frame {
        ServerFrame::Response { .. } => "response",
        ServerFrame::Notification(Notification::Closing(_)) => "closing",
        ServerFrame::Notification(_) => "notification",
    };
    error!(%error, kind, "a frame could not be encoded");
}
