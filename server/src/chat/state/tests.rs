//! States at random: whatever the log says, in whatever order, the state is sound, it goes on from
//! its snapshot as if nothing had happened, what is refused changes nothing, and what is foreseen
//! comes true.

use std::collections::BTreeSet;

use chatroom_proto::chance::Chance;
use chatroom_proto::codec;
use chatroom_proto::golden::Shape;

use super::applied::{Applied, CommandOutcome, is_forgettable};
use super::chat_state::ChatState;
use crate::chat::entry::{Command, Entry, Proposal};
use random::Author;

mod random;
mod sound;
mod under_way;

/// Few enough for a debug build.
const HISTORIES: u64 = 50;
const STEPS: usize = 200;
/// How often, in entries, everything is compared, which takes longer than everything else; and the
/// other state begins anew.
const COMPARED_ONCE_IN: usize = 3;
const RESTORED_ONCE_IN: usize = 50;

#[test]
fn a_state_is_sound_and_goes_on_from_its_snapshot_whatever_happens() {
    let mut took_effect = BTreeSet::new();
    for seed in 1..=HISTORIES {
        let mut history = History::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        took_effect.append(&mut history.took_effect);
    }
    let commands = Shape::whole::<Command>();
    let idle = commands.variants_of("Command").into_iter();
    let idle: Vec<&str> = idle.filter(|command| !took_effect.contains(*command)).collect();
    assert_eq!(idle, Vec::<&str>::new(), "these were never granted in any history");
}

/// A state, another one that went on from a snapshot of it, and what happened to them.
struct History {
    seed: u64,
    author: Author,
    chance: Chance,
    state: ChatState,
    restored: ChatState,
    done: Vec<String>,
    /// The names of the commands that were granted, and of those that nobody grants.
    took_effect: BTreeSet<String>,
}

impl History {
    fn new(seed: u64) -> History {
        let state = ChatState::new(random::LIMITS);
        let (author, chance) = (Author::new(seed), Chance::new(!seed));
        History {
            seed,
            author,
            chance,
            restored: state.clone(),
            state,
            done: Vec::new(),
            took_effect: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        let entry = self.author.next(&self.state);
        let Proposal { origin, at, command, .. } = &entry.proposal;
        let over = origin.map(|origin| (origin.place.connection.0, origin.tag.0));
        self.done.push(format!("{} at {}, over {over:?}: {command:?}", entry.seq, at.0));
        let before = self.state.clone();
        let foreseen = before.foresee(&entry.proposal);
        let applied = self.state.apply(&entry);
        let again = self.restored.apply(&entry);
        self.same(
            &format!("{applied:?}"),
            &format!("{again:?}"),
            "the restored state decides something else",
        );
        if let Some(foreseen) = foreseen.filter(|_| applied.result.is_some()) {
            let foreseen = Some(foreseen.map(CommandOutcome::Answer));
            self.same(
                &format!("{:?}", applied.result),
                &format!("{foreseen:?}"),
                "something else was foreseen",
            );
        }
        if let Err(why) = sound::look_at(&self.state, &before, self.author.ends_pending(&applied)) {
            panic!("history {}: {why}, after\n{}", self.seed, self.end());
        }
        if matches!(applied.result, Some(Ok(_))) || command.author().is_none() {
            let name = format!("{command:?}");
            self.took_effect.extend(name.split(' ').next().map(str::to_owned));
        }
        if self.chance.once_in(COMPARED_ONCE_IN) {
            self.is_as_before_if_refused(before, &entry, &applied);
            self.is_its_snapshot();
        }
        self.author.hear(&entry, applied);
    }

    /// What is refused leaves nothing behind but, at times, that it was.
    fn is_as_before_if_refused(&self, mut before: ChatState, entry: &Entry, applied: &Applied) {
        let Some(Err(refusal)) = &applied.result else { return };
        if is_forgettable(refusal) {
            before.head = entry.seq;
            before.at = entry.proposal.at;
            self.alike(&before, &self.state, "what was refused has changed something");
        }
    }

    /// The indexes are what follows from the rest; and from now on, sometimes, the other state is
    /// one that was just read.
    fn is_its_snapshot(&mut self) {
        let packed = codec::pack(&self.state).expect("a state has an encoding");
        let snapshot: ChatState = codec::decode(&packed).expect("and is read from it");
        self.alike(&self.state, &snapshot, "the snapshot is of another state");
        self.alike(&self.state, &self.restored, "the restored state has become another one");
        if self.chance.once_in(RESTORED_ONCE_IN / COMPARED_ONCE_IN) {
            self.done.push("the other state is restored".to_owned());
            self.restored = snapshot;
        }
    }

    fn alike(&self, one: &ChatState, other: &ChatState, otherwise: &str) {
        let (one, other) = (in_order(one.clone()), in_order(other.clone()));
        if one != other {
            self.same(&print(&one), &print(&other), otherwise);
            panic!(
                "history {}: {otherwise}, in what is not printed, after\n{}",
                self.seed,
                self.end()
            );
        }
    }

    fn same(&self, one: &str, other: &str, otherwise: &str) {
        if one == other {
            return;
        }
        let lines = one.lines().zip(other.lines()).filter(|(one, other)| one != other);
        let lines: Vec<_> =
            lines.take(5).map(|(one, other)| format!("{one}\n  and not {other}")).collect();
        panic!("history {}: {otherwise}:\n{}\nafter\n{}", self.seed, lines.join("\n"), self.end());
    }

    /// The latest entries.
    fn end(&self) -> String {
        const LINES_MAX: usize = 30;
        self.done[self.done.len().saturating_sub(LINES_MAX)..].join("\n")
    }
}

/// The lists that are in no order in one.
fn in_order(mut state: ChatState) -> ChatState {
    for group in state.groups.values_mut() {
        let mut present = group.present().to_vec();
        present.sort_unstable();
        group.detach_all();
        present.into_iter().for_each(|device| group.enter(device));
    }
    state
}

/// All of a state, a line for each thing, without the indexes that nobody could read.
fn print(state: &ChatState) -> String {
    let sorted = |mut lines: Vec<String>| {
        lines.sort_unstable();
        lines
    };
    let names = sorted(state.names.iter().map(|name| format!("{name:?}")).collect());
    let away = sorted(state.away.iter().map(|away| format!("{away:?}")).collect());
    let ChatState { devices, here, groups, detached, eviction_order, owned, server_admin, .. } =
        state;
    let counts = (state.limits, state.head, state.items, state.held_max, state.accounts);
    format!(
        "{:#?}",
        (counts, devices, here, names, away, groups, detached, eviction_order, owned, server_admin)
    )
}
