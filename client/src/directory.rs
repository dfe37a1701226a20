//! Who and what is there, as far as this terminal has heard: for Tab and for "did you mean". Pure.

use std::collections::HashMap;
use std::sync::Arc;

use chatroom_client::client::LIST_ITEMS_MAX;
use chatroom_proto::{GroupName, NameKey, Notification, Request, Response, UserName};
use tokio::time::{Duration, Instant};

use crate::command::{Completes, TABLE};

/// A list that was fetched so recently need not be fetched again.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// The most names that are offered at once: with the longest names two columns of a usual screen. (More, and the
/// line editor would ask whether to show them, and print nothing until that is answered.)
pub(crate) const OFFERED_MAX: usize = 40;

/// What is known of the names on the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    me: Option<NameKey>,
    groups: Names,
    users: Names,
    /// Counts what happens, to tell who was active last.
    happened: u64,
    groups_listed: Option<Instant>,
    users_listed: Option<Instant>,
}

type Names = HashMap<NameKey, Known>;

#[derive(Debug, Clone)]
struct Known {
    name: Arc<str>,
    /// When it was last active, or else zero.
    active: u64,
    /// Its place in the server's list.
    place: usize,
    /// For a group: whether one is in it.
    mine: bool,
}

impl Directory {
    pub(crate) fn new(me: &UserName, groups: &[GroupName]) -> Directory {
        let mut directory = Directory { me: Some(me.key()), ..Directory::default() };
        directory.set_own_groups(groups);
        directory
    }

    /// These are the groups that one is in, and no others.
    pub(crate) fn set_own_groups(&mut self, groups: &[GroupName]) {
        self.groups.values_mut().for_each(|known| known.mine = false);
        groups.iter().for_each(|group| self.group_is(group, true));
    }

    /// One is in this group again.
    pub(crate) fn rejoined(&mut self, group: &GroupName) {
        self.group_is(group, true);
    }

    pub(crate) fn notified(&mut self, notification: &Notification) {
        match notification {
            Notification::Arrived { user, .. } => self.user_was_active(user),
            Notification::Joined { user, group, .. } | Notification::Left { user, group, .. } => {
                self.user_was_active(user);
                self.group_was_active(group);
            }
            Notification::GroupPost { post, group } => {
                self.user_was_active(&post.from);
                self.group_was_active(group);
            }
            Notification::PrivatePost { post, .. } => self.user_was_active(&post.from),
            Notification::Departed { user, .. } => {
                self.users.remove(&user.key());
            }
            Notification::Ping | Notification::Closing(_) => {}
        }
    }

    pub(crate) fn answered(&mut self, request: &Request, response: &Response) {
        match (request, response) {
            (_, Response::Created { group, .. }) => self.group_is(group, false),
            (_, Response::Joined { membership, .. }) => self.group_is(&membership.group, true),
            (_, Response::Left { group, .. }) => self.group_is(group, false),
            (Request::Public { group, .. }, Response::Posted { .. }) => self.group_was_active(group),
            (Request::Private { to, .. }, Response::Posted { .. }) => self.user_was_active(to),
            _ => {}
        }
    }

    /// The server's whole list of groups.
    pub(crate) fn list_groups(&mut self, groups: &[GroupName], now: Instant) {
        self.groups_listed = Some(now);
        let former = std::mem::take(&mut self.groups);
        self.groups = listed(groups.iter().map(|name| (name.key(), name.as_str())), &former);
        self.groups.extend(former.into_iter().filter(|(_, known)| known.mine));
    }

    /// The server's whole list of people.
    pub(crate) fn list_users(&mut self, users: &[UserName], now: Instant) {
        self.users_listed = Some(now);
        self.users = listed(users.iter().map(|name| (name.key(), name.as_str())), &self.users);
    }

    pub(crate) fn knows_groups(&self, now: Instant) -> bool {
        self.groups_listed.is_some_and(|then| now.duration_since(then) < FRESH)
    }

    pub(crate) fn knows_users(&self, now: Instant) -> bool {
        self.users_listed.is_some_and(|then| now.duration_since(then) < FRESH)
    }

