//! A fresh directory, the server on it, the proxy before it, and the cast.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chatroom_proto::{Seq, codec};
use chatroom_server::chat::ChatState;
use chatroom_server::chat::effect::{ArchiveChange, StoredPost};
use chatroom_server::config::Config;
use chatroom_server::storage::log::{Durability, Log, LogError, SqliteLog};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::actor::{Orders, PEOPLE, Part, State};
use super::machine::Machine;
use super::{Failure, Plan, Report};
use crate::chance::Chance;
use crate::history::{Delivery, Event, check};
use crate::process::Exit;
use crate::program::{ServerProgram, quiet_port};
use crate::proxy::{Fate, Proxy, Way};
use crate::test_client::DEADLINE;

/// How long a server is under load before it is killed, at the most.
const LOAD_MS_MAX: u64 = 300;

/// How long clients have to come back by themselves. The library waits longer each time that its
/// connection broke soon, for the servers' sake; here, who is not back by then is killed and
/// started again.
const PATIENCE: Duration = Duration::from_millis(150);

/// How many bytes a connection lives, at the most, that is to be cut or stalled.
const BYTES_MAX: u64 = 24_000;

/// One client: its task, and how it is.
struct Member {
    part: Part,
    task: JoinHandle<()>,
    state: watch::Receiver<State>,
    report: watch::Sender<State>,
}

/// Everything that is played with.
pub struct Stage {
    directory: TempDir,
    machine: Machine,
    port: u16,
    server: Option<ServerProgram>,
    /// Beside where it keeps its log.
    arguments: Vec<String>,
    proxy: Proxy,
    cast: Vec<Member>,
    orders: watch::Sender<Orders>,
    chance: Chance,
    report: Report,
}

impl Stage {
    /// Plays some rounds on a fresh directory, lets everybody come to rest, and checks.
    pub async fn play(plan: &Plan, number: u64, rounds: u64, chance: Chance) -> Report {
        let mut stage = Stage::set(plan, chance).await;
        let played = stage.play_rounds(rounds).await;
        let played = match played {
            Ok(()) => stage.come_to_rest().await,
            failed => failed,
        };
        stage.finish(number, played).await
    }

    async fn set(plan: &Plan, chance: Chance) -> Stage {
        let directory =
            TempDir::with_prefix("chatroom-chaos-").expect("a temporary directory can be made");
        let machine = Machine::new(directory.path());
        let days = plan.keep_days.to_string();
        let rate = plan.rate.to_string();
        let arguments = ["--keep-days", &days, "--durability", plan.durability, "--rate", &rate];
        let arguments: Vec<String> = arguments.map(str::to_owned).into();
        let port = quiet_port();
        let server = start_server(port, &arguments, &machine).await;
        let proxy = Proxy::to(server.address(), usize::MAX).await;
        let (orders, _) = watch::channel(Orders { server: 1, talks: true, rest: None });
        let mut stage = Stage {
            directory,
            machine,
            port,
            server: Some(server),
            arguments,
            proxy,
            cast: Vec::new(),
            orders,
            chance,
            report: Report { stages: 1, ..Report::default() },
        };
        for number in 0..PEOPLE.len() {
            let part = Part::new(number, stage.directory.path(), stage.proxy.address);
            let (report, state) = watch::channel(State::default());
            let task = stage.start(part.clone(), report.clone());
            stage.cast.push(Member { part, task, state, report });
        }
        stage
    }

    fn start(&mut self, part: Part, report: watch::Sender<State>) -> JoinHandle<()> {
        tokio::spawn(part.live(self.orders.subscribe(), report, self.chance.fork()))
    }

    async fn play_rounds(&mut self, rounds: u64) -> Result<(), String> {
        // Everybody is let in once before anything goes wrong: a first welcome that is lost begins
        // a session that nobody has the token of.
        self.wait_for_everybody(|state| state.server == 1, false).await?;
        let mut chance = self.chance.fork();
        self.proxy.decide(move || fate(&mut chance));
        for _ in 0..rounds {
            let load = self.chance.below(LOAD_MS_MAX);
            sleep(Duration::from_millis(load)).await;
            if self.chance.once_in(3) {
                self.kill_somebody().await;
            }
            if self.chance.once_in(6) {
                self.proxy.cut_now();
            }
            if self.chance.once_in(4) && self.machine.set_clock(&mut self.chance) {
                self.report.clock_jumps += 1;
            }
            if self.chance.once_in(8) {
                self.machine.back_up().await;
            }
            self.end_server().await;
            if self.chance.once_in(8) {
                self.restore().await;
            }
            if self.chance.once_in(5) {
                // Again, right after its start.
                self.start_server().await;
                self.end_server().await;
            }
            self.start_server().await;
            let server = self.orders.borrow().server;
            self.wait_for_everybody(move |state| state.server >= server, true).await?;
            self.report.rounds += 1;
        }
        Ok(())
    }

