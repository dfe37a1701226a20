//! What comes over a connection: the first words, and one request after the other, each in its
//! turn. What can be answered or refused at once is, what has to be looked up is, and everything
//! else becomes a proposal.

use chatroom_proto::{
    CloseReason, Conversation, GroupName, Misbehaviour, PAGE_ITEMS_MAX, Proof, Refusal, Request,
    Response, Retention, SearchQuery, Seq, Tag, UnixMillis, VersionRange,
};

use super::Chat;
use super::conn_state::{ConnState, PendingLogin, Phase, Queued};
use super::effect::{Effect, LoginRequest, Query, Read};
use super::entry::{Command, ConnectionId, DeviceId};
use crate::chat::digest;

impl Chat {
    /// Somebody says the first words.
    pub(super) fn log_in(&mut self, arrival: LoginRequest, now: UnixMillis, out: &mut Vec<Effect>) {
        let LoginRequest { connection, tag, hello, presented, fresh, address, channel } = arrival;
        let refuse = |refusal, out: &mut Vec<Effect>| {
            out.push(Effect::Reply { connection, tag, result: Err(refusal) });
            out.push(Effect::HangUp { connection, reason: None });
        };
        let Some(version) = hello.versions.newest_common(VersionRange::SPOKEN) else {
            return refuse(Refusal::UnsupportedVersion { server: VersionRange::SPOKEN }, out);
        };
        let old = match hello.proof {
            Proof::Open => None,
            Proof::Resume(token) => Some(token),
            Proof::Password(_) if !channel.is_private() => {
                return refuse(Refusal::PasswordInTheOpen, out);
            }
            Proof::Password(password) => {
                if let Err(refusal) = self.state.may_try_password(&hello.name, address, now) {
                    return refuse(refusal, out);
                }
                let log_in =
                    PendingLogin { version, old: None, fresh: fresh.token, seen: hello.seen };
                let by = (hello.name, password, fresh.digest, address);
                return self.log_in_with_password((connection, tag), (log_in, channel), by, out);
            }
        };
        let arrive = Command::Arrive { name: hello.name, presented, fresh: fresh.digest, address };
        let proposal = self.proposal(Some(self.origin(connection, tag)), now, arrive);
        if let Some(Err(refusal)) = self.state.foresee(&proposal) {
            return refuse(refusal, out);
        }
        let log_in = PendingLogin { version, old, fresh: fresh.token, seen: hello.seen };
        let stage = Phase::LoggingIn(Box::new(log_in));
        self.conns.insert(connection, ConnState::new(stage, channel));
        self.send(proposal, out);
    }

    /// What comes when others wait, or before it can be settled, waits.
    pub(super) fn take(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        turn: Queued,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        if conn.must_wait(&turn) {
            conn.wait(tag, turn);
            self.load += 1;
        } else {
            self.settle_turn(connection, tag, turn, now, out);
        }
    }

    pub(super) fn settle_turn(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        turn: Queued,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        match turn {
            Queued::Serve(request) => self.ask(connection, tag, request, now, out),
            Queued::Refuse(refusal) => {
                out.push(Effect::Reply { connection, tag, result: Err(refusal) })
            }
        }
    }

    /// Serves one request whose turn it is.
    pub(super) fn ask(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        request: Request,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get(&connection) else { return };
        let Phase::In(by) = conn.stage else { return };
        let idle = conn.under_way == 0;
        let mut reply = |result| out.push(Effect::Reply { connection, tag, result });
        let command = match request {
            Request::Hello(_) => {
                let reason = Some(CloseReason::Misbehaved(Misbehaviour::HelloAgain));
                return out.push(Effect::HangUp { connection, reason });
            }
            Request::Ping => return reply(Ok(Response::Pong)),
            Request::Groups { after } => {
                let (groups, next) = self.state.groups(after);
                return reply(Ok(Response::Groups { groups, next }));
            }
            Request::Users { after } => {
                let (users, next) = self.state.users(after);
                return reply(Ok(Response::Users { users, next }));
            }
            Request::History { of, before, count } => {
                let read = self.history(by, &of, before, count);
                return self.look_up(connection, tag, read, out);
            }
            Request::Search { words, within, before, count } => {
                let read = self.search(by, words, within.as_ref(), before, count);
                return self.look_up(connection, tag, read, out);
            }
            Request::Register { .. }
            | Request::ChangePassword { .. }
            | Request::Unregister { .. } => {
                return self.ask_with_password((connection, tag), by, request, out);
            }
            Request::Why { group, user } => {
                return reply(self.state.acts(by, &group, user.as_ref()));
            }
            Request::About { group } => return reply(self.state.about(by, &group, now)),
            Request::Clients { after } => return reply(self.state.visitors(by, after)),
            Request::ServerBans { after } => return reply(self.state.server_bans(by, after, now)),
            Request::Claim { code } => Command::Claim { by, digest: digest::of(&code.0) },
            Request::Operate { act } => Command::Operate { by, act },
            Request::Exit => Command::Depart { session: by },
            Request::Create { group } => Command::Create { by, group },
            Request::Join { group } => Command::Join { by, group },
            Request::Leave { group } => Command::Leave { by, group },
            Request::Public { group, id, body } => {
                Command::Post { by, to: Conversation::Group(group), id, body }
            }
            Request::Private { to, id, body } => {
                Command::Post { by, to: Conversation::User(to), id, body }
            }
            Request::Moderate { group, act } => Command::Moderate { by, group, act },
        };
        let proposal = self.proposal(Some(self.origin(connection, tag)), now, command);
        // With commands under way nobody knows yet what this one will meet; the log decides.
        if idle && let Some(result) = self.state.foresee(&proposal) {
            return reply(result);
        }
        self.send(proposal, out);
    }

    /// What to look up of one conversation, if the asker may.
    fn history(
        &self,
        by: DeviceId,
        of: &Conversation,
        before: Seq,
        count: u16,
    ) -> Result<Read, Refusal> {
        let thread = self.state.thread(by, of)?;
        self.read(by, Query::History(thread), before, count)
    }

    /// What to look for where the asker may read.
    fn search(
        &self,
        by: DeviceId,
        words: SearchQuery,
        within: Option<&GroupName>,
        before: Seq,
        count: u16,
    ) -> Result<Read, Refusal> {
        let (groups, in_private) = self.state.readable(by, within)?;
        self.read(by, Query::Search { words, groups, in_private }, before, count)
    }

    fn read(&self, by: DeviceId, query: Query, before: Seq, count: u16) -> Result<Read, Refusal> {
        let reader = self.state.person(by);
        if self.state.limits().retention == Retention::Nothing {
            return Err(Refusal::NothingKept);
        }
        let count = usize::from(count).clamp(1, PAGE_ITEMS_MAX);
        let before = if before == Seq::ZERO { Seq(u64::MAX) } else { before };
        Ok(Read { reader, query, before, count, head: self.state.head() })
    }

    fn look_up(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        read: Result<Read, Refusal>,
        out: &mut Vec<Effect>,
    ) {
        match read {
            Ok(read) => {
                if let Some(conn) = self.conns.get_mut(&connection) {
                    conn.is_reading = true;
                }
                out.push(Effect::Read { connection, tag, read });
            }
            Err(refusal) => out.push(Effect::Reply { connection, tag, result: Err(refusal) }),
        }
    }
}
