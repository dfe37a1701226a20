//! Moderation of groups: what was done, what may not be done, and what a group is.

use std::num::NonZeroU32;

use chatroom_proto::{
    About, GroupName, Headline, Moderation, ModerationRecord, Reason, Refusal, Request, UnixMillis,
    UserName,
};

use super::text::View;

/// Who did something, and to whom, in the words of a reader.
struct Roles<'a> {
    /// "Ann has", or "You have".
    who: String,
    /// "Jim", or "you".
    whom: &'a str,
}

impl View {
    /// Somebody moderated a group, where this reader hears of it.
    pub(super) fn moderated(
        self,
        by: &UserName,
        group: &GroupName,
        act: &Moderation,
        me: Option<&UserName>,
    ) -> String {
        let is_me = act.user().is_some_and(|user| me.is_some_and(|me| me.key() == user.key()));
        let text = sentence(&roles(format!("{by} has"), act, is_me), group, act);
        let fix = match act {
            Moderation::Invite { .. } if is_me => format!(" To become a member: join {group}"),
            _ => String::new(),
        };
        self.system(text + &fix)
    }

    /// This reader moderated a group. Nothing when the server answers something that was not asked.
    pub(super) fn you_moderated(self, request: &Request, group: &GroupName) -> Option<String> {
        let Request::Moderate { act, .. } = request else { return None };
        Some(self.system(sentence(&roles("You have".to_owned(), act, false), group, act)))
    }

    /// What a group is about, to one who has just come into it.
    pub(super) fn topic_is(self, group: &GroupName, headline: &Headline) -> String {
        self.system(format!("The topic of group chat '{group}': {}", headline.topic.as_str()))
    }

    /// A group has another owner, who may be this reader.
    pub(super) fn passed_on(
        self,
        group: &GroupName,
        to: &UserName,
        me: Option<&UserName>,
    ) -> String {
        let is_me = me.is_some_and(|me| me.key() == to.key());
        let whose = if is_me { "yours".to_owned() } else { format!("{to}'s") };
        self.system(format!("Group chat '{group}' is {whose} now, because its owner is gone."))
    }

    /// What moderators did in a group, to one person or at all, the oldest first.
    pub(super) fn acts(
        self,
        request: &Request,
        group: &GroupName,
        acts: &[ModerationRecord],
        now: UnixMillis,
    ) -> Option<String> {
        let Request::Why { user, .. } = request else { return None };
        if acts.is_empty() {
            let to = user.as_ref().map(|user| format!(" to {user}")).unwrap_or_default();
            return Some(self.system(format!(
                "Nothing that was done{to} in group chat '{group}' to keep order is remembered."
            )));
        }
        let line = |ModerationRecord { at, by, act, .. }: &ModerationRecord| {
            let text = sentence(&roles(format!("{by} has"), act, false), group, act);
            format!("{} {}", self.stamp(*at, now), self.system(text))
        };
        Some(acts.iter().rev().map(line).collect::<Vec<_>>().join("\n"))
    }

    /// What a group is, and what the reader is in it.
    pub(super) fn about(self, about: &About) -> String {
        let About { group, owner, ops, topic, locked_since, members, .. } = about;
        let owner =
            owner.as_ref().map_or_else(|| "nobody's".to_owned(), |owner| format!("{owner}'s"));
        let people =
            if *members == 1 { "1 member".to_owned() } else { format!("{members} members") };
        let mut lines = vec![format!("Group chat '{group}' is {owner}, and has {people}.")];
        if !ops.as_slice().is_empty() {
            let names: Vec<_> = ops.as_slice().iter().map(UserName::as_str).collect();
            lines.push(format!("Its operators: {}", names.join(", ")));
        }
        if let Some(Headline { topic, by, at }) = topic {
            lines.push(format!(
                "Its topic, by {by} on {}: {}",
                self.date_and_time(*at),
                topic.as_str()
            ));
        }
        lines.push(match locked_since {
            Some(since) => {
                format!(
                    "It is locked since {}: only those can join who are invited.",
                    self.date_and_time(*since)
                )
            }
            None => "Everybody can join it.".to_owned(),
        });
        if about.is_invited {
            lines.push(format!("You are invited. To become a member: join {group}"));
        } else if !about.is_member {
            lines.push("You are not in it.".to_owned());
        }
        if about.is_muted {
            lines.push(format!("You can't speak in it{}.", self.until(about.muted_until)));
        }
        lines.iter().map(|line| self.system(line)).collect::<Vec<_>>().join("\n")
    }

    /// A refusal that is about moderation.
    pub(super) fn moderation_refusal(self, request: &Request, refusal: &Refusal) -> String {
        match refusal {
            Refusal::NotAllowed { group } => {
                let who = match request {
                    Request::Moderate {
                        act: Moderation::Op { .. } | Moderation::Deop { .. },
                        ..
                    } => "the owner",
                    _ => "the owner and the operators",
                };
                format!(
                    "Only {who} of group chat '{group}' can do that. To see who that is: about \
                     {group}"
                )
            }
            Refusal::OutOfReach { group, user } => format!(
                "You can't do that to {user}: they keep order in group chat '{group}', too, or \
                 somebody above you has decided about them. To see who: about {group}, why {group} \
                 {user}"
            ),
            Refusal::NotOneself if matches!(request, Request::Operate { .. }) => {
                "You can't do that to yourself. To leave: exit".to_owned()
            }
            Refusal::NotOneself => {
                "You can't do that to yourself. To stop being a member: leave [group-name]"
                    .to_owned()
            }
            Refusal::AlreadySo { group } => already_so(request, group),
            Refusal::TooManyMarks { limit } => format!(
                "There are too many of these already: {limit} in one group chat, or as many as the \
                 server holds for all. Undo some first."
            ),
            Refusal::Banned { group, until } => match request {
                Request::Moderate { act, .. } => {
                    let user = act.user().map_or("That person", UserName::as_str);
                    format!(
                        "{user} is banned from group chat '{group}'. Lift that first: unban \
                         {group} {user}"
                    )
                }
                _ => format!(
                    "You are banned from group chat '{group}'{}. To read why: why {group} \
                     [your-name]",
                    self.until(*until)
                ),
            },
            Refusal::Muted { group, until } => format!(
                "You can read in group chat '{group}', and not speak{}. To read why: why {group} \
                 [your-name]",
                self.until(*until)
            ),
            Refusal::InvitationOnly { group } => format!(
                "Group chat '{group}' is locked: only those can join who are invited. To see whom \
                 to ask: about {group}"
            ),
            other => format!("The server refused that: {other:?}"),
        }
    }