    /// Kills the server, or tells it to stop, now and then.
    async fn end_server(&mut self) {
        let Some(server) = self.server.take() else { return };
        if self.chance.once_in(8) {
            self.report.stops += 1;
            let stopped =
                spawn_blocking(move || server.stop()).await.expect("a server that can be stopped");
            assert_eq!(stopped.exit, Exit::Code(0), "{}", stopped.diagnostics);
        } else {
            self.report.kills += 1;
            spawn_blocking(move || server.kill()).await.expect("nothing survives SIGKILL");
        }
    }

    async fn start_server(&mut self) {
        // Before it listens, so that nobody is let in by a server that was not counted.
        self.orders.send_modify(|orders| orders.server += 1);
        self.server = Some(start_server(self.port, &self.arguments, &self.machine).await);
    }

    /// Puts the newest copy of the log back, if there is one. Everybody is killed meanwhile, so
    /// that what they write down is of before it or of after it.
    async fn restore(&mut self) {
        let Some(to) = self.machine.restore().await else { return };
        self.report.restores += 1;
        for number in 0..self.cast.len() {
            self.kill(number).await;
            let member = &mut self.cast[number];
            member.part.note_put_back(to);
            member.report.send_modify(|state| *state = State::default());
            let (part, report) = (member.part.clone(), member.report.clone());
            self.cast[number].task = self.start(part, report);
        }
    }

    async fn kill_somebody(&mut self) {
        let number = self.chance.below(self.cast.len() as u64) as usize;
        self.restart(number).await;
    }

    /// Kills a client and starts it again.
    async fn restart(&mut self, number: usize) {
        self.kill(number).await;
        let member = &self.cast[number];
        let (part, report) = (member.part.clone(), member.report.clone());
        report.send_modify(|state| state.server = 0);
        self.cast[number].task = self.start(part, report);
    }

    async fn kill(&mut self, number: usize) {
        self.report.clients_killed += 1;
        let member = &mut self.cast[number];
        member.task.abort();
        let ended = (&mut member.task).await;
        assert!(
            ended.is_err_and(|error| error.is_cancelled()),
            "{:?} lives until it is killed",
            member.part
        );
        member.part.note_killed();
    }

    /// Waits until all are as they should be. Who is not in time is killed and started again, if it
    /// may be.
    async fn wait_for_everybody(
        &mut self,
        is_fine: impl Fn(&State) -> bool,
        may_be_killed: bool,
    ) -> Result<(), String> {
        let give_up = Instant::now() + DEADLINE;
        while Instant::now() < give_up {
            let mut late = Vec::new();
            for (number, member) in self.cast.iter_mut().enumerate() {
                if timeout(PATIENCE, member.state.wait_for(&is_fine)).await.is_err() {
                    late.push(number);
                }
            }
            if late.is_empty() {
                return Ok(());
            }
            self.proxy.release();
            if may_be_killed {
                for number in late {
                    self.restart(number).await;
                }
            }
        }
        let states: Vec<State> = self.cast.iter().map(|member| *member.state.borrow()).collect();
        Err(format!("not everybody came so far: {states:?}"))
    }

    /// Nothing goes wrong any more; everybody gets the answers that are due, and shows what there
    /// is to show.
    async fn come_to_rest(&mut self) -> Result<(), String> {
        self.proxy.decide(|| Fate::Lives);
        self.proxy.release();
        self.orders.send_modify(|orders| orders.talks = false);
        let server = self.orders.borrow().server;
        // One more of each, for lines that were stalled on the way to the server and are not missed
        // by the client.
        self.proxy.cut_now();
        for number in 0..self.cast.len() {
            self.restart(number).await;
        }
        let is_quiet = move |state: &State| state.server >= server && state.unanswered == 0;
        let quiet = self.wait_for_everybody(is_quiet, false).await;
        let newest = self.cast.iter().map(|member| member.state.borrow().acknowledged).max();
        let newest = newest.unwrap_or_default().max(Seq(1));
        self.orders.send_modify(|orders| orders.rest = Some(newest));
        // Also when something was never answered: the checker says what.
        let rested = self.wait_for_everybody(move |state| state.rested >= newest, false).await;
        quiet.and(rested)
    }

