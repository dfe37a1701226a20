//! Scenes as text. A line is one of
//!
//! ```text
//! jim comes                          connects, says hello, and is welcome
//! jim logs in                        connects and says hello; the answer is yet to be heard
//! jim logs in with a password        the same, with a password
//! jim logs in with the token alone   with the token, not with what he has seen
//! jim logs in with a forgery         the same, with a token that nobody was given
//! jim logs in from version 7         the same, speaking only that version
//! jim> join tea                      asks something
//! jim< joined tea                    the next thing that jim hears
//! ann> delete 2                      the second of the posts that were answered in this scene
//! jim is hung up on                  the next thing is the end of the connection
//! jim vanishes                       the connection is cut, without a word
//! jim returns                        connects again with the token, and goes on as the same device
//! jim logs in again                  connects again with the token; the answer is yet to be heard
//! 31 s pass                          (only under virtual time)
//! the clock is set 3600 s back       the time of day jumps, and no time passes (likewise)
//! the clock is set 3600 s forward
//! the log stops                      nothing is ordered until (only under virtual time)
//! the log goes on
//! ```
//!
//! A guest asks with the words of the terminal, and hears the sentences of the terminal. Only where
//! a scene reads better, the words or the sentences are shorter, and stand below.
//!
//! Everything that a guest hears has to be in the dialogue: at the end, nobody may have anything
//! left to hear.

use std::num::NonZeroU32;

use chatroom_client::app::command::{self, TypedCommand};
use chatroom_client::app::view::View;
use chatroom_proto::{
    About, ArchivedPost, BanTarget, ClientInfo, CloseReason, Code, Conversation, DeletedPost,
    Headline, Membership, Moderation, ModerationRecord, Notification, Operation, Page, Password,
    Post, PostId, Reason, Refusal, Request, Response, Seq, ServerBan, ServerFrame, Token, Topic,
    UnixMillis,
};

use crate::stage::{Entrance, Stage};
use crate::test_client::{group, post_id, user};

/// Plays a dialogue.
///
/// # Panics
/// When something else is heard than the dialogue says, or a line has no meaning.
pub async fn play<S: Stage>(mut stage: S, dialogue: &str) {
    let (mut guests, mut posts): (Vec<String>, Vec<Seq>) = (Vec::new(), Vec::new());
    for (number, line) in dialogue.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let context = format!("line {number}, «{line}», in{dialogue}");
        let name = line.split(['>', '<', ' ']).next().unwrap_or_default().to_owned();
        if !guests.contains(&name) && !line.ends_with(" pass") && name != "the" {
            guests.push(name);
        }
        step(&mut stage, &mut posts, line, &context).await;
    }
    for guest in guests {
        if let Some(rest) = stage.rest(&guest).await {
            panic!("{guest} heard more than the dialogue says: {}, in{dialogue}", show(&rest));
        }
    }
}

async fn step<S: Stage>(stage: &mut S, posts: &mut Vec<Seq>, line: &str, context: &str) {
    if let Some((name, words)) = line.split_once("> ") {
        if words == "operator" {
            let code = stage.code();
            return stage.say(name, Request::Claim { code }).await;
        }
        let request = match words.strip_prefix("delete ").map(str::parse::<usize>) {
            Some(Ok(number)) => Request::Delete { post: posts[number - 1] },
            _ => request(words, context),
        };
        return stage.say(name, request).await;
    }
    if let Some((name, expected)) = line.split_once("< ") {
        let heard = stage.hear(name).await;
        if let Some(ServerFrame::Response {
            result: Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. }),
            ..
        }) = &heard
            && !posts.contains(seq)
        {
            posts.push(*seq);
        }
        let heard = heard.as_ref().map_or_else(|| "(hung up)".to_owned(), show);
        assert_eq!(heard, expected, "{context}");
        return;
    }
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        [name, "comes"] => {
            stage.log_in(name, Entrance::Open).await;
            let heard = stage.hear(name).await;
            assert_eq!(
                heard.as_ref().map(show).as_deref(),
                Some("welcome, in General"),
                "{context}"
            );
        }
        [name, "logs", "in"] => stage.log_in(name, Entrance::Open).await,
        [name, "logs", "in", "with", "a", "password"] => {
            stage.log_in(name, Entrance::Password).await;
        }
        [name, "logs", "in", "with", "the", "token", "alone"] => {
            stage.log_in(name, Entrance::TokenAlone).await;
        }
        [name, "logs", "in", "with", "a", "forgery"] => stage.log_in(name, Entrance::Forged).await,
        [name, "logs", "in", "from", "version", version] => {
            stage.log_in(name, Entrance::Version(version.parse().expect(context))).await;
        }
        [name, "logs", "in", "again"] => stage.log_in(name, Entrance::Token).await,
        [name, "returns"] => {
            stage.log_in(name, Entrance::Token).await;
            let heard = stage.hear(name).await.as_ref().map(show).unwrap_or_default();
            assert!(heard.starts_with("welcome back"), "{heard}: {context}");
        }
        [name, "vanishes"] => stage.vanish(name).await,
        [name, "is", "hung", "up", "on"] => {
            let heard = stage.hear(name).await;
            assert_eq!(heard.as_ref().map(show), None, "{context}");
        }
        [seconds, "s", "pass"] => stage.pass(seconds.parse().expect(context)).await,
        ["the", "clock", "is", "set", seconds, "s", way] => {
            let seconds: i64 = seconds.parse().expect(context);
            stage.set_clock(if way == "back" { -seconds } else { seconds }).await;
        }
        ["the", "log", "stops"] => stage.hold_log(true).await,
        ["the", "log", "goes", "on"] => stage.hold_log(false).await,
        _ => panic!("a line without meaning: {context}"),
    }
}

