//! Serves what comes over a connection: the first frame, and then one request after the other, each
//! in its turn. What can be answered or refused at once is. What has to be looked up is read from
//! the archive. Everything else becomes a proposal.

use chatroom_proto::{
    CloseReason, Conversation, GroupName, Misbehaviour, PAGE_ITEMS_MAX, Proof, Refusal, Request,
    Response, Retention, SearchQuery, Seq, UnixMillis, VersionRange,
};

use super::conn_state::{ConnState, PasswordRequest, PendingLogin, Phase, Queued};
use super::digest;
use super::domain::Chat;
use super::effect::{Effect, LoginRequest, Query, Read};
use super::entry::{Command, DeviceId, RequestId};

impl Chat {
    /// Serves the first frame.
    pub(super) fn log_in(&mut self, login: LoginRequest, now: UnixMillis, out: &mut Vec<Effect>) {
        let LoginRequest { connection, tag, hello, presented, fresh, address, channel } = login;
        let request = RequestId { connection, tag };
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
                let pending =
                    PendingLogin { version, old: None, fresh: fresh.token, seen: hello.seen };
                let by = (hello.name, password, fresh.digest, address);
                return self.log_in_with_password(request, (pending, channel), by, out);
            }
        };
        let arrive = Command::Arrive { name: hello.name, presented, fresh: fresh.digest, address };
        let proposal = self.proposal(Some(self.origin(request)), now, arrive);
        if let Some(Err(refusal)) = self.state.foresee(&proposal) {
            return refuse(refusal, out);
        }
        let pending = PendingLogin { version, old, fresh: fresh.token, seen: hello.seen };
        let phase = Phase::LoggingIn(Box::new(pending));
        self.conns.insert(connection, ConnState::new(phase, channel));
        self.send(proposal, out);
    }

    /// Serves a request, or lets it wait behind others and until it can be settled.
    pub(super) fn take(
        &mut self,
        request: RequestId,
        queued: Queued,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get_mut(&request.connection) else { return };
        if conn.must_wait(&queued) {
            conn.wait(request.tag, queued);
            self.load += 1;
        } else {
            self.serve(request, queued, now, out);
        }
    }

    /// Serves one request whose turn it is.
    pub(super) fn serve(
        &mut self,
        id: RequestId,
        queued: Queued,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        match queued {
            Queued::Serve(request) => self.ask(id, request, now, out),
            Queued::Refuse(refusal) => reply(id, Err(refusal), out),
        }
    }

    /// Answers a request, or turns it into what answers it later.
    fn ask(&mut self, from: RequestId, request: Request, now: UnixMillis, out: &mut Vec<Effect>) {
        let Some(conn) = self.conns.get(&from.connection) else { return };
        let Phase::In(by) = conn.phase else { return };
        let is_idle = conn.under_way == 0;
        let command = match request {
            Request::Hello(_) => {
                let reason = Some(CloseReason::Misbehaved(Misbehaviour::HelloAgain));
                return out.push(Effect::HangUp { connection: from.connection, reason });
            }
            Request::Ping => return reply(from, Ok(Response::Pong), out),
            Request::Groups { after } => {
                let (groups, next) = self.state.groups(after);
                return reply(from, Ok(Response::Groups { groups, next }), out);
            }
            Request::Users { after } => {
                let (users, next) = self.state.users(after);
                return reply(from, Ok(Response::Users { users, next }), out);
            }
            Request::Why { group, user } => {
                return reply(from, self.state.acts(by, &group, user.as_ref()), out);
            }
            Request::About { group } => return reply(from, self.state.about(by, &group, now), out),
            Request::Clients { after } => {
                return reply(from, self.state.client_infos(by, after), out);
            }
            Request::ServerBans { after } => {
                return reply(from, self.state.server_bans(by, after, now), out);
            }
            Request::History { of, before, count } => {
                let read = self.history(by, &of, before, count);
                return self.look_up(from, read, out);
            }
            Request::Search { words, within, before, count } => {
                let read = self.search(by, words, within.as_ref(), before, count);
                return self.look_up(from, read, out);
            }
            Request::Register { password } => {
                let request = PasswordRequest::Register { password };
                return self.ask_with_password(from, by, request, out);
            }
            Request::ChangePassword { old, new } => {
                let request = PasswordRequest::ChangePassword { old, new };
                return self.ask_with_password(from, by, request, out);
            }
            Request::Unregister { password } => {
                let request = PasswordRequest::Unregister { password };
                return self.ask_with_password(from, by, request, out);
            }
            Request::Claim { code } => Command::Claim { by, digest: digest::of(&code.0) },
            Request::Operate { act } => Command::Operate { by, act },
            Request::Exit => Command::Depart { device: by },
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
        let proposal = self.proposal(Some(self.origin(from)), now, command);
        // With commands under way nobody knows yet what this one will meet; the log decides.
        if is_idle && let Some(result) = self.state.foresee(&proposal) {
            return reply(from, result, out);
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
        let conversation = self.state.conversation(by, of)?;
        self.read(by, Query::History(conversation), before, count)
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

    fn look_up(&mut self, id: RequestId, read: Result<Read, Refusal>, out: &mut Vec<Effect>) {
        let RequestId { connection, tag } = id;
        match read {
            Ok(read) => {
                if let Some(conn) = self.conns.get_mut(&connection) {
                    conn.is_reading = true;
                }
                out.push(Effect::Read { connection, tag, read });
            }
            Err(refusal) => reply(id, Err(refusal), out),
        }
    }
}

fn reply(to: RequestId, result: Result<Response, Refusal>, out: &mut Vec<Effect>) {
    let RequestId { connection, tag } = to;
    out.push(Effect::Reply { connection, tag, result });
}

#[cfg(test)]
mod tests;
