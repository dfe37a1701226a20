//! When somebody was in a group, as far as its journal knows. A join whose answer never came may
//! have taken effect, or not: so there is what is certain, by which a client is owed what was said,
//! and what is possible, beyond which it must be shown nothing.

use std::collections::{HashMap, HashSet};

use chatroom_proto::{GroupName, NameKey, Seq};

use super::record::{Event, History};

/// For ever, so far.
const OPEN: Seq = Seq(u64::MAX);

/// The stays of one client.
#[derive(Debug, Default)]
pub struct Stays {
    groups: HashMap<NameKey, Spans>,
    /// Where its sessions began: one, unless it came as a new device, or a server did not know it
    /// when it came back.
    pub began: Vec<Seq>,
    /// Where these were that a server did not know.
    pub forgotten: Vec<Seq>,
    /// Whether it comes as a new device.
    is_new: bool,
    /// Whether others come under the same name: then it may have been out and in again while it was
    /// away.
    shares_name: bool,
    /// Where it was away, if others come under the same name: they may have gone into a group and
    /// out of it, and it is told what was said there meanwhile.
    away: Vec<Span>,
    /// The newest welcome.
    welcomed: Seq,
    /// Up to where it has surely shown everything.
    pub rested: Seq,
}

#[derive(Debug, Default)]
struct Spans {
    sure: Vec<Span>,
    possible: Vec<Span>,
    /// Whether it asked to join, and does not know what came of it.
    joining: bool,
    /// It asked to leave when it had come so far, and does not know what came of it.
    leaving: Option<Seq>,
    /// Up to where it was surely in when it asked that, if it was.
    sure_until_asked: Option<Seq>,
    /// The newest join and the newest leave that it was told of. The answer to a request that was
    /// sent again is the first one's, and may be older than what was answered before it.
    joined: Seq,
    left: Seq,
    /// Up to where it was surely in when a welcome said that it is not any more.
    missing_since: Option<Seq>,
}

/// Everything after `from`, up to `to`.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Seq,
    to: Seq,
}

impl Spans {
    fn open(spans: &mut Vec<Span>, from: Seq) {
        if spans.last().is_none_or(|last| last.to != OPEN) {
            spans.push(Span { from, to: OPEN });
        }
    }

    fn close(spans: &mut [Span], to: Seq) {
        if let Some(last) = spans.last_mut().filter(|last| last.to == OPEN) {
            last.to = to;
        }
    }
}

impl Spans {
    /// It is out at this place; it was surely in up to another one.
    fn end(&mut self, sure: Seq, out: Seq) {
        self.left = self.left.max(out);
        Spans::close(&mut self.sure, sure);
        Spans::close(&mut self.possible, out);
        if self.joining {
            Spans::open(&mut self.possible, out);
        }
    }

    /// It is told where it has left: what was said there before is owed, wherever it had come to
    /// when it asked.
    fn was_in_until_left(&mut self, out: Seq) {
        let until = self.sure_until_asked.take();
        if let Some(last) = self.sure.last_mut().filter(|last| Some(last.to) == until) {
            last.to = last.to.max(out);
        }
    }

    /// It is told when it was put out, after a welcome that has only said that it was: what was
    /// said there before is owed.
    fn was_in_until(&mut self, out: Seq) {
        let missing_since = self.missing_since.take();
        if let Some(last) = self.sure.last_mut().filter(|last| Some(last.to) == missing_since) {
            last.to = last.to.max(out);
        }
    }
}

impl Stays {
    /// Reads them off a history. Whether others come under the same name.
    pub fn of(history: &History, shares_name: bool) -> Stays {
        let mut stays = Stays { shares_name, ..Stays::default() };
        let (mut seen, mut known) = (Seq::ZERO, Seq::ZERO);
        for event in &history.events {
            stays.take_in(event, seen, known);
            seen = seen.max(newest(event));
            known = known.max(seen);
            if let Event::Welcomed { seq, .. } = event {
                known = known.max(*seq);
            }
        }
        stays
    }

