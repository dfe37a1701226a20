//! What was said before: when one was away, and what is read back.

use chatroom_proto::{
    ArchivedPost, Conversation, DeletedPost, GroupName, Notification, Retention, UnixMillis,
    UserName,
};
use jiff::Timestamp;

use super::harmless::harmless;
use super::paint::Kind;
use super::text::{Layout, View};
use crate::app::command::HISTORY_COUNT_MAX;
use crate::app::missed_summary::MissedSummary;

impl View {
    /// When something was, for people: a time of today, or with the date.
    pub fn moment(self, at: UnixMillis, now: UnixMillis) -> String {
        let local = |moment| instant(moment).to_zoned_datetime(self.zone.clone());
        let (at, now) = (local(at), local(now));
        at.strftime(if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    /// When something was said, in front of it. Programs get all of it, the same everywhere.
    pub(super) fn stamp(self, at: UnixMillis, now: UnixMillis) -> String {
        match self.layout {
            Layout::Screen => self.hint(format!("[{}]", self.moment(at, now))),
            Layout::Lines => format!("[{:.3}]", instant(at)),
        }
    }

    /// Something that was said while one was away.
    pub fn replayed(
        self,
        said: &Notification,
        me: Option<&UserName>,
        now: UnixMillis,
    ) -> Option<String> {
        let text = self.notification(said, me)?;
        Some(match said {
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                format!("{} {text}", self.stamp(post.at, now))
            }
            Notification::DeletedPost { post, .. } => {
                format!("{} {text}", self.stamp(post.at, now))
            }
            _ => text,
        })
    }

    /// One who is back is shown what was said meanwhile.
    pub fn missed_summary(
        self,
        missed_summary: &MissedSummary,
        me: Option<&UserName>,
        now: UnixMillis,
    ) -> String {
        let since = self.moment(missed_summary.since, now);
        let mut lines =
            vec![self.system(format!("--- {} new since {since} ---", missed_summary.count))];
        if missed_summary.newest.len() < missed_summary.count {
            let fix = match &missed_summary.only_in {
                Some(place) => {
                    format!(
                        "history {} {}",
                        conversation(place),
                        missed_summary.count.min(HISTORY_COUNT_MAX.into())
                    )
                }
                None => "history [group-name|@username] [count]".to_owned(),
            };
            let hint =
                format!("These are the newest {}. For more: {fix}", missed_summary.newest.len());
            lines.push(self.hint(harmless(&hint)));
        }
        lines.extend(missed_summary.newest.iter().filter_map(|said| self.replayed(said, me, now)));
        lines.join("\n")
    }

    /// What was said in a conversation, the oldest first, with what was deleted in its place. Both
    /// come the newest first.
    pub fn history(
        self,
        of: &Conversation,
        (said, deleted): (&[ArchivedPost], &[DeletedPost]),
        reader: (Option<&UserName>, UnixMillis),
    ) -> String {
        if said.is_empty() && deleted.is_empty() {
            return self.system(match of {
                Conversation::Group(group) => {
                    format!("Nothing was said in group chat '{group}' yet.")
                }
                Conversation::User(user) => {
                    format!("Nothing was said between you and '{user}' yet.")
                }
            });
        }
        let said = said.iter().map(|said| (said.post.seq, self.said(said, reader)));
        let deleted = deleted.iter().map(|post| {
            let (stamp, number) = (self.stamp(post.at, reader.1), self.post_number(post.seq));
            (post.seq, format!("{stamp} {number}{}", self.deleted_post(post, of)))
        });
        let mut lines: Vec<_> = said.chain(deleted).collect();
        lines.reverse();
        lines.sort_by_key(|(seq, _)| *seq);
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    /// What was found, the newest first.
    pub fn found(
        self,
        said: &[ArchivedPost],
        (me, now): (Option<&UserName>, UnixMillis),
    ) -> String {
        if said.is_empty() {
            return self.system("No message was found that has all of these words in it.");
        }
        said.iter().map(|said| self.said(said, (me, now))).collect::<Vec<_>>().join("\n")
    }

    fn said(
        self,
        ArchivedPost { place, post }: &ArchivedPost,
        (me, now): (Option<&UserName>, UnixMillis),
    ) -> String {
        let text = match place {
            Conversation::Group(group) => self.group_post(post, group, me),
            Conversation::User(other) if other.key() == post.from.key() => {
                self.private_post(post, me)
            }
            Conversation::User(other) => {
                let head = harmless(&format!("Private message to {other}:")).into_owned();
                format!("{} {}", self.paint.paint(Kind::Private, head), self.body(&post.body, None))
            }
        };
        format!("{} {}{text}", self.stamp(post.at, now), self.post_number(post.seq))
    }

    /// Offers what was said in a group before one came into it.
    pub fn earlier(self, group: &GroupName, retention: Retention) -> String {
        let kept = match retention {
            Retention::Days(1) => " (kept for a day)".to_owned(),
            Retention::Days(days) => format!(" (kept for {days} days)"),
            Retention::Nothing | Retention::Everything => String::new(),
        };
        self.hint(harmless(&format!("Earlier messages: history {group}{kept}")))
    }

    /// Messages of an earlier run had no answer.
    pub fn sent_again(self, count: usize) -> String {
        self.system(format!("{} from last time {} sent again.", messages(count), is(count)))
    }

    /// One leaves before the server has answered to messages, which are kept on this side. Nothing
    /// when there are none.
    pub fn sent_next_time(self, count: usize, name: &UserName) -> Option<String> {
        let text = format!("{} {} kept, and sent when {name} is back.", messages(count), is(count));
        (count > 0).then(|| self.warning(text))
    }

    /// The file for what must not be forgotten is not used.
    pub fn no_state(self, file: &str, why: &str) -> String {
        self.warning(format!(
            "What comes while you are away can't be kept for you: {file}: {why}. To choose another \
             file: --state FILE"
        ))
    }

    /// A part of that file is gone.
    pub fn damaged_state(self, file: &str) -> String {
        self.warning(format!("A part of what was kept from last time is damaged, and lost: {file}"))
    }
}

/// How a conversation is called in commands.
fn conversation(place: &Conversation) -> String {
    match place {
        Conversation::Group(group) => group.to_string(),
        Conversation::User(user) => format!("@{user}"),
    }
}

fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn is(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// What is beyond all calendars is shown at their end.
pub(super) fn instant(at: UnixMillis) -> Timestamp {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
