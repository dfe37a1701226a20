//! What was not seen yet.

use chatroom_proto::{Conversation, NAME_MARK};

use super::harmless::harmless;
use super::text::View;
use crate::app::unread::{UnreadIn, UnreadMessages};

impl View {
    /// The conversations in which something is unread, with who said how much.
    pub fn unread(self, unread: &UnreadMessages) -> String {
        if unread.each.is_empty() && unread.beyond == 0 {
            return self.system("There is nothing that you have not seen.");
        }
        let mut lines = vec![self.system("unread messages:")];
        lines.extend(unread.each.iter().map(|unread| harmless(&unread_in(unread)).into_owned()));
        if unread.beyond > 0 {
            lines.push(self.hint(format!("({} more in other conversations)", unread.beyond)));
        }
        lines.push(self.hint("To read them: /history [group-name|@username] [count]"));
        lines.join("\n")
    }
}

fn unread_in(unread: &UnreadIn) -> String {
    let count = unread.count;
    match &unread.place {
        Conversation::User(user) => format!("{NAME_MARK}{user}: {count}"),
        Conversation::Group(group) => {
            let people = unread.people.iter().map(|(name, said)| format!("{name} {said}"));
            let others = unread.by_others();
            let others = (others > 0).then(|| format!("others {others}"));
            let people: Vec<_> = people.chain(others).collect();
            format!("{group}: {count} ({})", people.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::tests::{group, user, view};

    #[test]
    fn each_conversation_has_its_count_and_a_group_who_said_how_much() {
        let mut unread = UnreadMessages::default();
        assert_eq!(view().unread(&unread), "There is nothing that you have not seen.");
        for name in ["Ann", "Bob", "Ann"] {
            unread.add(Conversation::Group(group("tea")), &user(name));
        }
        unread.add(Conversation::User(user("علی")), &user("علی"));
        assert_eq!(
            view().unread(&unread),
            "unread messages:\ntea: 3 (Ann 2, Bob 1)\n@علی: 1\n\
             To read them: /history [group-name|@username] [count]"
        );
    }
}
