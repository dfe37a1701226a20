//! One client: it talks to the server through the client library, and writes down what happens to
//! it before anything else can happen. It may be killed at any moment at which it waits.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use chatroom_client::client::new_post_id;
use chatroom_client::{Client, Event as Heard, Events, Options};
use chatroom_proto::{
    Conversation, GroupName, Notification, Refusal, Request, Response, Seq, Welcome,
};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;
use crate::history::record::Shown;
use crate::history::{Delivery, Event, History, Recorder};
use crate::process::nothing_is_starting;
use crate::test_client::{body, group, user};

/// Who takes part.
pub const PEOPLE: [&str; 6] = ["jim", "ann", "bob", "zoe", "kim", "lea"];

/// Where people talk, besides General. The last one is the one that they come to and leave.
pub const GROUPS: [&str; 3] = ["tea", "art", "sea"];

/// Every how manieth registers, when it is let in: it owns its name from then on.
const REGISTERS_EVERY: usize = 2;

/// The password of everybody who does.
const PASSWORD: &str = "tea and milk";

/// How many requests one leaves without an answer.
const UNDER_WAY_MAX: usize = 24;

/// How long one waits between two tries to connect at the start: a program's business, not the
/// library's.
const RETRY: Duration = Duration::from_millis(15);

/// What is wanted of everybody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders {
    /// Which server runs, counted.
    pub server: u64,
    /// Whether to talk.
    pub talks: bool,
    /// Up to where everything is to be shown, when everybody comes to rest.
    pub rest: Option<Seq>,
}

/// How one client is.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    /// The newest server that has let it in, counted.
    pub server: u64,
    /// How many answers it waits for.
    pub unanswered: usize,
    /// The newest of its posts.
    pub acknowledged: Seq,
    /// Up to where it has shown everything.
    pub rested: Seq,
    /// How often its link ended for good.
    pub ended: u64,
}

/// Who a client is, and where it keeps things.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which of [`PEOPLE`].
    pub number: usize,
    directory: PathBuf,
    address: SocketAddr,
}

impl Part {
    /// A client that keeps its things in this directory, and connects there.
    pub fn new(number: usize, directory: &Path, address: SocketAddr) -> Part {
        Part { number, directory: directory.to_owned(), address }
    }

    fn name(&self) -> &'static str {
        PEOPLE[self.number]
    }

    fn journal(&self) -> PathBuf {
        self.directory.join(format!("{}.journal", self.name()))
    }

    /// Somebody else writes down that it was killed.
    pub fn note_killed(&self) {
        self.recorder().record(&Event::Killed);
    }

    /// And that what it has heard behind this place is no more.
    pub fn note_put_back(&self, to: Seq) {
        self.recorder().record(&Event::PutBack(to));
    }

    fn recorder(&self) -> Recorder {
        Recorder::open(&self.journal()).expect("a journal can be opened")
    }

    /// What it has lived through so far.
    ///
    /// # Panics
    /// When there is no such journal.
    pub fn history(&self) -> History {
        let journal = std::fs::read_to_string(self.journal()).expect("a journal can be read");
        History::parse(user(self.name()), &journal)
            .expect("a journal that was written by a recorder")
    }

    /// Lives until it is killed.
    pub async fn live(
        self,
        orders: watch::Receiver<Orders>,
        state: watch::Sender<State>,
        chance: Chance,
    ) {
        let mut life = Life {
            recorder: self.recorder(),
            part: self,
            orders,
            state,
            chance,
            groups: Vec::new(),
            unanswered: 0,
            said: None,
            resting: Seq::ZERO,
        };
        loop {
            life.run().await;
        }
    }

    async fn connect(&self) -> (Client, Events, Welcome) {
        loop {
            let (host, port) = (self.address.ip().to_string(), self.address.port());
            let keep = Some(self.directory.join(format!("{}.keep", self.name())));
            let password = Some(PASSWORD.to_owned().try_into().expect("a password"));
            let options = Options { keep, password, ..Options::new(host, port, user(self.name())) };
            nothing_is_starting();
            match Client::connect_and_greet(options).await {
                Ok(connected) => return connected,
                Err(_) => sleep(RETRY).await,
            }
        }
    }
}

/// What a client does next.
enum Turn {
    Hear(Option<Heard>),
    Act,
    Rest(Seq),
    /// There are new orders.
    Obey,
    End,
}

/// The events go first: asking for the next one says that the one before is written down, and that
/// must be said before this client waits for anything, and can be killed. (`tokio::select!` may
/// wait before it asks anybody.)
async fn next_turn(
    events: &mut Events,
    mut otherwise: Pin<&mut impl Future<Output = Turn>>,
) -> Turn {
    poll_fn(|context| match events.poll_next_unpin(context) {
        Poll::Ready(event) => Poll::Ready(Turn::Hear(event)),
        Poll::Pending => otherwise.as_mut().poll(context),
    })
    .await
}

