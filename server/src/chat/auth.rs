//! What needs a password: to come in under a registered name, to register one, to change the
//! password, to give the account up. Whether a password is right takes long to find out, on
//! purpose, so it is an [`Effect::Check`] whose answer comes in as an input; until then the
//! connection's other requests wait.

use chatroom_proto::{Password, Refusal, Request, Tag, UnixMillis, UserName};

use super::Chat;
use super::conn_state::{ConnState, PendingAuth, PendingLogin, Phase};
use super::effect::{Channel, Check, Checked, Claim, Credential, Effect};
use super::entry::{Address, Command, ConnectionId, DeviceId, TokenDigest};

impl Chat {
    /// Somebody says the password of a name. That nobody has registered it takes as long to find
    /// out as that the password is wrong.
    pub(super) fn log_in_with_password(
        &mut self,
        (connection, tag): (ConnectionId, Tag),
        (log_in, channel): (PendingLogin, Channel),
        (name, password, fresh, address): (UserName, Password, TokenDigest, Address),
        out: &mut Vec<Effect>,
    ) {
        let (hash, since) =
            self.state.password(&name).map(|(hash, since)| (hash.clone(), since)).unzip();
        let mut conn = ConnState::new(Phase::LoggingIn(Box::new(log_in)), channel);
        let claimed = Some(Claim { password, hash });
        let check = Check { name: name.clone(), person: None, address, claimed, new: None };
        conn.wishes(PendingAuth::LogIn { name, password: since, fresh, address });
        self.conns.insert(connection, conn);
        out.push(Effect::Check { connection, tag, check });
    }

    /// Somebody who is here asks for what needs a password.
    pub(super) fn ask_with_password(
        &mut self,
        (connection, tag): (ConnectionId, Tag),
        by: DeviceId,
        request: Request,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        let Some(session) = self.state.session(by) else { return };
        let mut reply = |result| out.push(Effect::Reply { connection, tag, result });
        if !conn.channel.is_private() {
            return reply(Err(Refusal::PasswordInTheOpen));
        }
        let (hash, since) =
            self.state.password(&session.name).map(|(hash, since)| (hash.clone(), since)).unzip();
        let claim = |password| Some(Claim { password, hash: hash.clone() });
        let (auth, claimed, new) = match request {
            Request::Register { password } => {
                if let Some(result) = self.state.may_be_registered(by, tag) {
                    return reply(result);
                }
                (PendingAuth::Register, None, Some(password))
            }
            Request::ChangePassword { old, new } => {
                (PendingAuth::ChangePassword { old: since }, claim(old), Some(new))
            }
            Request::Unregister { password } => {
                (PendingAuth::Unregister { password: since }, claim(password), None)
            }
            _ => return,
        };
        conn.is_reading = true;
        conn.wishes(auth);
        let (name, address) = (session.name.clone(), session.address);
        let check = Check { name, person: Some(session.person), address, claimed, new };
        out.push(Effect::Check { connection, tag, check });
    }

    /// It was found out whether a password is right.
    pub(super) fn checked(
        &mut self,
        (connection, tag): (ConnectionId, Tag),
        checked: Checked,
        fresh: Credential,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        conn.is_reading = false;
        let Some(auth) = conn.take_auth() else { return };
        let is_logging_in = matches!(conn.stage, Phase::LoggingIn(_));
        match self.granted(connection, auth, checked, fresh) {
            Ok(command) => {
                let proposal = self.proposal(Some(self.origin(connection, tag)), now, command);
                self.send(proposal, out);
            }
            Err(refusal) => {
                out.push(Effect::Reply { connection, tag, result: Err(refusal) });
                if is_logging_in {
                    self.turn_away(connection, out);
                }
            }
        }
    }

    /// The command that a wish comes to.
    fn granted(
        &mut self,
        connection: ConnectionId,
        auth: PendingAuth,
        checked: Checked,
        fresh: Credential,
    ) -> Result<Command, Refusal> {
        let conn = self.conns.get_mut(&connection);
        let by = conn.as_ref().and_then(|conn| match conn.stage {
            Phase::In(by) => Some(by),
            Phase::LoggingIn(_) => None,
        });
        let name = match &auth {
            PendingAuth::LogIn { name, .. } => Some(name.clone()),
            _ => by.and_then(|by| self.state.session(by)).map(|session| session.name.clone()),
        };
        let (Some(conn), Some(name)) = (conn, name) else { return Err(Refusal::TookTooLong) };
        let hash = match checked {
            Checked::Right(hash) => hash,
            Checked::Later { retry_after_ms } => {
                return Err(Refusal::TooManyTries { retry_after_ms });
            }
            Checked::Wrong => {
                let is_registered = match &auth {
                    PendingAuth::LogIn { password: since, .. }
                    | PendingAuth::ChangePassword { old: since }
                    | PendingAuth::Unregister { password: since } => since.is_some(),
                    PendingAuth::Register | PendingAuth::Change { .. } => true,
                };
                return Err(if is_registered {
                    Refusal::WrongPassword { name }
                } else {
                    Refusal::NotRegistered { name }
                });
            }
        };
        let command = match (auth, by, hash) {
            (PendingAuth::LogIn { name, password: Some(password), fresh, address }, None, _) => {
                Command::LogIn { name, password, fresh, address }
            }
            (PendingAuth::Register, Some(by), Some(password)) => Command::Register { by, password },
            (PendingAuth::ChangePassword { old: Some(old) }, Some(by), Some(new)) => {
                conn.wishes(PendingAuth::Change { token: fresh.token });
                Command::ChangePassword { by, old, new, fresh: fresh.digest }
            }
            (PendingAuth::Unregister { password: Some(password) }, Some(by), _) => {
                Command::Unregister { by, password }
            }
            // What matches needs an account, and a new password a hash: this does not come.
            _ => return Err(Refusal::NotRegistered { name }),
        };
        Ok(command)
    }
}
