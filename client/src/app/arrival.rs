//! What arrives: which conversation it belongs to, and where its reader is looking. Pure.

use chatroom_proto::{Conversation, DeletedPost, Notification, Post, UserName};

/// The conversation that this belongs to, as `me` sees it. Nothing for what is about the whole
/// chat.
pub fn conversation(of: &Notification, me: Option<&UserName>) -> Option<Conversation> {
    match of {
        Notification::Arrived { group, .. }
        | Notification::Joined { group, .. }
        | Notification::Left { group, .. }
        | Notification::GroupPost { group, .. }
        | Notification::Moderated { group, .. }
        | Notification::TopicIs { group, .. }
        | Notification::PassedOn { group, .. } => Some(Conversation::Group(group.clone())),
        Notification::PrivatePost { post, to } => Some(with_other(&post.from, to, me)),
        Notification::Deleted { from, place, .. }
        | Notification::DeletedPost { post: DeletedPost { from, .. }, place } => match place {
            Conversation::Group(_) => Some(place.clone()),
            Conversation::User(to) => Some(with_other(from, to, me)),
        },
        Notification::Departed { .. }
        | Notification::Operated { .. }
        | Notification::Ping
        | Notification::Closing(_)
        | Notification::CaughtUp { .. } => None,
    }
}

/// What two say to each other, of whom one is `me`.
fn with_other(from: &UserName, to: &UserName, me: Option<&UserName>) -> Conversation {
    let is_own = me.is_some_and(|me| me.key() == from.key());
    Conversation::User(if is_own { to } else { from }.clone())
}

/// What somebody said, if it is that.
pub fn post(of: &Notification) -> Option<&Post> {
    match of {
        Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => Some(post),
        _ => None,
    }
}

/// Whether `me` said it, with another device.
pub fn is_by(post: &Post, me: Option<&UserName>) -> bool {
    me.is_some_and(|me| me.key() == post.from.key())
}

/// Whether the two are one: names are compared as the server does it.
pub fn is_same(one: &Conversation, other: &Conversation) -> bool {
    match (one, other) {
        (Conversation::Group(one), Conversation::Group(other)) => one.key() == other.key(),
        (Conversation::User(one), Conversation::User(other)) => one.key() == other.key(),
        _ => false,
    }
}

/// Whether it is for somebody who looks at another conversation, the one that is open. What is done
/// to `me` is not.
pub fn is_elsewhere(of: &Notification, me: &UserName, open: Option<&Conversation>) -> bool {
    let is_about_me = match of {
        Notification::Moderated { act, .. } => {
            act.user().is_some_and(|user| user.key() == me.key())
        }
        Notification::PassedOn { to, .. } => to.key() == me.key(),
        _ => false,
    };
    match (conversation(of, Some(me)), open) {
        (Some(place), Some(open)) => !is_about_me && !is_same(&place, open),
        _ => false,
    }
}
