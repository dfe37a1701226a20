//! What was taken back.

use chatroom_proto::{Conversation, DeletedPost, Refusal, Seq, UserName};

use super::harmless::harmless;
use super::text::{Layout, View};
use crate::app::command::POST_MARK;

impl View {
    /// Somebody has deleted what was said. What is printed stays: this says that it is not said any
    /// more.
    pub(super) fn deleted(
        self,
        by: &UserName,
        from: &UserName,
        place: &Conversation,
        me: Option<&UserName>,
    ) -> String {
        let is_me = |user: &UserName| me.is_some_and(|me| me.key() == user.key());
        let who = if is_me(by) { "You have".to_owned() } else { format!("{by} has") };
        let whose = match from {
            from if is_me(from) => "yours",
            from if from.key() == by.key() => "theirs",
            from => from.as_str(),
        };
        self.system(match place {
            Conversation::Group(group) => {
                format!("{who} removed a message of {whose} in group chat '{group}'.")
            }
            Conversation::User(to) if is_me(by) => {
                format!("{who} removed a private message to {to}.")
            }
            Conversation::User(_) => format!("{who} removed a private message to you."),
        })
    }

    /// What is left of something that was said, in a history or where it was missed. No message of
    /// anybody looks like this.
    pub(super) fn deleted_post(self, post: &DeletedPost, place: &Conversation) -> String {
        let DeletedPost { from, by, .. } = post;
        self.system(match place {
            Conversation::Group(group) => {
                format!("A message of {from} in group chat '{group}', removed by {by}.")
            }
            Conversation::User(_) => format!("A private message of {from}, removed by {by}."),
        })
    }

    /// What one types to mean a message, before what is shown of it. Programs are shown none.
    pub(super) fn post_number(self, post: Seq) -> String {
        match self.layout {
            Layout::Screen => format!("{} ", self.hint(format!("{POST_MARK}{post}"))),
            Layout::Lines => String::new(),
        }
    }

    /// Nothing was said in this run that could be meant.
    pub fn nothing_to_delete(self) -> String {
        self.warning(
            "You have said nothing here that could be removed. history shows the numbers of what \
             was said before: delete [number]",
        )
    }

    /// What was said last has no answer yet.
    pub fn not_yet_accepted(self) -> String {
        self.warning(
            "Your last message is not accepted by the server yet. It can be removed when it is.",
        )
    }
}

/// A refusal that is about deleting.
pub(super) fn deletion_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoSuchPost { post } => format!(
            "There is no message with the number {post} that you can read, or it is kept no \
             longer. history shows the numbers."
        ),
        Refusal::NotYours { .. } => "Only who said it can remove that message; in a group chat \
             also its owner and operators."
            .to_owned(),
        Refusal::AlreadyDeleted { by, .. } => {
            harmless(&format!("That message was removed before, by {by}.")).into_owned()
        }
        other => format!("The server refused that: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{GroupName, PostId, UnixMillis};

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn g1() -> Conversation {
        Conversation::Group(GroupName::parse("G1").unwrap())
    }

    /// That somebody has deleted what somebody said, as Jim is told.
    fn told(by: &str, from: &str, place: &Conversation) -> String {
        View::plain().deleted(&user(by), &user(from), place, Some(&user("Jim")))
    }

    #[test]
    fn a_deletion_says_who_has_removed_whose_message_where() {
        assert_eq!(
            told("Ann", "Bob", &g1()),
            "Ann has removed a message of Bob in group chat 'G1'."
        );
        assert_eq!(
            told("Ann", "Ann", &g1()),
            "Ann has removed a message of theirs in group chat 'G1'."
        );
        assert_eq!(
            told("Ann", "jim", &g1()),
            "Ann has removed a message of yours in group chat 'G1'."
        );
        let to_jim = Conversation::User(user("Jim"));
        assert_eq!(told("Ann", "Ann", &to_jim), "Ann has removed a private message to you.");
        let to_ann = Conversation::User(user("Ann"));
        assert_eq!(told("Jim", "Jim", &to_ann), "You have removed a private message to Ann.");
    }

    #[test]
    fn what_is_left_of_a_message_looks_like_no_message_and_has_its_number_for_people() {
        let post = DeletedPost {
            seq: Seq(4711),
            prev: Seq(4),
            at: UnixMillis(0),
            id: PostId([0; 16]),
            from: user("Bob"),
            by: user("Ann"),
        };
        let shown = View::plain().deleted_post(&post, &g1());
        assert_eq!(shown, "A message of Bob in group chat 'G1', removed by Ann.");
        let people = View { layout: Layout::Screen, ..View::plain() };
        assert_eq!(people.post_number(post.seq), "#4711 ");
        assert_eq!(View::plain().post_number(post.seq), "", "programs read lines as ever");
    }
}