    /// What may stand where `start` is being typed, the most recently active first.
    pub(crate) fn complete(&self, what: Completes, start: &str) -> Vec<String> {
        match what {
            Completes::Nothing => Vec::new(),
            Completes::Commands => {
                let start = start.to_lowercase();
                let names = TABLE.iter().map(|row| row.name.to_owned());
                names.filter(|name| name.starts_with(&start)).collect()
            }
            Completes::OtherGroups => offer(self.groups.values().filter(|known| !known.mine), start),
            Completes::OwnGroups => offer(self.groups.values().filter(|known| known.mine), start),
            Completes::OtherUsers => {
                let others = self.users.iter().filter(|(key, _)| self.me.as_ref() != Some(key));
                offer(others.map(|(_, known)| known), start)
            }
        }
    }

    /// The group that may have been meant.
    pub(crate) fn group_like(&self, name: &GroupName) -> Option<&str> {
        closest(name.as_str(), self.groups.values().map(|known| &*known.name))
    }

    /// The person who may have been meant.
    pub(crate) fn user_like(&self, name: &UserName) -> Option<&str> {
        let others = self.users.iter().filter(|(key, _)| self.me.as_ref() != Some(key));
        closest(name.as_str(), others.map(|(_, known)| &*known.name))
    }

    fn group_is(&mut self, group: &GroupName, mine: bool) {
        self.group_was_active(group);
        if let Some(known) = self.groups.get_mut(&group.key()) {
            known.mine = mine;
        }
    }

    fn group_was_active(&mut self, group: &GroupName) {
        self.happened += 1;
        touch(&mut self.groups, group.key(), group.as_str(), self.happened);
    }

    fn user_was_active(&mut self, user: &UserName) {
        self.happened += 1;
        touch(&mut self.users, user.key(), user.as_str(), self.happened);
    }
}

/// As many names are kept as a list may have.
fn touch(names: &mut Names, key: NameKey, name: &str, happened: u64) {
    let place = names.len();
    if place >= LIST_ITEMS_MAX && !names.contains_key(&key) {
        return;
    }
    let new = || Known { name: name.into(), active: 0, place, mine: false };
    names.entry(key).or_insert_with(new).active = happened;
}

/// A list, with what was known of those on it before.
fn listed<'a>(list: impl Iterator<Item = (NameKey, &'a str)>, former: &Names) -> Names {
    list.enumerate()
        .map(|(place, (key, name))| {
            let before = former.get(&key);
            let active = before.map_or(0, |known| known.active);
            let mine = before.is_some_and(|known| known.mine);
            (key, Known { name: name.into(), active, place, mine })
        })
        .collect()
}

