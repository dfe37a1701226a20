//! Histories that are fine, and the same ones broken in one place.

use std::collections::BTreeSet;

use chatroom_proto::{GroupName, Post, UnixMillis};
use chatroom_server::chat::effect::ConversationId;
use chatroom_server::chat::entry::{GroupId, PersonId};

use super::super::record::Delivery;
use super::super::violation::Kind;
use super::*;
use crate::chance::Chance;
use crate::test_client::{body, group, post_id, user};

mod devices;

/// Two people in a group, a third who is not, and a private message.
const JIM: &str = "\
welcomed 1 new General
joining tea
joined tea 4
sent 0a #tea
acknowledged 0a 6
sent 0b #tea
acknowledged 0b 7
showed 9 7 0c ann #tea live
rested 12";
const ANN: &str = "\
welcomed 2 new General
joining tea
joined tea 5
showed 6 0 0a jim #tea live
killed
welcomed 8 back General tea
showed 7 6 0b jim #tea replayed
sent 0c #tea
acknowledged 0c 9
sent 0d @bob
acknowledged 0d 10
rested 12";
const BOB: &str = "\
welcomed 3 new General
showed 10 0 0d ann @ann live
rested 12";

fn histories(journals: [&str; 3]) -> Vec<History> {
    let named = ["jim", "ann", "bob"].into_iter().zip(journals);
    named.map(|(name, text)| History::parse(user(name), &format!("{text}\n")).unwrap()).collect()
}

fn found(journals: [&str; 3]) -> Vec<Violation> {
    check(&histories(journals), None)
}

fn kept(posts: &[(u64, u64)]) -> Vec<StoredPost> {
    let post = |&(number, seq): &(u64, u64)| Post {
        seq: Seq(seq),
        prev: Seq::ZERO,
        at: UnixMillis(0),
        id: post_id(number),
        from: user("jim"),
        body: body("hi"),
    };
    let thread = ConversationId::Group(GroupId::GENERAL);
    let by = PersonId(Seq(1));
    posts
        .iter()
        .map(|it| StoredPost {
            thread,
            by,
            device: by.first_device(),
            to: Conversation::Group(group("tea")),
            post: post(it),
            deletion: None,
        })
        .collect()
}

const KEPT: [(u64, u64); 4] = [(0xa, 6), (0xb, 7), (0xc, 9), (0xd, 10)];

#[test]
fn histories_that_keep_the_promises_are_fine() {
    assert_eq!(found([JIM, ANN, BOB]), []);
    assert_eq!(check(&histories([JIM, ANN, BOB]), Some(&kept(&KEPT))), []);
}

#[test]
fn an_acknowledged_post_that_was_not_shown_is_lost() {
    let jim = JIM.replace("showed 9 7 0c ann #tea live\n", "");
    let lost = Violation::NotShown { reader: user("jim"), id: post_id(0xc), seq: Seq(9) };
    assert_eq!(found([&jim, ANN, BOB]), [lost]);
    let bob = BOB.replace("showed 10 0 0d ann @ann live\n", "");
    let lost = Violation::NotShown { reader: user("bob"), id: post_id(0xd), seq: Seq(10) };
    assert_eq!(found([JIM, ANN, &bob]), [lost]);
}

#[test]
fn one_who_did_not_come_to_rest_or_was_not_there_is_owed_nothing() {
    let jim = JIM.replace("showed 9 7 0c ann #tea live\nrested 12", "rested 8");
    assert_eq!(found([&jim, ANN, BOB]), []);
    let jim = JIM.replace("showed 9 7 0c ann #tea live\n", "leaving tea\nleft tea 8\n");
    assert_eq!(found([&jim, ANN, BOB]), []);
}

#[test]
fn an_acknowledged_post_that_the_log_does_not_have_there_is_lost() {
    let of = |posts: &[(u64, u64)]| check(&histories([JIM, ANN, BOB]), Some(&kept(posts)));
    assert_eq!(of(&KEPT[..3]), [Violation::NotKept { id: post_id(0xd), seq: Seq(10) }]);
}

#[test]
fn a_post_in_safe_hands_that_is_never_answered_is_lost() {
    let ann = ANN.replace("sent 0d @bob\n", "sent 0d @bob\nsent 0e #tea\nentrusted 0e\n");
    let lost = Violation::NotAnswered { reader: user("ann"), id: post_id(0xe) };
    assert_eq!(found([JIM, &ann, BOB]), [lost]);
    let refused = ann.replace("rested", "refused 0e\nrested");
    assert_eq!(found([JIM, &refused, BOB]), []);
}