/// What these words ask: what a person would ask with them at the terminal, unless they stand here.
/// A post's id is made from its text: the same text is the same post.
fn request(words: &str, context: &str) -> Request {
    let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "register" => Request::Register { password: password(first) },
        "passwd" => Request::ChangePasswordAndToken {
            old: password(first),
            new: password(text),
            token: Token([first.len() as u8; 32]),
        },
        "unregister" => Request::Unregister { password: password(first) },
        "guess" => Request::Claim { code: Code([0; 16]) },
        "exit" => Request::Exit,
        "ping" => Request::Ping,
        "hello" => Request::Hello(crate::test_client::hello("again")),
        _ => match (operation(verb, rest), act(verb, text)) {
            (Some(act), _) => Request::Operate { act },
            (_, Some(act)) => Request::Moderate { group: group(first), act },
            (None, None) => typed(words, context),
        },
    }
}

/// What the client asks when a person types this.
fn typed(line: &str, context: &str) -> Request {
    let command = command::parse(line).expect(context).expect(context);
    let id = match &command {
        TypedCommand::Say(_, body) => id_of(body.as_str()),
        _ => id_of(line),
    };
    command.into_request(id).unwrap_or_else(|| panic!("no such request: {context}"))
}

fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).expect("the dialogue has a valid password")
}

/// What these words do as an operator of the server.
fn operation(verb: &str, text: &str) -> Option<Operation> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let whom = || BanTarget::addresses(name).unwrap_or_else(|| BanTarget::User(user(name)));
    let (seconds, reason) = timed(rest);
    Some(match verb {
        "appoint" => Operation::Appoint { user: user(name) },
        "dismiss" => Operation::Dismiss { user: user(name) },
        "disconnect" => Operation::Disconnect { user: user(name), reason },
        "server-ban" => Operation::Ban { whom: whom(), seconds, reason },
        "server-unban" => Operation::Unban { whom: whom() },
        _ => return None,
    })
}

/// A number of seconds, perhaps, and a reason, perhaps.
fn timed(text: &str) -> (Option<NonZeroU32>, Option<Reason>) {
    let reason =
        |text: &str| (!text.is_empty()).then(|| Reason::parse(text).expect("a valid reason"));
    match text.split_once(' ').unwrap_or((text, "")) {
        (seconds, more) if seconds.parse::<NonZeroU32>().is_ok() => {
            (seconds.parse().ok(), reason(more))
        }
        _ => (None, reason(text)),
    }
}

/// What these words do to keep order: a ban or a mute may have a number of seconds before its
/// reason.
fn act(verb: &str, text: &str) -> Option<Moderation> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let someone = || user(name);
    let (seconds, reason) = timed(rest);
    Some(match verb {
        "kick" => Moderation::Kick { user: someone(), reason },
        "ban" => Moderation::Ban { user: someone(), seconds, reason },
        "mute" => Moderation::Mute { user: someone(), seconds, reason },
        "unban" => Moderation::Unban { user: someone() },
        "unmute" => Moderation::Unmute { user: someone() },
        "topic" if text.is_empty() => Moderation::Topic { topic: None },
        "topic" => Moderation::Topic { topic: Some(Topic::parse(text).expect("a valid topic")) },
        "lock" => Moderation::Lock,
        "unlock" => Moderation::Unlock,
        "invite" => Moderation::Invite { user: someone() },
        "op" => Moderation::Op { user: someone() },
        "deop" => Moderation::Deop { user: someone() },
        _ => return None,
    })
}