    /// The end of something, as the end of a sentence.
    pub(super) fn until(self, until: Option<UnixMillis>) -> String {
        until.map(|until| format!(" until {}", self.date_and_time(until))).unwrap_or_default()
    }

    /// A moment of any day.
    fn date_and_time(self, at: UnixMillis) -> String {
        self.moment(at, UnixMillis(0))
    }
}

/// Nothing was to be done, because it is so already.
fn already_so(request: &Request, group: &GroupName) -> String {
    let Request::Moderate { act, .. } = request else {
        return format!("That is so already in group chat '{group}'.");
    };
    match act {
        Moderation::Kick { user, .. } => {
            format!(
                "{user} is not in group chat '{group}'. To keep somebody out: ban {group} {user}"
            )
        }
        Moderation::Unban { user } => {
            format!("{user} is not banned from group chat '{group}', so there is nothing to lift.")
        }
        Moderation::Unmute { user } => {
            format!("{user} is not muted in group chat '{group}', so there is nothing to lift.")
        }
        Moderation::Topic { .. } => {
            format!("Group chat '{group}' has no topic, so there is nothing to remove.")
        }
        Moderation::Lock => {
            format!(
                "Group chat '{group}' is locked already. To let somebody in: invite {group} \
                 [username]"
            )
        }
        Moderation::Unlock => format!("Group chat '{group}' is not locked: everybody can join it."),
        Moderation::Invite { user } => {
            format!("{user} needs no invitation: they are in group chat '{group}', or can join it.")
        }
        Moderation::Op { user } => format!("{user} keeps order in group chat '{group}' already."),
        Moderation::Deop { user } => {
            format!("{user} is no operator of group chat '{group}'. To see who is: about {group}")
        }
        Moderation::Ban { .. } | Moderation::Mute { .. } | Moderation::Delete { .. } => {
            format!("That is so already in group chat '{group}'.")
        }
    }
}

fn roles(who: String, act: &Moderation, is_me: bool) -> Roles<'_> {
    let whom = if is_me { "you" } else { act.user().map_or("", UserName::as_str) };
    Roles { who, whom }
}

/// What was done, as a sentence. It ends with what its author wrote, if they wrote anything.
fn sentence(Roles { who, whom }: &Roles<'_>, group: &GroupName, act: &Moderation) -> String {
    match act {
        Moderation::Kick { reason, .. } => {
            format!("{who} put {whom} out of group chat '{group}'{}", because(reason))
        }
        Moderation::Ban { seconds, reason, .. } => {
            format!(
                "{who} banned {whom} from group chat '{group}'{}{}",
                span(*seconds),
                because(reason)
            )
        }
        Moderation::Unban { .. } => {
            format!("{who} lifted the ban on {whom} in group chat '{group}'.")
        }
        Moderation::Mute { seconds, reason, .. } => {
            format!(
                "{who} muted {whom} in group chat '{group}'{}{}",
                span(*seconds),
                because(reason)
            )
        }
        Moderation::Unmute { .. } => {
            format!("{who} let {whom} speak again in group chat '{group}'.")
        }
        Moderation::Topic { topic: Some(topic) } => {
            format!("{who} set the topic of group chat '{group}': {}", topic.as_str())
        }
        Moderation::Topic { topic: None } => {
            format!("{who} removed the topic of group chat '{group}'.")
        }
        Moderation::Lock => {
            format!("{who} locked group chat '{group}': only those can join who are invited.")
        }
        Moderation::Unlock => {
            format!("{who} unlocked group chat '{group}': everybody can join it.")
        }
        Moderation::Invite { .. } => format!("{who} invited {whom} to group chat '{group}'."),
        Moderation::Op { .. } => format!("{who} made {whom} an operator of group chat '{group}'."),
        Moderation::Deop { .. } => {
            format!("{who} made {whom} an operator no longer of group chat '{group}'.")
        }
        Moderation::Delete { .. } => {
            format!("{who} removed a message of {whom} in group chat '{group}'.")
        }
    }
}

pub(super) fn because(reason: &Option<Reason>) -> String {
    reason.as_ref().map_or_else(|| ".".to_owned(), |reason| format!(": {}", reason.as_str()))
}

/// For how long, in the largest unit that says it exactly.
pub(super) fn span(seconds: Option<NonZeroU32>) -> String {
    const UNITS: [(u32, &str); 4] =
        [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second")];
    let Some(seconds) = seconds.map(NonZeroU32::get) else { return String::new() };
    let unit = UNITS.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = unit.copied().unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!(" for 1 {name}"),
        count => format!(" for {count} {name}s"),
    }
}

#[cfg(test)]
mod tests;