    /// `seen` is how far the client had come before this, and `known` the newest place that it knew
    /// of: what it asks takes effect after that.
    fn take_in(&mut self, event: &Event, seen: Seq, known: Seq) {
        match event {
            Event::NewDevice => {
                self.is_new = true;
                for spans in self.groups.values_mut() {
                    spans.sure_until_asked = None;
                    Spans::close(&mut spans.sure, seen);
                }
            }
            Event::Welcomed { seq, resumed, groups } => self.welcomed(*seq, *resumed, groups, seen),
            Event::Joining(group) => {
                let spans = self.spans(group);
                spans.joining = true;
                Spans::open(&mut spans.possible, seen);
            }
            Event::Joined(group, seq) => {
                // An answer that comes again is about a time before the welcome: it may have been
                // out since, and in again.
                let surely = self.welcomed.max(*seq);
                let spans = self.spans(group);
                spans.joining = false;
                spans.sure_until_asked = None;
                spans.joined = spans.joined.max(*seq);
                if spans.left < *seq && spans.leaving.is_none_or(|asked| asked < *seq) {
                    spans.leaving = None;
                    Spans::open(&mut spans.sure, surely);
                    Spans::open(&mut spans.possible, *seq);
                }
            }
            Event::Leaving(group) => {
                let spans = self.spans(group);
                spans.leaving = Some(known);
                let is_in = spans.sure.last().is_some_and(|last| last.to == OPEN);
                spans.sure_until_asked = is_in.then_some(seen);
                Spans::close(&mut spans.sure, seen);
            }
            Event::Left(group, seq) => {
                let shares_name = self.shares_name;
                let spans = self.spans(group);
                spans.left = spans.left.max(*seq);
                spans.leaving.take_if(|asked| *asked < *seq);
                if spans.joined < *seq {
                    spans.leaving = None;
                    Spans::close(&mut spans.possible, *seq);
                    // It had asked before it was told that it is in: what it was owed in between is
                    // not certain.
                    spans.sure.pop_if(|last| last.to == OPEN);
                    if !shares_name {
                        spans.was_in_until_left(*seq);
                    }
                    if spans.joining {
                        Spans::open(&mut spans.possible, *seq);
                    }
                }
            }
            Event::Expelled(group, seq) => {
                let spans = self.spans(group);
                spans.end(*seq, *seq);
                spans.was_in_until(*seq);
            }
            Event::Rested(seq) => self.rested = self.rested.max(*seq),
            _ => {}
        }
    }

    fn welcomed(&mut self, seq: Seq, resumed: bool, groups: &[GroupName], seen: Seq) {
        if !resumed {
            if !self.began.is_empty() && !self.is_new {
                self.forgotten.push(seq);
            }
            self.began.push(seq);
            for spans in self.groups.values_mut() {
                spans.leaving = None;
                spans.sure_until_asked = None;
                Spans::close(&mut spans.sure, seen);
                Spans::close(&mut spans.possible, seq);
            }
        }
        if resumed && self.shares_name {
            self.away.push(Span { from: seen, to: seq });
        }
        (self.is_new, self.welcomed) = (false, self.welcomed.max(seq));
        let listed: HashSet<NameKey> = groups.iter().map(GroupName::key).collect();
        let may_be_left_by_others = self.shares_name;
        for (_, spans) in self.groups.iter_mut().filter(|(group, _)| !listed.contains(group)) {
            // It was put out while it was away, or what it asked for was done, and it does not
            // know.
            spans.end(seen, seq);
            let was_put_out = spans.leaving.is_none() && !may_be_left_by_others;
            spans.missing_since = was_put_out.then_some(seen);
        }
        for group in groups {
            let shares_name = self.shares_name;
            let spans = self.spans(group);
            spans.missing_since = None;
            spans.joined = spans.joined.max(seq);
            if shares_name {
                Spans::close(&mut spans.sure, seen);
            }
            Spans::open(&mut spans.possible, if resumed { seen } else { seq });
            if spans.leaving.is_none() {
                Spans::open(&mut spans.sure, seq);
            }
        }
    }

    fn spans(&mut self, group: &GroupName) -> &mut Spans {
        self.groups.entry(group.key()).or_default()
    }

    /// Since when it has surely been a member, at this place; nothing when that is not certain.
    pub fn surely_in(&self, group: &NameKey, at: Seq) -> Option<Seq> {
        let sure = &self.groups.get(group)?.sure;
        sure.iter().find(|span| span.from < at && at <= span.to).map(|span| span.from)
    }

    /// Whether it may have been a member at this place.
    pub fn may_be_in(&self, group: &NameKey, at: Seq) -> bool {
        let possible = self.groups.get(group).into_iter().flat_map(|spans| &spans.possible);
        possible.chain(&self.away).any(|span| span.from < at && at <= span.to)
    }

    /// Where the session began that goes on at this place.
    pub fn session_began(&self, at: Seq) -> Option<Seq> {
        self.began.iter().rev().find(|began| **began < at).copied()
    }
}

/// The newest place that an event tells of.
pub(super) fn newest(event: &Event) -> Seq {
    match event {
        Event::Joined(_, seq)
        | Event::Left(_, seq)
        | Event::Expelled(_, seq)
        | Event::Acknowledged(_, seq)
        | Event::Deleted(_, seq)
        | Event::Rested(seq) => *seq,
        Event::Welcomed { seq, resumed: false, .. } => *seq,
        Event::Showed(shown) => shown.seq,
        _ => Seq::ZERO,
    }
}
