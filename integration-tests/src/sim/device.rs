//! One device of a person: a program on the real client. It writes down what happens to it before
//! anything else can happen, is killed now and then, and goes on from its journal.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use chatroom_client::{Client, ConnectError, Ended, Event as Told, Events, Random, Reconnect};
use chatroom_proto::{Conversation, GroupName, Moderation, Refusal, Request, Seq, Tag, UserName};
use futures_util::StreamExt;

use super::Broken;
use super::line::{Cut, SimDial};
use super::people::{Act, DEVICES, PEOPLE, any_act, nth_password};
use super::witness::{Greeting, Greetings};
use super::world::World;
use crate::history::{Event, History};
use crate::process::nothing_is_starting;
use crate::test_client::{body, post_id, user};

pub(super) mod hearing;

/// How many requests one leaves without an answer.
const UNANSWERED_MAX: usize = 12;

/// How long one looks away who looks away, in virtual milliseconds at the most.
const LOOKS_AWAY_MS_MAX: u64 = 4_000;

/// How often one looks whether all are at rest, in virtual milliseconds.
const RESTS_EVERY_MS: u64 = 500;

/// One device, over all of its lives.
pub(super) struct Device {
    world: Arc<World>,
    number: usize,
    keep: PathBuf,
    pub(super) history: History,
    /// Which password it believes in.
    password: usize,
    /// How it was let in, in lives before, when it was killed before it knew. Its journal may know.
    unheard: Vec<Greeting>,
    life: Life,
}

/// What is gone when it is killed.
#[derive(Default)]
struct Life {
    greetings: Greetings,
    is_over: Arc<Mutex<bool>>,
    groups: Vec<GroupName>,
    /// Where something was said lately, by it or by others.
    known: Vec<Seq>,
    /// Those that its library takes it to be in: what it has asked to leave, too, until it is
    /// answered.
    followed: Vec<GroupName>,
    /// The newest welcome: what took effect before it is in it.
    welcomed_at: Seq,
    unanswered: usize,
    /// Whether it has heard all that it missed.
    is_live: bool,
    /// The newest event that this connection told of.
    told: Seq,
    /// What it is to have shown when this ping is answered.
    resting: Option<(Tag, Seq)>,
    /// How often it has tried to connect in vain.
    tries: u32,
}

impl Device {
    pub(super) fn new(world: &Arc<World>, number: usize, directory: &Path) -> Device {
        Device {
            world: Arc::clone(world),
            number,
            keep: directory.join(number.to_string()),
            history: History::new(user(PEOPLE[DEVICES[number]])),
            password: 0,
            unheard: Vec::new(),
            life: Life::default(),
        }
    }

    /// Lives, and is killed, and lives on, until it is over.
    pub(super) async fn live(mut self) -> History {
        self.world.sleep(self.world.below(500)).await;
        loop {
            let killed_after = self.world.between(100, 10_000);
            let world = Arc::clone(&self.world);
            let killed = async {
                world.sleep(killed_after).await;
                if world.is_calm() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                () = world.over.cancelled() => return self.history,
                () = killed => {}
                () = self.one_life() => {}
            }
            self.be_killed();
            self.world
                .sleep(self.world.between(1, if self.world.once_in(4) { 8_000 } else { 1_000 }))
                .await;
        }
    }

    /// Everything that is not in the journal is gone.
    fn be_killed(&mut self) {
        self.world.tally(|tally| tally.kills += 1);
        self.world.trace(&[6, self.number as u64], &[]);
        self.record(Event::Killed);
        *self.life.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let now = self.world.now();
        for line in now.lines.values().filter(|line| line.device == self.number) {
            let (least, most) = if self.world.once_in(8) { (5_000, 9_000) } else { (1, 12) };
            line.cut(Cut { client_ms: 0, server_ms: self.world.between(least, most) });
        }
        drop(now);
        let life = std::mem::take(&mut self.life);
        let mut greetings = life.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        self.unheard.extend(greetings.drain(..));
        drop(greetings);
        self.note();
    }

    /// One link after the other, for ever.
    async fn one_life(&mut self) {
        loop {
            if self.world.now().is_locked_out(self.number) {
                // Nobody can come by a password who has none.
                self.world.sleep(500).await;
                continue;
            }
            match self.connect().await {
                Ok((client, events)) => self.talk(&client, events).await,
                Err(error) => self.is_turned_away(&error),
            }
            (self.life.is_live, self.life.resting) = (false, None);
            self.note();
            self.life.tries += 1;
            self.world.sleep(self.world.between(1, 50 << self.life.tries.min(5))).await;
        }
    }

    async fn connect(&mut self) -> Result<(Client, Events), ConnectError> {
        let dial = SimDial {
            world: Arc::clone(&self.world),
            device: self.number,
            greetings: Arc::clone(&self.life.greetings),
            is_over: Arc::clone(&self.life.is_over),
        };
        let who = (self.name().clone(), Some(nth_password(self.password)));
        let (keep, world) = (Some(self.keep.clone()), Arc::clone(&self.world));
        let random = Random::new(move || world.number());
        nothing_is_starting();
        let (client, events, _) =
            Client::over_with(dial, who, Reconnect::Forever, keep, random).await?;
        if let Some(fault) = &client.kept().fault {
            self.world.broken(Broken::Journal(fault.to_string()));
        }
        self.life.unanswered = client.kept().sent_again;
        self.life.tries = 0;
        self.is_welcome();
        Ok((client, events))
    }

    fn is_turned_away(&mut self, error: &ConnectError) {
        match error {
            ConnectError::Refused(refusal) => self.is_refused(refusal),
            ConnectError::Garbled(what) => self.world.broken(Broken::LinkEnded(what.clone())),
            _ => {}
        }
    }

