//! Serves what comes over a connection: the first frame, and then one request after the other, each
//! in its turn. What can be answered or refused at once is. What has to be looked up is read from
//! the archive. Everything else becomes a proposal.

use chatroom_proto::{
    CloseReason, Conversation, GroupName, Misbehaviour, Moderation, PAGE_ITEMS_MAX, Proof, Refusal,
    Request, Response, Retention, SearchQuery, Seq, UnixMillis, VersionRange,
};

use super::conn_state::{ConnState, PasswordRequest, PendingLogin, Phase, Queued};
use super::digest;
use super::domain::Chat;
use super::effect::{Deletion, Effect, LoginRequest, Query, Read, StoredPost};
use super::entry::{Command, DeviceId, RequestId};

impl Chat {
    /// Serves the first frame.
    pub(super) fn log_in(&mut self, login: LoginRequest, now: UnixMillis, out: &mut Vec<Effect>) {
        let LoginRequest { connection, tag, hello, lives, presented, session, address, channel } =
            login;
        let request = RequestId { connection, tag };
        let refuse = |refusal, out: &mut Vec<Effect>| {
            out.push(Effect::Reply { connection, tag, result: Err(refusal) });
            out.push(Effect::HangUp { connection, reason: None });
        };
        let Some(version) = hello.versions.newest_common(VersionRange::OF_SERVERS) else {
            return refuse(Refusal::UnsupportedVersion { server: VersionRange::OF_SERVERS }, out);
        };
        let pending = PendingLogin { version, token: session.token, seen: hello.seen, lives };
        match hello.proof {
            Proof::Open | Proof::Resume(_) => {}
            Proof::Password(_) if !channel.is_private() => {
                return refuse(Refusal::PasswordInTheOpen, out);
            }
            Proof::Password(password) => {
                if let Err(refusal) = self.state.may_try_password(&hello.name, address, now) {
                    return refuse(refusal, out);
                }
                let by = (hello.name, password, session.digest, address);
                return self.log_in_with_password(request, (pending, channel), by, out);
            }
        }
        let presented =
            presented.map(
                |[digest, older]| {
                    if self.state.knows(&hello.name, older) { older } else { digest }
                },
            );
        let fresh = session.digest;
        let arrive = Command::Arrive { name: hello.name, presented, fresh, address };
        let proposal = self.proposal(Some(self.origin(request)), now, arrive);
        if let Some(Err(refusal)) = self.state.foresee(&proposal) {
            return refuse(refusal, out);
        }
        if let Some(refusal) = self.state.breaks_new_rule(&proposal) {
            return refuse(refusal, out);
        }
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

    /// Answers a request, or proposes the command that it asks for.
    fn ask(&mut self, from: RequestId, request: Request, now: UnixMillis, out: &mut Vec<Effect>) {
        let Some(conn) = self.conns.get(&from.connection) else { return };
        let Phase::In(by) = conn.phase else { return };
        let is_idle = conn.under_way == 0;
        let Some(command) = self.command_or_answer((from, by), request, now, out) else { return };
        let proposal = self.proposal(Some(self.origin(from)), now, command);
        // With commands under way nobody knows yet what this one will meet; the log decides.
        if is_idle && let Some(result) = self.state.foresee(&proposal) {
            return reply(from, result, out);
        }
        match self.state.breaks_new_rule(&proposal) {
            Some(refusal) => self.refuse_in_turn(from, refusal, out),
            None => self.send(proposal, out),
        }
    }

    /// Refuses what would have gone to the log behind commands that are still on their way: the
    /// answer waits for theirs.
    fn refuse_in_turn(&mut self, from: RequestId, refusal: Refusal, out: &mut Vec<Effect>) {
        let Some(conn) = self.conns.get_mut(&from.connection) else { return };
        if conn.under_way > 0 {
            conn.wait_first(from.tag, Queued::Refuse(refusal));
            self.load += 1;
        } else {
            reply(from, Err(refusal), out);
        }
    }

    /// The command that a request asks for. What asks for none is answered, or what answers it is
    /// looked for.
    fn command_or_answer(
        &mut self,
        (from, by): (RequestId, DeviceId),
        request: Request,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) -> Option<Command> {
        match request {
            Request::Hello(_) | Request::ComeBack { .. } => {
                hang_up(from, Misbehaviour::HelloAgain, out);
            }
            Request::Ping => reply(from, Ok(Response::Pong), out),
            Request::Groups { after } => reply(from, Ok(self.state.groups(after)), out),
            Request::Users { after } => reply(from, Ok(self.state.users(after)), out),
            Request::Why { group, user } => {
                reply(from, self.state.acts(by, &group, user.as_ref()), out);
            }
            Request::About { group } => reply(from, self.state.about(by, &group, now), out),
            Request::Who { user } => reply(from, self.state.who(by, &user), out),
            Request::Clients { after } => reply(from, self.state.client_infos(by, after), out),
            Request::ServerBans { after } => {
                reply(from, self.state.server_bans(by, after, now), out);
            }
            Request::History { of, before, count } => {
                self.look_up(from, self.history(by, &of, before, count), out);
            }
            Request::Search { words, within, before, count } => {
                let read = self.search(by, words, within.as_ref(), before, count);
                self.look_up(from, read, out);
            }
            Request::Register { password } => {
                self.ask_with_password((from, by), PasswordRequest::Register { password }, out);
            }
            // Its connection has put a token to it.
            Request::ChangePassword { .. } => reply(from, Err(Refusal::Unavailable), out),
            Request::ChangePasswordAndToken { old, new, token } => {
                let change = PasswordRequest::ChangePassword { old, new, token };
                self.ask_with_password((from, by), change, out);
            }
            Request::Unregister { password } => {
                self.ask_with_password((from, by), PasswordRequest::Unregister { password }, out);
            }
            Request::Claim { code } => {
                return Some(Command::Claim { by, digest: digest::of(&code.0) });
            }
            Request::Operate { act } => {
                let act = self.state.resolved(act, now);
                return Some(Command::Operate { by, act });
            }
            Request::Exit => return Some(Command::Depart { device: by }),
            Request::Create { group } => return Some(Command::Create { by, group }),
            Request::Join { group } => return Some(Command::Join { by, group }),
            Request::Leave { group } => return Some(Command::Leave { by, group }),
            Request::Public { group, id, body } => {
                return Some(Command::Post { by, to: Conversation::Group(group), id, body });
            }
            Request::Private { to, id, body } => {
                return Some(Command::Post { by, to: Conversation::User(to), id, body });
            }
            Request::Delete { post }
            | Request::Moderate { act: Moderation::Delete { post, .. }, .. } => {
                self.find((from, by), post, out);
            }
            Request::Moderate { group, act } => return Some(Command::Moderate { by, group, act }),
        }
        None
    }

    /// Has the post found that is to be deleted: only the archive knows who said it, and where.
    fn find(&mut self, (id, by): (RequestId, DeviceId), post: Seq, out: &mut Vec<Effect>) {
        let RequestId { connection, tag } = id;
        if let Some(first) = self.state.deleted_before(by, tag) {
            return reply(id, first, out);
        }
        if self.state.limits().retention == Retention::Nothing {
            return reply(id, Err(Refusal::NothingKept), out);
        }
        if let Some(conn) = self.conns.get_mut(&connection) {
            conn.is_reading = true;
        }
        out.push(Effect::Find { connection, tag, post, head: self.state.head() });
    }

    /// Takes in what was found of the post that is to be deleted, and proposes it.
    pub(super) fn found_post(
        &mut self,
        id: RequestId,
        found: Result<StoredPost, Refusal>,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get_mut(&id.connection) else { return };
        conn.is_reading = false;
        let Phase::In(by) = conn.phase else { return };
        let may = found.and_then(|found| {
            let post = found.reference();
            self.state.may_delete(by, &post)?;
            match found.deletion {
                Some(Deletion { by, .. }) => {
                    Err(Refusal::AlreadyDeleted { post: found.post.seq, by })
                }
                None => Ok(post),
            }
        });
        match may {
            Ok(post) => {
                let command = Command::Delete { by, post };
                let proposal = self.proposal(Some(self.origin(id)), now, command);
                self.send(proposal, out);
            }
            Err(refusal) => reply(id, Err(refusal), out),
        }
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
        let count = usize::from(count).min(PAGE_ITEMS_MAX);
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

fn hang_up(on: RequestId, misbehaviour: Misbehaviour, out: &mut Vec<Effect>) {
    let reason = Some(CloseReason::Misbehaved(misbehaviour));
    out.push(Effect::HangUp { connection: on.connection, reason });
}

fn reply(to: RequestId, result: Result<Response, Refusal>, out: &mut Vec<Effect>) {
    let RequestId { connection, tag } = to;
    out.push(Effect::Reply { connection, tag, result });
}

#[cfg(test)]
mod tests;