#[test]
fn what_was_said_to_somebody_who_may_not_have_been_there_yet_may_be_refused_to_one_who_was_killed()
{
    let said = "sent 0e @bob\nentrusted 0e\nkilled\n";
    let early = format!("{said}welcomed 2 back General\njoining tea\n");
    assert_eq!(found([JIM, &ANN.replace("joining tea\n", &early), BOB]), []);
    let late = ANN.replace("rested", &format!("{said}welcomed 11 back General tea\nrested"));
    let lost = Violation::NotAnswered { reader: user("ann"), id: post_id(0xe) };
    assert_eq!(found([JIM, &late, BOB]), [lost]);
}

#[test]
fn what_was_said_in_a_group_by_one_who_was_out_or_muted_since_may_be_refused() {
    let said = "sent 0e #tea\nentrusted 0e\nkilled\n";
    let out = format!("{said}welcomed 11 back General\njoining tea\njoined tea 12\nrested 14");
    assert_eq!(found([JIM, &ANN.replace("rested 12", &out), BOB]), []);
    let stayed = ANN.replace("rested", &format!("{said}welcomed 11 back General tea\nrested"));
    let lost = Violation::NotAnswered { reader: user("ann"), id: post_id(0xe) };
    assert_eq!(found([JIM, &stayed, BOB]), [lost]);
    let muted = JIM.replace("rested", "muting tea ann\nrested");
    assert_eq!(found([&muted, &stayed, BOB]), []);
}

#[test]
fn a_post_that_is_shown_or_kept_twice_is_a_double() {
    let line = "showed 9 7 0c ann #tea live\n";
    let jim = JIM.replace(line, &line.repeat(2));
    let twice = Violation::ShownTwice { reader: user("jim"), id: post_id(0xc), seq: Seq(9) };
    assert_eq!(found([&jim, ANN, BOB]), [twice]);

    let mut posts = KEPT.to_vec();
    posts.push((0xd, 12));
    let doubled = check(&histories([JIM, ANN, BOB]), Some(&kept(&posts)));
    assert_eq!(doubled, [Violation::KeptTwice { id: post_id(0xd) }]);
}

#[test]
fn ones_own_words_are_not_to_be_shown() {
    let jim = JIM.replace("showed 9", "showed 7 6 0b jim #tea live\nshowed 9");
    let twice = Violation::ShownTwice { reader: user("jim"), id: post_id(0xb), seq: Seq(7) };
    assert_eq!(found([&jim, ANN, BOB]), [twice]);
}

#[test]
fn another_order_is_seen() {
    let (one, other) = ("showed 6 0 0a jim #tea live\n", "showed 7 6 0b jim #tea replayed\n");
    let ann = ANN.replace(one, "").replace(other, &format!("{other}{one}"));
    let found_there = found([JIM, &ann, BOB]);
    let turned = Violation::OutOfOrder { reader: user("ann"), before: Seq(7), seq: Seq(6) };
    assert!(found_there.contains(&turned), "{found_there:?}");
}

#[test]
fn two_readers_who_know_a_post_at_two_places_disagree() {
    let bob = BOB.replace("showed 10 ", "showed 11 ");
    let elsewhere = Violation::Disagreement { id: post_id(0xd), seq: Seq(11) };
    assert!(found([JIM, ANN, &bob]).contains(&elsewhere));
}

#[test]
fn a_post_whose_predecessor_was_not_shown_leaves_a_gap() {
    let jim = JIM.replace("showed 9 7 0c", "showed 9 8 0c");
    assert_eq!(
        found([&jim, ANN, BOB]),
        [Violation::Gap { reader: user("jim"), seq: Seq(9), prev: Seq(8) }]
    );
}

#[test]
fn what_a_library_says_is_missing_is_a_gap_unless_one_was_out() {
    let jim = JIM.replace("rested", "missed #tea\nrested");
    let missing = Violation::SaidToBeMissing {
        reader: user("jim"),
        place: Conversation::Group(group("tea")),
    };
    assert_eq!(found([&jim, ANN, BOB]), [missing]);
    let jim = jim.replace("missed", "leaving tea\nmissed");
    assert_eq!(found([&jim, ANN, BOB]), []);
}

#[test]
fn a_post_that_is_shown_outside_its_conversation_is_seen() {
    let outside = |number, seq| Violation::ShownOutside {
        reader: user("bob"),
        id: post_id(number),
        seq: Seq(seq),
    };
    let bob = BOB.replace("showed 10", "showed 7 6 0b jim #tea live\nshowed 10");
    assert_eq!(found([JIM, ANN, &bob]), [outside(0xb, 7)], "a group that bob is not in");
    let jim = JIM.replace("rested", "showed 10 0 0d ann @ann live\nrested");
    let to_jim = Violation::ShownOutside { reader: user("jim"), id: post_id(0xd), seq: Seq(10) };
    assert_eq!(found([&jim, ANN, BOB]), [to_jim], "words for bob");
}

