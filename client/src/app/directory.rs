//! Who and what is there, as far as this terminal has heard: for Tab and for "did you mean". Pure.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::LIST_ITEMS_MAX;
use chatroom_proto::{GroupName, NAME_MARK, NameKey, Notification, Request, Response, UserName};
use tokio::time::{Duration, Instant};

use crate::app::command::{self, Completes, HelpPage};
use crate::app::did_you_mean::closest;

/// A list that was fetched so recently need not be fetched again.
pub const FRESH: Duration = Duration::from_secs(1);

/// What is known of the names on the server. A clone is a snapshot for the line editor's thread,
/// and copies no names: it shares them until one comes or goes. Who speaks does not, and is known
/// to all snapshots at once.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    me: Option<NameKey>,
    groups: Arc<Names>,
    users: Arc<Names>,
    /// Counts what happens, to tell who was active last.
    happened: u64,
    groups_listed: Option<Instant>,
    users_listed: Option<Instant>,
}

type Names = HashMap<NameKey, Arc<Listed>>;

#[derive(Debug)]
struct Listed {
    name: Arc<str>,
    /// When it was last active, or else zero.
    active: AtomicU64,
    /// Its place in the server's list.
    place: usize,
    /// For a group: whether one is in it.
    mine: bool,
}

impl Listed {
    fn new(name: &str, active: u64, place: usize, mine: bool) -> Arc<Listed> {
        Arc::new(Listed { name: name.into(), active: AtomicU64::new(active), place, mine })
    }

    fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }
}

impl Directory {
    /// What a person knows who has just come in, and is in these groups.
    pub fn new(me: &UserName, groups: &[GroupName]) -> Directory {
        let mut directory = Directory { me: Some(me.key()), ..Directory::default() };
        directory.set_own_groups(groups);
        directory
    }

    /// These are the groups that one is in, and no others. Gives the names of those that one was
    /// in.
    pub fn set_own_groups(&mut self, groups: &[GroupName]) -> Vec<String> {
        let mine: HashSet<NameKey> = groups.iter().map(GroupName::key).collect();
        let former = self.groups.iter().filter(|(key, known)| known.mine && !mine.contains(*key));
        let mut left = Vec::new();
        for (key, known) in
            former.map(|(key, known)| (key.clone(), Arc::clone(known))).collect::<Vec<_>>()
        {
            set_mine(&mut self.groups, &key, false);
            left.push(known.name.to_string());
        }
        groups.iter().for_each(|group| self.group_is(group, true));
        left.sort_unstable();
        left
    }

    /// Whether somebody of this name is or was here, as far as is known.
    pub fn knows(&self, user: &UserName) -> bool {
        self.users.contains_key(&user.key())
    }

    /// Whether one is in this group.
    pub fn is_in(&self, group: &GroupName) -> bool {
        self.groups.get(&group.key()).is_some_and(|known| known.mine)
    }

    /// One is in this group again.
    pub fn rejoined(&mut self, group: &GroupName) {
        self.group_is(group, true);
    }