    fn is_refused(&mut self, refusal: &Refusal) {
        if matches!(refusal, Refusal::WrongPassword { .. }) {
            self.password = 1 - self.password;
        }
    }

    /// Hears and acts until the link has ended.
    async fn talk(&mut self, client: &Client, mut events: Events) {
        let mut acts_at = self.world.millis() + 50;
        loop {
            self.note();
            match next_turn(&self.world, &mut events, acts_at).await {
                Turn::Hear(Some(Told::Ended(ended))) => return self.link_ended(&ended),
                Turn::Hear(Some(told)) => self.hear(told),
                Turn::Hear(None) => {
                    return self.world.broken(Broken::LinkEnded("without a word".to_owned()));
                }
                Turn::Act if self.world.is_calm() => {
                    self.rest(client).await;
                    acts_at = self.world.millis() + RESTS_EVERY_MS;
                }
                Turn::Act => {
                    self.act(client).await;
                    acts_at = self.world.millis() + self.world.between(5, 200);
                }
            }
        }
    }

    fn link_ended(&mut self, ended: &Ended) {
        match ended {
            Ended::Refused(refusal) => self.is_refused(refusal),
            Ended::Disconnected => self.world.tally(|tally| tally.disconnected += 1),
            Ended::Left | Ended::PasswordChanged => {}
            // Whoever was this device is killed, and cut off.
            Ended::Replaced
            | Ended::GaveUp(_)
            | Ended::Misbehaved(_)
            | Ended::Garbled(_)
            | Ended::Untrusted(_) => self.world.broken(Broken::LinkEnded(ended.to_string())),
        }
    }

    /// Does something that people do, or some of it at once; or looks away.
    async fn act(&mut self, client: &Client) {
        if self.world.once_in(130) {
            return self.world.sleep(self.world.between(100, LOOKS_AWAY_MS_MAX)).await;
        }
        for _ in 0..if self.world.once_in(20) { 6 } else { 1 } {
            if self.life.unanswered >= UNANSWERED_MAX {
                return;
            }
            let act = any_act(&self.world, self.name(), &self.life.groups, self.password);
            match act {
                Act::Nothing => {}
                Act::Post(to) => self.post(client, to).await,
                Act::Delete => self.delete(client).await,
                Act::Ask(request) => {
                    if matches!(request, Request::ChangePasswordAndToken { .. }) {
                        self.world.now().devices[self.number].tokens_asked += 1;
                    }
                    if let Request::Moderate { group, act: Moderation::Mute { user, .. } } =
                        &request
                    {
                        self.record(Event::Muting(group.clone(), user.clone()));
                    }
                    self.submit(client, request).await;
                }
                Act::Join(group) => {
                    self.record(Event::Joining(group.clone()));
                    self.submit(client, Request::Join { group }).await;
                }
                Act::Leave(group) => {
                    self.life.groups.retain(|other| *other != group);
                    self.record(Event::Leaving(group.clone()));
                    self.submit(client, Request::Leave { group }).await;
                }
            }
        }
    }

    async fn post(&mut self, client: &Client, to: Conversation) {
        let id = {
            let mut now = self.world.now();
            now.posts_made += 1;
            post_id(now.posts_made)
        };
        self.world.tally(|tally| tally.posts += 1);
        self.record(Event::Sent(id, to.clone()));
        let request = match to {
            Conversation::Group(group) => Request::Public { group, id, body: body("hi") },
            Conversation::User(to) => Request::Private { to, id, body: body("hi") },
        };
        if self.submit(client, request).await.is_some() {
            self.record(Event::Entrusted(id));
        }
    }

    /// Something that it has said or heard lately. Of what others said it may not, mostly.
    async fn delete(&mut self, client: &Client) {
        let Some(post) = self.world.pick(&self.life.known).copied() else { return };
        self.record(Event::Deleting(post));
        self.submit(client, Request::Delete { post }).await;
    }

    async fn submit(&mut self, client: &Client, request: Request) -> Option<Tag> {
        let tag = client.submit(request).await.ok()?;
        self.life.unanswered += 1;
        Some(tag)
    }

    /// When nobody waits for anything, a last ping shows that everything was shown.
    async fn rest(&mut self, client: &Client) {
        let has_rested = self.world.now().devices[self.number].has_rested;
        if !has_rested
            && self.life.resting.is_none()
            && let Some(until) = self.world.rest()
            && let Some(tag) = self.submit(client, Request::Ping).await
        {
            self.life.resting = Some((tag, until));
        }
    }

    /// Lets the others know whether it waits for anything.
    fn note(&self) {
        let is_resting = self.life.resting.is_some();
        let is_quiet = self.life.is_live && (self.life.unanswered == 0 || is_resting);
        self.world.now().devices[self.number].is_quiet = is_quiet;
    }

    fn record(&mut self, event: Event) {
        self.history.events.push(event);
    }

    fn name(&self) -> &UserName {
        &self.history.name
    }
}

/// What a device does next.
enum Turn {
    Hear(Option<Told>),
    Act,
}

/// The events go first: asking for the next one says that the one before is written down, and that
/// must be said before this device waits for anything, and can be killed.
async fn next_turn(world: &World, events: &mut Events, acts_at: u64) -> Turn {
    let mut acts = pin!(world.sleep(acts_at.saturating_sub(world.millis())));
    poll_fn(|context| match events.poll_next_unpin(context) {
        Poll::Ready(told) => Poll::Ready(Turn::Hear(told)),
        Poll::Pending => acts.as_mut().poll(context).map(|()| Turn::Act),
    })
    .await
}