#[test]
fn a_post_from_nowhere_and_a_person_who_was_forgotten_are_seen() {
    let bob = BOB.replace("showed 10", "showed 9 0 ff ann @ann live\nshowed 10");
    let made_up = Violation::MadeUp { reader: user("bob"), id: post_id(0xff) };
    assert!(found([JIM, ANN, &bob]).contains(&made_up));
    let bob = BOB.replace("rested", "welcomed 11 new General\nrested");
    assert_eq!(
        found([JIM, ANN, &bob]),
        [Violation::Forgotten { reader: user("bob"), seq: Seq(11) }]
    );
}

/// A chat that is as it should be, with people who come, go and are away.
struct Fine {
    chance: Chance,
    histories: Vec<History>,
    kept: Vec<StoredPost>,
    seq: u64,
    ids: u64,
    /// Who is in which group, by the group's name.
    members: BTreeSet<(&'static str, usize)>,
    heads: BTreeMap<String, Seq>,
    /// What those missed who are away.
    missed: Vec<Option<Vec<Shown>>>,
}

const PEOPLE: [&str; 4] = ["jim", "ann", "bob", "zoe"];

impl Fine {
    fn play(seed: u64) -> Fine {
        let mut fine = Fine {
            chance: Chance::new(seed),
            histories: PEOPLE.map(|name| History::new(user(name))).into(),
            kept: Vec::new(),
            seq: 0,
            ids: 0,
            members: BTreeSet::new(),
            heads: BTreeMap::new(),
            missed: vec![None; PEOPLE.len()],
        };
        for who in 0..PEOPLE.len() {
            let seq = fine.next();
            fine.members.insert(("General", who));
            fine.tell(who, Event::Welcomed { seq, resumed: false, groups: vec![group("General")] });
        }
        for _ in 0..80 {
            fine.step();
        }
        let end = fine.next();
        for who in 0..PEOPLE.len() {
            fine.come_back(who);
            fine.tell(who, Event::Rested(end));
        }
        fine
    }

    fn next(&mut self) -> Seq {
        self.seq += 1;
        Seq(self.seq)
    }

    fn tell(&mut self, who: usize, event: Event) {
        self.histories[who].events.push(event);
    }

    fn step(&mut self) {
        let who = self.chance.below(4) as usize;
        match self.chance.below(10) {
            _ if self.missed[who].is_some() => self.come_back(who),
            0 => self.missed[who] = Some(Vec::new()),
            1 => self.join_or_leave(who),
            2..=4 => {
                let to = self.chance.below(4) as usize;
                if to != who {
                    let (one, other) = (who.min(to), who.max(to));
                    let place = Conversation::User(user(PEOPLE[to]));
                    self.say(
                        who,
                        place,
                        &Conversation::User(user(PEOPLE[who])),
                        format!("{one} {other}"),
                        &[to],
                    );
                }
            }
            _ => {
                let name = if self.chance.once_in(2) { "General" } else { "tea" };
                if self.members.contains(&(name, who)) {
                    let others = (0..4)
                        .filter(|other| *other != who && self.members.contains(&(name, *other)));
                    let others: Vec<usize> = others.collect();
                    let place = Conversation::Group(group(name));
                    self.say(who, place.clone(), &place, name.to_owned(), &others);
                }
            }
        }
    }

    fn come_back(&mut self, who: usize) {
        let Some(missed) = self.missed[who].take() else { return };
        self.tell(who, Event::Killed);
        let seq = self.next();
        let groups =
            self.members.iter().filter(|(_, member)| *member == who).map(|(name, _)| group(name));
        let groups: Vec<GroupName> = groups.collect();
        self.tell(who, Event::Welcomed { seq, resumed: true, groups });
        for shown in missed {
            self.tell(who, Event::Showed(Shown { delivery: Delivery::Replayed, ..shown }));
        }
    }

    fn join_or_leave(&mut self, who: usize) {
        let seq = self.next();
        if self.members.insert(("tea", who)) {
            self.tell(who, Event::Joining(group("tea")));
            self.tell(who, Event::Joined(group("tea"), seq));
        } else {
            self.members.remove(&("tea", who));
            self.tell(who, Event::Leaving(group("tea")));
            self.tell(who, Event::Left(group("tea"), seq));
        }
    }