    /// Learns from what the server says unasked.
    pub fn notified(&mut self, notification: &Notification) {
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
                // No copy of the list for one who is not on it.
                if self.users.contains_key(&user.key()) {
                    Arc::make_mut(&mut self.users).remove(&user.key());
                }
            }
            Notification::Moderated { by, group, act, .. } => {
                self.user_was_active(by);
                let is_me = act.user().is_some_and(|user| self.me.as_ref() == Some(&user.key()));
                if is_me && act.expels() {
                    self.group_is(group, false);
                } else {
                    self.group_was_active(group);
                }
            }
            Notification::Deleted { by, .. } => self.user_was_active(by),
            // None of these tells who or what is there.
            Notification::Ping
            | Notification::Closing(_)
            | Notification::CaughtUp { .. }
            | Notification::TopicIs { .. }
            | Notification::PassedOn { .. }
            | Notification::DeletedPost { .. }
            | Notification::Operated { .. } => {}
        }
    }

    /// Learns from the answer to a request.
    pub fn answered(&mut self, request: &Request, response: &Response) {
        match (request, response) {
            (_, Response::Created { group, .. }) => self.group_is(group, false),
            (_, Response::Joined { membership, .. }) => self.group_is(&membership.group, true),
            (_, Response::Left { group, .. }) => self.group_is(group, false),
            (Request::Public { group, .. }, Response::Posted { .. }) => {
                self.group_was_active(group);
            }
            (Request::Private { to, .. }, Response::Posted { .. }) => self.user_was_active(to),
            // Not one who is away: that would seem to be here.
            _ => {}
        }
    }

    /// The server's whole list of groups.
    pub fn list_groups(&mut self, groups: &[GroupName], now: Instant) {
        self.groups_listed = Some(now);
        let mut names = listed(groups.iter().map(|name| (name.key(), name.as_str())), &self.groups);
        for (key, known) in self.groups.iter().filter(|(_, known)| known.mine) {
            names.insert(key.clone(), Arc::clone(known));
        }
        self.groups = Arc::new(names);
    }

    /// The server's whole list of people.
    pub fn list_users(&mut self, users: &[UserName], now: Instant) {
        self.users_listed = Some(now);
        self.users =
            Arc::new(listed(users.iter().map(|name| (name.key(), name.as_str())), &self.users));
    }

    /// Whether the list of groups is fresh at this time.
    pub fn knows_groups(&self, now: Instant) -> bool {
        self.groups_listed.is_some_and(|then| now.duration_since(then) < FRESH)
    }

    /// Whether the list of users is fresh at this time.
    pub fn knows_users(&self, now: Instant) -> bool {
        self.users_listed.is_some_and(|then| now.duration_since(then) < FRESH)
    }

    /// Everything that may stand where `start` is being typed, the most recently active first.
    pub fn complete(&self, what: Completes, start: &str) -> Vec<String> {
        match what {
            Completes::Commands => {
                let start = start.to_lowercase();
                let names = command::rows().map(|row| row.name.to_owned());
                names.filter(|name| name.starts_with(&start)).collect()
            }
            Completes::Topics => {
                let mut names = self.complete(Completes::Commands, start);
                let pages = HelpPage::NAMED.map(|(name, _)| name.to_owned());
                let start = start.to_lowercase();
                names.extend(pages.into_iter().filter(|name| name.starts_with(&start)));
                names.sort_unstable();
                names.dedup();
                names
            }
            Completes::Words(words) => {
                let start = start.to_lowercase();
                words.iter().filter(|word| word.starts_with(&start)).map(|&w| w.into()).collect()
            }
            Completes::NewestPost => {
                let is_meant = command::LAST.starts_with(&start.to_lowercase());
                is_meant.then(|| command::LAST.to_owned()).into_iter().collect()
            }
            Completes::OtherGroups => {
                offer(self.groups.iter().filter(|(_, known)| !known.mine), &group_start(start))
            }
            Completes::OwnGroups => {
                offer(self.groups.iter().filter(|(_, known)| known.mine), &group_start(start))
            }
            Completes::AllGroups => offer(self.groups.iter(), &group_start(start)),
            Completes::AllUsers => offer(self.users.iter(), &user_start(start)),
            Completes::OtherUsers => {
                let others = self.users.iter().filter(|(key, _)| self.me.as_ref() != Some(key));
                offer(others, &user_start(start))
            }
            Completes::Conversations => {
                let mut names = Vec::new();
                if !start.starts_with(NAME_MARK) {
                    names = self.complete(Completes::OwnGroups, start);
                }
                if let Some(start) =
                    start.strip_prefix(NAME_MARK).or(start.is_empty().then_some(""))
                {
                    let users = self.complete(Completes::OtherUsers, start);
                    names.extend(users.into_iter().map(|name| format!("{NAME_MARK}{name}")));
                }
                names
            }
        }
    }

    /// The group that may have been meant.
    pub fn group_like(&self, name: &GroupName) -> Option<&str> {
        closest(name.as_str(), self.groups.values().map(|known| &*known.name))
    }

    /// The person who may have been meant.
    pub fn user_like(&self, name: &UserName) -> Option<&str> {
        let others = self.users.iter().filter(|(key, _)| self.me.as_ref() != Some(key));
        closest(name.as_str(), others.map(|(_, known)| &*known.name))
    }

    fn group_is(&mut self, group: &GroupName, mine: bool) {
        self.group_was_active(group);
        set_mine(&mut self.groups, &group.key(), mine);
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
fn touch(names: &mut Arc<Names>, key: NameKey, name: &str, happened: u64) {
    let place = names.len();
    if let Some(known) = names.get(&key) {
        known.active.store(happened, Ordering::Relaxed);
    } else if place < LIST_ITEMS_MAX {
        Arc::make_mut(names).insert(key, Listed::new(name, happened, place, false));
    }
}

fn set_mine(names: &mut Arc<Names>, key: &NameKey, mine: bool) {
    if let Some(known) = names.get(key)
        && known.mine != mine
    {
        let known = Listed::new(&known.name, known.active(), known.place, mine);
        Arc::make_mut(names).insert(key.clone(), known);
    }
}

/// A list, with what was known of those on it before.
fn listed<'a>(list: impl Iterator<Item = (NameKey, &'a str)>, former: &Names) -> Names {
    list.enumerate()
        .map(|(place, (key, name))| {
            let before = former.get(&key);
            let active = before.map_or(0, |known| known.active());
            let mine = before.is_some_and(|known| known.mine);
            (key, Listed::new(name, active, place, mine))
        })
        .collect()
}

/// The names whose keys begin so, the most recently active first.
fn offer<'a>(
    names: impl Iterator<Item = (&'a NameKey, &'a Arc<Listed>)>,
    start: &str,
) -> Vec<String> {
    // Each is asked once when it was active: that may change meanwhile.
    let mut known: Vec<_> = names
        .filter(|(key, _)| key.as_str().starts_with(start))
        .map(|(_, known)| (Reverse(known.active()), known.place, &*known.name))
        .collect();
    known.sort_unstable();
    known.into_iter().map(|(.., name)| name.to_owned()).collect()
}

/// The beginning of a name, as keys have it: in one case, and with letters and their accents as one
/// character, however they were typed.
fn group_start(start: &str) -> String {
    match GroupName::parse(start) {
        Ok(name) => name.key().as_str().to_owned(),
        Err(_) => start.to_lowercase(),
    }
}

fn user_start(start: &str) -> String {
    match UserName::parse(start) {
        Ok(name) => name.key().as_str().to_owned(),
        Err(_) => start.to_lowercase(),
    }
}

#[cfg(test)]
mod tests;
