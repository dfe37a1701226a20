//! What happens in the chat: the sentences of the assignment's Figure 1, and their like.

use chatroom_proto::{
    Body, GroupName, Notification, Post, Request, Response, UnixMillis, UserName, Welcome,
};

use super::harmless::harmless;
use super::paint::Kind;
use super::text::{CONTINUATION, Layout, View};
use crate::app::mention::mentions;

/// The most lines of one message that are shown to people: any paste of a usual screen and a half;
/// and nobody can scroll away what others said with a message of nothing but line ends.
const MESSAGE_LINES_MAX: usize = 40;

impl View {
    /// The client was let in.
    pub fn welcome(self, welcome: &Welcome) -> String {
        let mut lines = vec![self.system("Connected to the server!")];
        for membership in welcome.groups.as_slice() {
            lines.push(self.system(format!("You joined the room '{}'", membership.group)));
        }
        lines.join("\n")
    }

    /// The server said something unasked; `me` is the reader, who may be meant. Nothing for what is
    /// the link's business.
    pub fn notification(
        self,
        notification: &Notification,
        me: Option<&UserName>,
    ) -> Option<String> {
        Some(match notification {
            Notification::Arrived { user, group, .. } => {
                self.system(format!("{user} joined the room '{group}'"))
            }
            Notification::Departed { user, .. } => {
                self.system(format!("{user} has left the chat."))
            }
            Notification::Joined { user, group, .. } => {
                self.system(format!("{user} has joined in group chat '{group}'."))
            }
            Notification::Left { user, group, .. } => {
                self.system(format!("{user} has left group chat '{group}'."))
            }
            Notification::GroupPost { post, group } => self.group_post(post, group, me),
            Notification::PrivatePost { post, .. } => self.private_post(post, me),
            Notification::Moderated { by, group, act, .. } => self.moderated(by, group, act, me),
            Notification::Operated { by, act, .. } => self.operated(by, act),
            Notification::TopicIs { group, headline } => self.topic_is(group, headline),
            Notification::PassedOn { group, to, .. } => self.passed_on(group, to, me),
            Notification::Deleted { by, from, place, .. } => self.deleted(by, from, place, me),
            Notification::DeletedPost { post, place } => self.deleted_post(post, place),
            Notification::Ping | Notification::Closing(_) | Notification::CaughtUp { .. } => {
                return None;
            }
        })
    }

    /// A request of this reader was granted. Nothing for what shows itself, and for the lists that
    /// are shown when all of their pages are here: see [`View::groups`], [`View::users`],
    /// [`View::history`] and [`View::found`].
    pub fn answer(
        self,
        request: &Request,
        response: &Response,
        me: &UserName,
        now: UnixMillis,
    ) -> Option<String> {
        Some(match response {
            Response::Welcome(welcome) => self.welcome(welcome),
            Response::WelcomeInLife { welcome, .. } => self.welcome(welcome),
            Response::Created { group, .. } => {
                self.system(format!("New group chat with name '{group}' has created successfully!"))
            }
            Response::Joined { membership, .. } => self.system(format!(
                "You have joined in group chat '{}' successfully!",
                membership.group
            )),
            Response::Left { group, .. } => {
                self.system(format!("You have left group chat '{group}' successfully!"))
            }
            Response::Kept { to, .. } => self.system(format!(
                "{to} is away. Your message is kept, and shown when {to} is back."
            )),
            Response::Registered { .. } => self.system(
                "The name is yours now. From another place, it needs the password; from here you \
                 are recognized.",
            ),
            Response::PasswordChanged { .. } => {
                self.system("The password is changed. Your other devices need the new one.")
            }
            Response::Unregistered { .. } => self.system("The name is given up. Goodbye."),
            Response::About(about) => self.about(about),
            Response::Who(who) => self.who(who, me, now),
            Response::Moderated { group, .. } => return self.you_moderated(request, group),
            Response::Acts { group, acts } => {
                return self.acts(request, group, acts.as_slice(), now);
            }
            Response::Operated { .. } => return self.you_operated(request, me),
            Response::Deleted { .. } => self.system("The message is removed."),
            Response::Clients { clients, .. } => self.clients(request, clients.as_slice()),
            Response::ServerBans { bans, .. } => self.server_bans(request, bans.as_slice(), now),
            Response::Groups { .. }
            | Response::Users { .. }
            | Response::Past { .. }
            | Response::PastWithDeleted { .. }
            | Response::Posted { .. }
            | Response::Goodbye
            | Response::Pong => return None,
        })
    }

    /// All groups.
    pub fn groups(self, groups: &[GroupName]) -> String {
        self.list("available groups:", groups.iter().map(GroupName::as_str))
    }

    /// Everybody who is there.
    pub fn users(self, users: &[UserName]) -> String {
        self.list("online users:", users.iter().map(UserName::as_str))
    }

    /// `me` reads it: their name in it is not to be overlooked.
    pub(super) fn group_post(
        self,
        post: &Post,
        group: &GroupName,
        me: Option<&UserName>,
    ) -> String {
        let head =
            self.paint.paint(Kind::Name, harmless(&format!("In group {group}, {}:", post.from)));
        format!("{head} {}", self.body(&post.body, me))
    }

    pub(super) fn private_post(self, post: &Post, me: Option<&UserName>) -> String {
        let head = self
            .paint
            .paint(Kind::Private, harmless(&format!("Private message from {}:", post.from)));
        format!("{head} {}", self.body(&post.body, me))
    }

    pub(super) fn body(self, body: &Body, me: Option<&UserName>) -> String {
        let lines = body.as_str().split('\n').map(harmless);
        if self.layout == Layout::Lines {
            return lines.collect::<Vec<_>>().join(r"\n");
        }
        let mut lines: Vec<_> = lines.map(|line| self.words(&line, me)).collect();
        let more = lines.len().saturating_sub(MESSAGE_LINES_MAX);
        if more > 0 {
            lines.truncate(MESSAGE_LINES_MAX);
            let lines_are = if more == 1 { "line is" } else { "lines are" };
            lines.push(self.hint(format!("[{more} more {lines_are} not shown]")));
        }
        lines.join(&format!("\n{CONTINUATION}"))
    }

    /// A line of a message, with its reader's name in another tone.
    fn words(self, line: &str, me: Option<&UserName>) -> String {
        // Without colours there is no other tone, and nothing to look for.
        let Some(me) = me.filter(|_| self.paint.colours) else {
            return self.paint.paint(Kind::Words, line);
        };
        let (mut text, mut shown) = (String::new(), 0);
        for name in mentions(line, me) {
            text += &self.paint.paint(Kind::Words, &line[shown..name.start]);
            text += &self.paint.paint(Kind::OwnName, &line[name.clone()]);
            shown = name.end;
        }
        text + &self.paint.paint(Kind::Words, &line[shown..])
    }
}