fn offer<'a>(names: impl Iterator<Item = &'a Known>, start: &str) -> Vec<String> {
    let start = start.to_lowercase();
    let mut known: Vec<&Known> =
        names.filter(|known| known.name.to_lowercase().starts_with(&start)).collect();
    known.sort_by_key(|known| (std::cmp::Reverse(known.active), known.place));
    let mut names: Vec<&str> = known.iter().map(|known| &*known.name).collect();
    if let Some(first) = names.first().copied()
        && names.len() > OFFERED_MAX
    {
        // The line editor types what all of them have in common: those that are left out must have it, too.
        let unlike = names.iter().copied().min_by_key(|name| common_prefix(first, name)).unwrap_or(first);
        names.truncate(OFFERED_MAX);
        names[OFFERED_MAX - 1] = unlike;
    }
    names.into_iter().map(str::to_owned).collect()
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// The one that may have been meant: a third of the letters wrong at most, swapped neighbours counting as one.
pub(crate) fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let wrong_max = (length / 3).max(1);
    names
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(wrong, _)| *wrong <= wrong_max && *wrong < length)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, PostId, Seq, UnixMillis};

    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn directory() -> Directory {
        let mut directory = Directory::new(&user("Jim"), &[group("General")]);
        let now = Instant::now();
        directory.list_groups(&["General", "tea", "Tee", "coffee"].map(group), now);
        directory.list_users(&["Jim", "George", "Michael", "gina"].map(user), now);
        directory
    }

    fn says(directory: &mut Directory, name: &str, place: &str) {
        let request =
            Request::Public { group: group(place), id: PostId([0; 16]), body: Body::parse("hi").unwrap() };
        directory.answered(&request, &Response::Posted { seq: Seq(1), at: UnixMillis(0) });
        directory.notified(&Notification::Joined { seq: Seq(1), user: user(name), group: group(place) });
    }

    #[test]
    fn each_position_completes_what_makes_sense_there() {
        let directory = directory();
        assert_eq!(directory.complete(Completes::OwnGroups, ""), ["General"]);
        assert_eq!(directory.complete(Completes::OtherGroups, "T"), ["tea", "Tee"]);
        assert_eq!(directory.complete(Completes::OtherUsers, ""), ["George", "Michael", "gina"]);
        assert_eq!(directory.complete(Completes::OtherUsers, "G"), ["George", "gina"]);
        assert_eq!(directory.complete(Completes::OtherUsers, "ji"), [] as [&str; 0]);
        assert_eq!(directory.complete(Completes::Commands, "p"), ["public", "private"]);
        assert!(directory.complete(Completes::Nothing, "").is_empty());
    }

    #[test]
    fn the_most_recently_active_come_first() {
        let mut directory = directory();
        says(&mut directory, "gina", "coffee");
        says(&mut directory, "Michael", "tea");
        assert_eq!(directory.complete(Completes::OtherUsers, ""), ["Michael", "gina", "George"]);
        assert_eq!(directory.complete(Completes::OtherGroups, ""), ["tea", "coffee", "Tee"]);
    }

    #[test]
    fn of_too_many_a_few_are_offered_that_have_no_more_in_common_than_all() {
        let mut directory = Directory::new(&user("Jim"), &[]);
        let mut names: Vec<_> = (0..90).map(|n| user(&format!("user0{n}"))).collect();
        names.push(user("ursula"));
        directory.list_users(&names, Instant::now());
        let offered = directory.complete(Completes::OtherUsers, "u");
        assert_eq!(offered.len(), OFFERED_MAX);
        assert_eq!((offered[0].as_str(), offered[OFFERED_MAX - 1].as_str()), ("user00", "ursula"));
    }

    #[test]
    fn joining_leaving_and_departing_move_names() {
        let mut directory = directory();
        let membership = chatroom_proto::Membership { group: group("tea"), head: Seq::ZERO };
        let joined = Response::Joined { seq: Seq(1), membership };
        directory.answered(&Request::Join { group: group("tea") }, &joined);
        assert_eq!(directory.complete(Completes::OwnGroups, "t"), ["tea"]);
        let left = Response::Left { seq: Seq(2), group: group("tea") };
        directory.answered(&Request::Leave { group: group("tea") }, &left);
        assert!(directory.complete(Completes::OwnGroups, "t").is_empty());
        directory.notified(&Notification::Departed { seq: Seq(3), user: user("gina") });
        assert_eq!(directory.complete(Completes::OtherUsers, "g"), ["George"]);
    }

    #[test]
    fn what_was_meant_is_found_among_the_near_ones_only() {
        let directory = directory();
        assert_eq!(directory.group_like(&group("Generl")), Some("General"));
        assert_eq!(directory.group_like(&group("nope")), None);
        assert_eq!(directory.user_like(&user("Geroge")), Some("George"));
        assert_eq!(directory.user_like(&user("mihcael")), Some("Michael"));
        assert_eq!(directory.user_like(&user("Jin")), None, "oneself is not meant");
        assert_eq!(closest("G2", ["G1", "x"].into_iter()), Some("G1"));
        assert_eq!(closest("y", ["x"].into_iter()), None);
    }

    #[test]
    fn a_list_is_fresh_for_a_moment() {
        let mut directory = Directory::default();
        let now = Instant::now();
        assert!(!directory.knows_users(now));
        directory.list_users(&[], now);
        assert!(directory.knows_users(now));
        assert!(!directory.knows_users(now + FRESH));
    }
}
