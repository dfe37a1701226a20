//! What was said where its reader was not looking, counted until they look there. Pure.

use chatroom_proto::{Conversation, UserName};

use crate::app::arrival::is_same;

/// The most conversations that are counted one by one: more than anybody reads again. What was said
/// in others is counted together.
const CONVERSATIONS_MAX: usize = 200;

/// The most people that are counted one by one in a conversation: as many names as have room on a
/// line.
const PEOPLE_MAX: usize = 5;

/// What is unread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnreadMessages {
    /// By conversation, in the order in which the first message came.
    pub each: Vec<UnreadIn>,
    /// In conversations beyond these.
    pub beyond: usize,
}

/// What is unread in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadIn {
    /// Which one.
    pub place: Conversation,
    /// How many messages.
    pub count: usize,
    /// Who said how many of them, in the order of their first. Of more people, only the count
    /// tells.
    pub people: Vec<(UserName, usize)>,
}

impl UnreadMessages {
    /// Somebody has said something there.
    pub fn add(&mut self, place: Conversation, by: &UserName) {
        let known = self.each.iter().position(|unread| is_same(&unread.place, &place));
        let at = match known {
            Some(at) => at,
            None if self.each.len() == CONVERSATIONS_MAX => {
                self.beyond += 1;
                return;
            }
            None => {
                self.each.push(UnreadIn { place, count: 0, people: Vec::new() });
                self.each.len() - 1
            }
        };
        self.each[at].add(by);
    }

    /// Its reader has looked there.
    pub fn seen(&mut self, place: &Conversation) {
        self.each.retain(|unread| !is_same(&unread.place, place));
    }

    /// Everything that was unread beyond what is counted one by one is told once.
    pub fn forget_beyond(&mut self) {
        self.beyond = 0;
    }
}

impl UnreadIn {
    fn add(&mut self, by: &UserName) {
        self.count += 1;
        let known = self.people.iter_mut().find(|(name, _)| name.key() == by.key());
        if let Some((_, said)) = known {
            *said += 1;
        } else if self.people.len() < PEOPLE_MAX {
            self.people.push((by.clone(), 1));
        }
    }

    /// How many of them were said by others than those who are counted.
    pub fn by_others(&self) -> usize {
        self.count - self.people.iter().map(|(_, said)| said).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::GroupName;

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn group(name: &str) -> Conversation {
        Conversation::Group(GroupName::parse(name).unwrap())
    }

    #[test]
    fn messages_are_counted_by_conversation_and_person_until_they_are_seen() {
        let mut unread = UnreadMessages::default();
        unread.add(group("tea"), &user("Ann"));
        unread.add(Conversation::User(user("tea")), &user("tea"));
        unread.add(group("Tea"), &user("Bob"));
        unread.add(group("tea"), &user("ann"));
        assert_eq!(unread.each[0].people, [(user("Ann"), 2), (user("Bob"), 1)]);
        assert_eq!((unread.each[0].count, unread.each[1].count), (3, 1));
        unread.seen(&group("TEA"));
        assert_eq!(unread.each.len(), 1);
        assert_eq!(unread.each[0].place, Conversation::User(user("tea")));
    }

    #[test]
    fn neither_conversations_nor_people_are_counted_without_end() {
        let mut unread = UnreadMessages::default();
        for number in 0..CONVERSATIONS_MAX + 3 {
            unread.add(group(&format!("g{number}")), &user("Ann"));
        }
        assert_eq!((unread.each.len(), unread.beyond), (CONVERSATIONS_MAX, 3));
        for number in 0..PEOPLE_MAX + 2 {
            unread.add(group("g0"), &user(&format!("u{number}")));
        }
        assert_eq!(unread.each[0].count, PEOPLE_MAX + 3);
        assert_eq!((unread.each[0].people.len(), unread.each[0].by_others()), (PEOPLE_MAX, 3));
    }
}