async fn other_turn(
    next_act: Instant,
    talks: bool,
    rests: Option<Seq>,
    orders: &mut watch::Receiver<Orders>,
) -> Turn {
    if let Some(until) = rests {
        return Turn::Rest(until);
    }
    tokio::select! {
        () = sleep_until(next_act), if talks => Turn::Act,
        changed = orders.changed() => if changed.is_ok() { Turn::Obey } else { Turn::End },
    }
}

/// One client while it runs.
struct Life {
    part: Part,
    recorder: Recorder,
    orders: watch::Receiver<Orders>,
    state: watch::Sender<State>,
    chance: Chance,
    groups: Vec<GroupName>,
    unanswered: usize,
    /// Where it has said something last.
    said: Option<Seq>,
    /// Up to where it was asked to rest, and asked the server for the sign that it has.
    resting: Seq,
}

impl Life {
    /// Runs one link to its end.
    async fn run(&mut self) {
        let (client, mut events, welcome) = self.part.connect().await;
        self.welcomed(&client, &welcome);
        if self.part.number.is_multiple_of(REGISTERS_EVERY)
            && self.register(&client).await.is_none()
        {
            return;
        }
        let mut next_act = Instant::now();
        let mut orders = self.orders.clone();
        loop {
            let Orders { talks, rest, .. } = *orders.borrow_and_update();
            self.state.send_modify(|state| state.unanswered = self.unanswered);
            // The answer comes after all that are due.
            let rests = rest.filter(|rest| *rest > self.resting);
            let turn = {
                let talks = talks && self.unanswered < UNDER_WAY_MAX;
                let otherwise = pin!(other_turn(next_act, talks, rests, &mut orders));
                next_turn(&mut events, otherwise).await
            };
            let done = match turn {
                Turn::Hear(Some(event)) => {
                    self.hear(event);
                    Some(())
                }
                Turn::Act => {
                    let acted = self.act(&client, &mut events).await;
                    next_act = Instant::now() + Duration::from_micros(self.chance.below(12_000));
                    acted
                }
                Turn::Rest(until) => {
                    self.resting = until;
                    self.submit(&client, Request::Ping).await
                }
                Turn::Obey => Some(()),
                Turn::Hear(None) | Turn::End => None,
            };
            if done.is_none() {
                break;
            }
        }
        self.state.send_modify(|state| state.ended += 1);
    }

    fn welcomed(&mut self, client: &Client, welcome: &Welcome) {
        self.groups =
            welcome.groups.as_slice().iter().map(|membership| membership.group.clone()).collect();
        let groups = self.groups.clone();
        self.recorder.record(&Event::Welcomed {
            seq: welcome.seq,
            resumed: welcome.resumed,
            groups,
        });
        self.unanswered = client.kept().sent_again;
        self.resting = Seq::ZERO;
        if let Some(trouble) = &client.kept().fault {
            panic!("{} can't use what it keeps: {trouble}", self.part.name());
        }
        self.is_back();
    }

    fn is_back(&self) {
        let server = self.orders.borrow().server;
        self.state.send_modify(|state| state.server = server);
    }

    /// Writes down what happened. Nothing here waits.
    fn hear(&mut self, event: Heard) {
        match event {
            Heard::Notification(notification) => self.show(&notification, Delivery::Live),
            Heard::Replayed(notification) => self.show(&notification, Delivery::Replayed),
            Heard::Answer { request, result, .. } => self.answered(&request, result),
            Heard::Back { resumed, .. } => {
                if !resumed {
                    let seq = self.state.borrow().acknowledged;
                    self.recorder.record(&Event::Welcomed { seq, resumed, groups: Vec::new() });
                }
                self.is_back();
            }
            Heard::PutBack { to } => {
                self.said = None;
                self.recorder.record(&Event::PutBack(to));
            }
            Heard::Missed(place) => self.recorder.record(&Event::Missed(place)),
            Heard::Lost(_)
            | Heard::CaughtUp
            | Heard::Rejoined { .. }
            | Heard::NotRejoined { .. }
            | Heard::Slowed { .. }
            | Heard::Ended(_) => {}
        }
    }

    fn show(&mut self, notification: &Notification, delivery: Delivery) {
        let shown = match notification {
            Notification::GroupPost { post, group } => {
                Shown::new(post, Conversation::Group(group.clone()), delivery)
            }
            Notification::PrivatePost { post, .. } => {
                Shown::new(post, Conversation::User(post.from.clone()), delivery)
            }
            Notification::DeletedPost { post, place } => {
                let place = match place {
                    Conversation::Group(_) => place.clone(),
                    Conversation::User(_) => Conversation::User(post.from.clone()),
                };
                Shown::gone(post, place)
            }
            Notification::Deleted { post, seq, .. } => {
                return self.recorder.record(&Event::Deleted(*post, *seq));
            }
            _ => return,
        };
        self.recorder.record(&Event::Showed(shown));
    }