fn id_of(text: &str) -> PostId {
    let fold = |sum: u64, byte: u8| sum.wrapping_mul(31).wrapping_add(u64::from(byte));
    post_id(text.bytes().fold(7, fold))
}

/// A frame in the words of a dialogue.
pub fn show(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::Response { result: Ok(response), .. } => show_response(response),
        ServerFrame::Response { result: Err(refusal), .. } => {
            format!("refused: {}", show_refusal(refusal))
        }
        ServerFrame::Notification(notification) => show_notification(notification),
    }
}

fn show_response(response: &Response) -> String {
    match response {
        Response::Welcome(_) => "welcome, in version 1".to_owned(),
        Response::WelcomeInLife { welcome, .. } => {
            let back = if welcome.resumed { "welcome back" } else { "welcome" };
            let groups =
                list(welcome.groups.as_slice().iter().map(|Membership { group, .. }| group));
            format!("{back}, in {}", or_none(groups))
        }
        Response::Created { group, .. } => format!("created {group}"),
        Response::Joined { membership, .. } => format!("joined {}", membership.group),
        Response::Left { group, .. } => format!("left {group}"),
        Response::Groups { groups, next } => format!("groups: {}{}", page(groups), more(*next)),
        Response::Users { users, next } => format!("users: {}{}", page(users), more(*next)),
        Response::Posted { .. } => "posted".to_owned(),
        Response::Past { posts, .. } if posts.as_slice().is_empty() => "past: nothing".to_owned(),
        Response::Past { posts, next } => {
            let said = posts.as_slice().iter().map(show_said);
            format!("past: {}{}", list(said), more(*next))
        }
        Response::PastWithDeleted { posts, deleted, next } => {
            let said = posts.as_slice().iter().map(|said| (said.post.seq, show_said(said)));
            let deleted = deleted.as_slice().iter().map(|post| (post.seq, show_deleted(post)));
            let mut all: Vec<_> = said.chain(deleted).collect();
            all.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
            format!("past: {}{}", list(all.into_iter().map(|(_, said)| said)), more(*next))
        }
        Response::Deleted { .. } => "deleted".to_owned(),
        Response::Registered { .. } => "registered".to_owned(),
        Response::Moderated { group, .. } => format!("done in {group}"),
        Response::Acts { group, acts } if acts.as_slice().is_empty() => {
            format!("nothing was done in {group}")
        }
        Response::Acts { group, acts } => {
            let acts = acts
                .as_slice()
                .iter()
                .map(|ModerationRecord { by, act, .. }| format!("{by}: {}", show_act(act)));
            format!("done in {group}: {}", list(acts))
        }
        Response::About(about) => show_about(about),
        // When somebody left is nobody's to foretell.
        Response::Who(who) => {
            let place = if who.away_since.is_some() { "away" } else { "here" };
            format!("{} is {place}, both in {}", who.user, or_none(page(&who.groups)))
        }
        Response::Operated { .. } => "done".to_owned(),
        Response::Clients { clients, next } => {
            let clients = clients.as_slice().iter().map(
                |ClientInfo { name, groups, is_connected, .. }| {
                    let held = if *is_connected { "" } else { " (held)" };
                    let groups: Vec<_> =
                        groups.as_slice().iter().map(|group| group.as_str()).collect();
                    format!("{name}{held} in {}", or_none(groups.join("+")))
                },
            );
            format!("clients: {}{}", list(clients), more(*next))
        }
        Response::ServerBans { bans, next } => {
            let bans = bans.as_slice().iter().map(|ServerBan { by, whom, until, .. }| {
                format!("{} by {by}{}", show_whom(whom), show_until(*until))
            });
            format!("server-bans: {}{}", or_none(list(bans)), more(*next))
        }
        Response::Goodbye => "goodbye".to_owned(),
        Response::Pong => "pong".to_owned(),
        other => {
            let (asked, reader) = (Request::Ping, user("reader"));
            View::plain().answer(&asked, other, &reader, UnixMillis(0)).unwrap_or_default()
        }
    }
}