    async fn finish(mut self, number: u64, played: Result<(), String>) -> Report {
        for member in &mut self.cast {
            member.task.abort();
            let _ = (&mut member.task).await;
        }
        if let Some(server) = self.server.take() {
            let stopped =
                spawn_blocking(move || server.stop()).await.expect("a server that can be stopped");
            assert_eq!(stopped.exit, Exit::Code(0), "{}", stopped.diagnostics);
        }
        self.report.cuts = self.proxy.cuts() as u64;
        self.report.stalls = self.proxy.stalls() as u64;
        let trouble = played.err();
        let data = self.machine.data();
        match kept(&data).await {
            Ok(records) => self.judge(number, &records, trouble),
            Err(error) => self.judge(number, &[], Some(format!("the log can't be read: {error}"))),
        }
    }

    fn judge(mut self, stage: u64, records: &[StoredPost], trouble: Option<String>) -> Report {
        let histories: Vec<_> = self.cast.iter().map(|member| member.part.history()).collect();
        let is_deleted = |record: &&StoredPost| record.deletion.is_some();
        self.report.deleted += records.iter().filter(is_deleted).count() as u64;
        for event in histories.iter().flat_map(|history| &history.events) {
            match event {
                Event::Sent(..) => self.report.sent += 1,
                Event::Acknowledged(..) => self.report.acknowledged += 1,
                Event::Showed(shown) => {
                    self.report.shown += 1;
                    self.report.replayed += u64::from(shown.delivery == Delivery::Replayed);
                }
                _ => {}
            }
        }
        let violations = check(&histories, Some(records));
        for violation in &violations {
            *self.report.broken.entry(violation.kind()).or_default() += 1;
        }
        if trouble.is_some() || !violations.is_empty() {
            let directory: PathBuf = self.directory.keep();
            self.report.failures.push(Failure { stage, violations, trouble, directory });
        }
        self.report
    }
}

async fn start_server(port: u16, arguments: &[String], machine: &Machine) -> ServerProgram {
    let data = machine.data().to_string_lossy().into_owned();
    let arguments = [arguments, &["--data".to_owned(), data]].concat();
    let environment = machine.environment();
    let started =
        spawn_blocking(move || ServerProgram::start_again_with(port, &arguments, &environment));
    started.await.expect("a server that was killed can be started again")
}

/// What becomes of the next connection.
fn fate(chance: &mut Chance) -> Fate {
    let after = 1 + chance.below(BYTES_MAX) as usize;
    match chance.below(10) {
        0..=3 => Fate::IsCut { after },
        4 => Fate::Stalls { after, way: Way::Up },
        5 => Fate::Stalls { after, way: Way::Down },
        6 => Fate::Stalls { after, way: Way::Both },
        _ => Fate::Lives,
    }
}

/// What the log has kept that took effect.
async fn kept(data: &Path) -> Result<Vec<StoredPost>, LogError> {
    let log = SqliteLog::open(data, Durability::Full)?;
    let head = log.head();
    // What a base stands for is what happened before the first post that is kept.
    let mut state = match log.snapshot()? {
        Some(base) => codec::decode(&base.state).expect("a snapshot is a state"),
        None => ChatState::new(Config::default().limits),
    };
    let mut records: Vec<StoredPost> = Vec::new();
    let mut batches = log.follow(state.head());
    while state.head() < head {
        let batch =
            timeout(DEADLINE, batches.next()).await.ok().flatten().expect("a log never ends")?;
        for entry in &batch {
            match state.fold(entry) {
                Some(ArchiveChange::Said(stored)) => records.push(stored),
                Some(ArchiveChange::Deleted(post, deletion)) => {
                    let place = records.binary_search_by_key(&post, |stored| stored.post.seq);
                    if let Ok(place) = place {
                        records[place].delete(deletion);
                    }
                }
                None => {}
            }
        }
    }
    Ok(records)
}