    /// `place` is what the sender calls the conversation, and `shown` what the readers do.
    fn say(
        &mut self,
        who: usize,
        place: Conversation,
        shown: &Conversation,
        chain: String,
        to: &[usize],
    ) {
        let seq = self.next();
        self.ids += 1;
        let id = post_id(self.ids);
        let prev = self.heads.insert(chain, seq).unwrap_or(Seq::ZERO);
        let from = user(PEOPLE[who]);
        self.tell(who, Event::Sent(id, place.clone()));
        self.tell(who, Event::Acknowledged(id, seq));
        let post = Post { seq, prev, at: UnixMillis(0), id, from, body: body("hi") };
        for reader in to {
            let shown = Shown::new(&post, shown.clone(), Delivery::Live);
            match &mut self.missed[*reader] {
                Some(missed) => missed.push(shown),
                None => self.tell(*reader, Event::Showed(shown)),
            }
        }
        let thread = ConversationId::Group(GroupId::GENERAL);
        let by = PersonId(Seq(who as u64));
        let device = by.first_device();
        let stored = StoredPost { thread, by, device, to: place, post, deletion: None };
        self.kept.push(stored);
    }

    fn violations(&self) -> Vec<Violation> {
        check(&self.histories, Some(&self.kept))
    }

    /// Where something was shown: whose history, and which event.
    fn any_shown(&mut self) -> (usize, usize) {
        let shown = self.histories.iter().enumerate().flat_map(|(who, history)| {
            let events = history.events.iter().enumerate();
            events
                .filter(|(_, event)| matches!(event, Event::Showed(_)))
                .map(move |(at, _)| (who, at))
        });
        let shown: Vec<(usize, usize)> = shown.collect();
        *self.chance.pick(&shown).expect("somebody was shown something")
    }

    fn shown(&mut self, (who, at): (usize, usize)) -> &mut Shown {
        match &mut self.histories[who].events[at] {
            Event::Showed(shown) => shown,
            other => panic!("not shown: {other:?}"),
        }
    }

    /// Breaks one thing, and says what the checker must call it.
    fn mutate(&mut self) -> Kind {
        let (who, at) = self.any_shown();
        match self.chance.below(8) {
            0 => {
                self.histories[who].events.remove(at);
                Kind::Lost
            }
            1 => {
                let again = self.histories[who].events[at].clone();
                let end = self.histories[who].events.len() as u64;
                let place = self.chance.between(at as u64 + 1, end) as usize;
                self.histories[who].events.insert(place, again);
                Kind::Doubled
            }
            2 => self.move_to_the_end(who, at),
            3 => {
                let fresh = self.next();
                self.shown((who, at)).seq = fresh;
                Kind::Reordered
            }
            4 => {
                let gone = self.chance.below(self.kept.len() as u64) as usize;
                self.kept.remove(gone);
                Kind::Lost
            }
            5 => {
                let again = self.chance.below(self.kept.len() as u64) as usize;
                self.kept.push(self.kept[again].clone());
                Kind::Doubled
            }
            6 => {
                let shown = self.shown((who, at)).clone();
                let sender =
                    PEOPLE.iter().position(|name| user(name) == shown.from).expect("one of them");
                let somebody =
                    (0..4).find(|other| ![who, sender].contains(other)).expect("one of four");
                let place = Conversation::User(shown.from.clone());
                let told = Event::Showed(Shown { place, ..shown });
                self.histories[somebody].events.push(told);
                Kind::Outside
            }
            _ => {
                let never = self.next();
                let shown = self.shown((who, at));
                (shown.seq, shown.prev) = (Seq(never.0 + 2), never);
                Kind::Gap
            }
        }
    }

    /// Shows something later than it was: after all else.
    fn move_to_the_end(&mut self, who: usize, at: usize) -> Kind {
        let is_last =
            !self.histories[who].events[at + 1..].iter().any(|it| matches!(it, Event::Showed(_)));
        let moved = self.histories[who].events.remove(at);
        if is_last {
            return Kind::Lost;
        }
        self.histories[who].events.push(moved);
        Kind::Reordered
    }
}

#[test]
fn a_random_history_is_fine_and_one_broken_thing_in_it_is_found() {
    for seed in 0..500 {
        let mut fine = Fine::play(seed);
        assert_eq!(fine.violations(), [], "seed {seed}");
        let kind = fine.mutate();
        let found = fine.violations();
        assert!(
            found.iter().any(|it| it.kind() == kind),
            "seed {seed}: no {kind:?} among {found:?}"
        );
    }
}