fn show_about(about: &About) -> String {
    let About { group, owner, ops, topic, locked_since, members, .. } = about;
    let mut shown = vec![format!("{group} has {members}")];
    shown.extend(owner.iter().map(|owner| format!("owner {owner}")));
    shown.extend(ops.as_slice().iter().map(|op| format!("op {op}")));
    shown.extend(
        topic.iter().map(|Headline { topic, by, .. }| format!("topic {} by {by}", topic.as_str())),
    );
    shown.extend(locked_since.map(|_| "locked".to_owned()));
    let flags =
        [(about.is_member, "in it"), (about.is_invited, "invited"), (about.is_muted, "muted")];
    shown.extend(flags.iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| (*flag).to_owned()));
    list(shown)
}

/// An act in the words that ask for it.
fn show_act(act: &Moderation) -> String {
    let timed = |seconds: &Option<NonZeroU32>, reason: &Option<Reason>| {
        let seconds = seconds.map(|seconds| format!(" {seconds}")).unwrap_or_default();
        let reason =
            reason.as_ref().map(|reason| format!(" {}", reason.as_str())).unwrap_or_default();
        seconds + &reason
    };
    match act {
        Moderation::Kick { user, reason } => format!("kick {user}{}", timed(&None, reason)),
        Moderation::Ban { user, seconds, reason } => {
            format!("ban {user}{}", timed(seconds, reason))
        }
        Moderation::Unban { user } => format!("unban {user}"),
        Moderation::Mute { user, seconds, reason } => {
            format!("mute {user}{}", timed(seconds, reason))
        }
        Moderation::Unmute { user } => format!("unmute {user}"),
        Moderation::Topic { topic: Some(topic) } => format!("topic {}", topic.as_str()),
        Moderation::Topic { topic: None } => "no topic".to_owned(),
        Moderation::Lock => "lock".to_owned(),
        Moderation::Unlock => "unlock".to_owned(),
        Moderation::Invite { user } => format!("invite {user}"),
        Moderation::Op { user } => format!("op {user}"),
        Moderation::Deop { user } => format!("deop {user}"),
        Moderation::Delete { user, .. } => format!("delete of {user}"),
    }
}

fn show_place(place: &Conversation) -> String {
    match place {
        Conversation::Group(group) => group.to_string(),
        Conversation::User(user) => format!("@{user}"),
    }
}

fn show_said(ArchivedPost { place, post }: &ArchivedPost) -> String {
    match place {
        Conversation::Group(group) => format!("{} in {group}: {}", post.from, post.body.as_str()),
        Conversation::User(other) => format!("{} with {other}: {}", post.from, post.body.as_str()),
    }
}

fn show_deleted(DeletedPost { from, by, .. }: &DeletedPost) -> String {
    format!("{from} said what {by} deleted")
}

fn page<T: std::fmt::Display>(page: &Page<T>) -> String {
    list(page.as_slice())
}

fn more(next: Option<Seq>) -> &'static str {
    if next.is_some() { " and more" } else { "" }
}

fn or_none(list: String) -> String {
    if list.is_empty() { "none".to_owned() } else { list }
}

fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn show_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::UnsupportedVersion { server } => {
            format!("speaks {} to {}", server.min(), server.max())
        }
        Refusal::NameTaken { name } => format!("{name} is taken"),
        Refusal::NotRegistered { name } => format!("{name} is not registered"),
        Refusal::GroupExists { group } => format!("{group} exists"),
        Refusal::NoSuchGroup { group } => format!("no group {group}"),
        Refusal::AlreadyMember { group } => format!("already in {group}"),
        Refusal::NotMember { group } => format!("not in {group}"),
        Refusal::NoSuchUser { name } => format!("nobody is {name}"),
        Refusal::TooManyGroups { limit } => format!("more than {limit} groups"),
        Refusal::TooManyMemberships { limit } => format!("in more than {limit} groups"),
        Refusal::NothingKept => "nothing is kept".to_owned(),
        Refusal::TookTooLong => "took too long".to_owned(),
        Refusal::SessionEnded => "the session has ended".to_owned(),
        Refusal::Unavailable => "can't be read".to_owned(),
        Refusal::Invalid { why } => format!("invalid: {}", why.as_str()),
        Refusal::PasswordNeeded { name } => format!("{name} has a password"),
        Refusal::WrongPassword { name } => format!("that is not {name}'s password"),
        Refusal::PasswordInTheOpen => "a password in the open".to_owned(),
        Refusal::AlreadyRegistered { name } => format!("{name} is registered"),
        Refusal::TooManyAccounts { limit } => format!("more than {limit} accounts"),
        Refusal::TooManyDevices { limit } => format!("more than {limit} devices"),
        Refusal::TooManyTries { .. } => "too many tries".to_owned(),
        Refusal::NameLooksLike { name } => format!("looks like {name}"),
        Refusal::GroupLooksLike { group } => format!("looks like {group}"),
        Refusal::RateLimited { .. } => "too fast".to_owned(),
        Refusal::NotAllowed { group } => format!("not allowed in {group}"),
        Refusal::OutOfReach { group, user } => format!("{user} is out of reach in {group}"),
        Refusal::NotOneself => "not oneself".to_owned(),
        Refusal::AlreadySo { group } => format!("already so in {group}"),
        Refusal::TooManyMarks { limit } => format!("more than {limit} marks"),
        Refusal::Banned { group, until } => format!("banned from {group}{}", show_until(*until)),
        Refusal::Muted { group, until } => format!("muted in {group}{}", show_until(*until)),
        Refusal::InvitationOnly { group } => format!("not invited to {group}"),
        Refusal::NotOperator => "not an operator".to_owned(),
        Refusal::WrongCode => "wrong code".to_owned(),
        Refusal::IsOperator { user } => format!("{user} is an operator"),
        Refusal::NoDifference => "no difference".to_owned(),
        Refusal::ServerBanned { until } => format!("banned from the server{}", show_until(*until)),
        Refusal::RegisterFirst => "register first".to_owned(),
        Refusal::NoWords => "no words".to_owned(),
        Refusal::MarkedName => "begins with a mark".to_owned(),
        Refusal::NoSuchPost { .. } => "no such post".to_owned(),
        Refusal::NotYours { .. } => "not yours".to_owned(),
        Refusal::AlreadyDeleted { by, .. } => format!("{by} has deleted it"),
    }
}

fn show_whom(whom: &BanTarget) -> String {
    match whom {
        BanTarget::User(user) => user.to_string(),
        BanTarget::Host(host) => host.to_string(),
        BanTarget::Network(network) => network.to_string(),
    }
}

fn show_operation(act: &Operation) -> String {
    let why = |reason: &Option<Reason>| {
        reason.as_ref().map(|reason| format!(" {}", reason.as_str())).unwrap_or_default()
    };
    match act {
        Operation::Appoint { user } => format!("appoint {user}"),
        Operation::Dismiss { user } => format!("dismiss {user}"),
        Operation::Disconnect { user, reason } => format!("disconnect {user}{}", why(reason)),
        Operation::Ban { whom, reason, .. } => {
            format!("server-ban {}{}", show_whom(whom), why(reason))
        }
        Operation::Unban { whom } => format!("server-unban {}", show_whom(whom)),
    }
}

fn show_until(until: Option<UnixMillis>) -> &'static str {
    if until.is_some() { " for a while" } else { "" }
}

fn show_notification(notification: &Notification) -> String {
    match notification {
        Notification::Ping => "ping".to_owned(),
        Notification::Arrived { user, group, .. } => format!("{user} arrived in {group}"),
        Notification::Departed { user, .. } => format!("{user} departed"),
        Notification::Joined { user, group, .. } => format!("{user} joined {group}"),
        Notification::Left { user, group, .. } => format!("{user} left {group}"),
        Notification::GroupPost { post: Post { from, body, .. }, group } => {
            format!("{from} in {group}: {}", body.as_str())
        }
        Notification::PrivatePost { post: Post { from, body, .. }, to } => {
            format!("{from} to {to}: {}", body.as_str())
        }
        Notification::Moderated { by, group, act, .. } => {
            format!("{by} does in {group}: {}", show_act(act))
        }
        Notification::Deleted { by, from, place, .. } => {
            format!("{by} deletes in {}: a post of {from}", show_place(place))
        }
        Notification::DeletedPost { post, place } => {
            format!("in {}: {}", show_place(place), show_deleted(post))
        }
        Notification::Operated { by, act, .. } => format!("{by} does: {}", show_operation(act)),
        Notification::CaughtUp { .. } => "caught up".to_owned(),
        Notification::Closing(reason) => format!("closing: {}", show_reason(*reason)),
        other => View::plain().notification(other, None).unwrap_or_default(),
    }
}

fn show_reason(reason: CloseReason) -> String {
    match reason {
        CloseReason::Misbehaved(how) => format!("{how:?}"),
        other => format!("{other:?}"),
    }
}