    fn answered(&mut self, request: &Request, result: Result<Response, Refusal>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let event = match (request, result) {
            (
                Request::Public { id, .. } | Request::Private { id, .. },
                Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. }),
            ) => {
                self.state.send_modify(|state| state.acknowledged = state.acknowledged.max(seq));
                self.said = Some(seq);
                Event::Acknowledged(*id, seq)
            }
            (Request::Public { id, .. } | Request::Private { id, .. }, Err(_)) => {
                Event::Refused(*id)
            }
            (_, Ok(Response::Joined { seq, membership })) => {
                self.groups.push(membership.group.clone());
                Event::Joined(membership.group, seq)
            }
            (_, Ok(Response::Left { seq, group })) => {
                self.groups.retain(|left| *left != group);
                Event::Left(group, seq)
            }
            (Request::Delete { post }, Ok(Response::Deleted { seq })) => Event::Deleted(*post, seq),
            (
                Request::History { .. },
                Ok(Response::Past { posts, .. } | Response::PastWithDeleted { posts, .. }),
            ) => {
                let posts = posts.as_slice().iter();
                return posts.for_each(|said| {
                    self.recorder.record(&Event::ReadBack(said.post.seq));
                });
            }
            (Request::Ping, Ok(Response::Pong)) => Event::Rested(self.resting),
            _ => return,
        };
        self.recorder.record(&event);
        if let Event::Rested(seq) = event {
            self.state.send_modify(|state| state.rested = seq);
        }
    }

    /// Does something that people do. Nothing, when the link has ended.
    async fn act(&mut self, client: &Client, events: &mut Events) -> Option<()> {
        match self.chance.below(200) {
            0 => self.look_away(events).await,
            1 | 2 => self.come_or_go(client).await,
            3..=9 => self.first_joins(client).await,
            10..=14 => self.delete(client).await,
            15 => {
                let of = Conversation::Group(self.chance.pick(&self.groups)?.clone());
                self.submit(client, Request::History { of, before: Seq::ZERO, count: 20 }).await
            }
            16..=59 => {
                let to = PEOPLE[self.chance.below(PEOPLE.len() as u64) as usize];
                if to == self.part.name() {
                    return Some(());
                }
                self.post(client, Conversation::User(user(to))).await
            }
            _ => {
                let to = self.chance.pick(&self.groups)?.clone();
                self.post(client, Conversation::Group(to)).await
            }
        }
    }

    /// Takes no events for a while. What it has was written down.
    async fn look_away(&mut self, events: &mut Events) -> Option<()> {
        while let Some(event) = events.next().now_or_never() {
            self.hear(event?);
        }
        sleep(Duration::from_millis(self.chance.below(300))).await;
        Some(())
    }

    /// Makes its name its own. Who has done it before is refused.
    async fn register(&mut self, client: &Client) -> Option<()> {
        let password = PASSWORD.to_owned().try_into().expect("a password");
        self.submit(client, Request::Register { password }).await
    }

    async fn first_joins(&mut self, client: &Client) -> Option<()> {
        let name = group(GROUPS[self.chance.below(2) as usize]);
        if self.groups.contains(&name) { Some(()) } else { self.join(client, name).await }
    }

    async fn come_or_go(&mut self, client: &Client) -> Option<()> {
        let name = group(GROUPS[2]);
        if !self.groups.contains(&name) {
            return self.join(client, name).await;
        }
        self.groups.retain(|group| *group != name);
        self.recorder.record(&Event::Leaving(name.clone()));
        self.submit(client, Request::Leave { group: name }).await
    }

    async fn join(&mut self, client: &Client, name: GroupName) -> Option<()> {
        self.recorder.record(&Event::Joining(name.clone()));
        self.submit(client, Request::Create { group: name.clone() }).await?;
        self.submit(client, Request::Join { group: name }).await
    }

    async fn post(&mut self, client: &Client, to: Conversation) -> Option<()> {
        let id = new_post_id();
        self.recorder.record(&Event::Sent(id, to.clone()));
        let request = match to {
            Conversation::Group(group) => {
                Request::Public { group, id, body: body("something to say") }
            }
            Conversation::User(to) => Request::Private { to, id, body: body("something to say") },
        };
        self.submit(client, request).await?;
        self.recorder.record(&Event::Entrusted(id));
        Some(())
    }

    /// Takes back what it has said last.
    async fn delete(&mut self, client: &Client) -> Option<()> {
        let Some(post) = self.said.take() else { return Some(()) };
        self.recorder.record(&Event::Deleting(post));
        self.submit(client, Request::Delete { post }).await
    }

    async fn submit(&mut self, client: &Client, request: Request) -> Option<()> {
        client.submit(request).await.ok()?;
        self.unanswered += 1;
        Some(())
    }
}
