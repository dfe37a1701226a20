//! Who somebody is: here or away, and where one meets them.

use chatroom_proto::{GroupName, PersonInfo, UnixMillis, UserName};

use super::history::instant;
use super::text::{Layout, View};

impl View {
    /// Whether somebody is here, and which groups they and the reader share.
    pub(super) fn who(self, who: &PersonInfo, me: &UserName, now: UnixMillis) -> String {
        let PersonInfo { user, away_since, groups } = who;
        let groups = names(groups.as_slice());
        if user.key() == me.key() {
            return self.system(match groups {
                Some(groups) => format!("{user} is you. You are in {groups}."),
                None => format!("{user} is you. You are in no group chat."),
            });
        }
        let place = match away_since {
            None => format!("{user} is here."),
            Some(since) => format!("{user} is away since {}.", self.since(*since, now)),
        };
        self.system(match groups {
            Some(groups) => format!("{place} You are both in {groups}."),
            None => format!("{place} You share no group chat."),
        })
    }

    fn since(self, at: UnixMillis, now: UnixMillis) -> String {
        match self.layout {
            Layout::Screen => self.moment(at, now),
            Layout::Lines => format!("{:.3}", instant(at)),
        }
    }
}

/// Names in a sentence. Nothing when there are none.
fn names(groups: &[GroupName]) -> Option<String> {
    let names: Vec<_> = groups.iter().map(GroupName::as_str).collect();
    let (last, others) = names.split_last()?;
    Some(match others {
        [] => (*last).to_owned(),
        others => format!("{} and {last}", others.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Page;

    use super::*;
    use crate::app::view::tests::{group, lines, user, view};

    #[test]
    fn somebody_is_here_or_away_and_shares_groups_or_none() {
        let who = |name: &str, away_since, groups: &[&str]| PersonInfo {
            user: user(name),
            away_since,
            groups: Page::fill(groups.iter().map(|name| group(name))),
        };
        let (now, then) = (UnixMillis(86_400_000), Some(UnixMillis(85_000_000)));
        let says = |who| view().who(&who, &user("Jim"), now);
        assert_eq!(says(who("Bob", None, &["General"])), "Bob is here. You are both in General.");
        assert_eq!(
            says(who("Bob", then, &["General", "tea", "G1"])),
            "Bob is away since 02:36. You are both in General, tea and G1."
        );
        assert_eq!(
            lines().who(&who("Bob", then, &[]), &user("Jim"), now),
            "Bob is away since 1970-01-01T23:36:40.000Z. You share no group chat."
        );
        assert_eq!(says(who("jim", None, &["tea"])), "jim is you. You are in tea.");
    }
}
