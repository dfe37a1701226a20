//! Serves what needs a password: coming in under a registered name, registering one, changing the
//! password, giving the account up.
//!
//! Hashing a password takes long, on purpose. So it is an [`Effect::Check`], whose result comes in
//! as an input. Until then the connection's other requests wait.

use chatroom_proto::{Password, Refusal, UnixMillis, UserName};

use super::conn_state::{ConnState, PasswordRequest, PendingAuth, PendingLogin, Phase};
use super::digest;
use super::domain::Chat;
use super::effect::{Channel, Check, Checked, Claim, Effect};
use super::entry::{Address, Command, ConnectionId, DeviceId, RequestId, TokenDigest};

impl Chat {
    /// Has the password of a login checked. A name that nobody has registered takes as long as a
    /// password that is wrong.
    pub(super) fn log_in_with_password(
        &mut self,
        request: RequestId,
        (pending, channel): (PendingLogin, Channel),
        (name, password, fresh, address): (UserName, Password, TokenDigest, Address),
        out: &mut Vec<Effect>,
    ) {
        let RequestId { connection, tag } = request;
        let (hash, since) =
            self.state.password(&name).map(|(hash, since)| (hash.clone(), since)).unzip();
        let mut conn = ConnState::new(Phase::LoggingIn(Box::new(pending)), channel);
        let claimed = Some(Claim { password, hash });
        let check = Check { name: name.clone(), person: None, address, claimed, new: None };
        conn.set_auth(PendingAuth::LogIn { name, password: since, fresh, address });
        self.conns.insert(connection, conn);
        out.push(Effect::Check { connection, tag, check });
    }

    /// Has the password checked that somebody who is here says with a request.
    pub(super) fn ask_with_password(
        &mut self,
        (id, by): (RequestId, DeviceId),
        request: PasswordRequest,
        out: &mut Vec<Effect>,
    ) {
        let RequestId { connection, tag } = id;
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        let Some(device) = self.state.device(by) else { return };
        let mut reply = |result| out.push(Effect::Reply { connection, tag, result });
        if !conn.channel.is_private() {
            return reply(Err(Refusal::PasswordInTheOpen));
        }
        let (hash, since) =
            self.state.password(&device.name).map(|(hash, since)| (hash.clone(), since)).unzip();
        let claim = |password| Some(Claim { password, hash: hash.clone() });
        let (auth, claimed, new) = match request {
            PasswordRequest::Register { password } => {
                if let Some(result) = self.state.may_be_registered(by, tag) {
                    return reply(result);
                }
                (PendingAuth::Register, None, Some(password))
            }
            PasswordRequest::ChangePassword { old, new, token } => {
                (PendingAuth::ChangePassword { old: since, token }, claim(old), Some(new))
            }
            PasswordRequest::Unregister { password } => {
                (PendingAuth::Unregister { password: since }, claim(password), None)
            }
        };
        conn.is_reading = true;
        conn.set_auth(auth);
        let (name, address) = (device.name.clone(), device.address);
        let check = Check { name, person: Some(device.person), address, claimed, new };
        out.push(Effect::Check { connection, tag, check });
    }

    /// Takes in whether a password is right.
    pub(super) fn checked(
        &mut self,
        request: RequestId,
        checked: Checked,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let RequestId { connection, tag } = request;
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        conn.is_reading = false;
        let Some(auth) = conn.take_auth() else { return };
        let is_logging_in = matches!(conn.phase, Phase::LoggingIn(_));
        match self.granted(connection, auth, checked) {
            Ok(command) => {
                let proposal = self.proposal(Some(self.origin(request)), now, command);
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

    /// The command that a request with a password comes to.
    fn granted(
        &mut self,
        connection: ConnectionId,
        auth: PendingAuth,
        checked: Checked,
    ) -> Result<Command, Refusal> {
        let conn = self.conns.get_mut(&connection);
        let by = conn.as_ref().and_then(|conn| match conn.phase {
            Phase::In(by) => Some(by),
            Phase::LoggingIn(_) => None,
        });
        let name = match &auth {
            PendingAuth::LogIn { name, .. } => Some(name.clone()),
            _ => by.and_then(|by| self.state.device(by)).map(|device| device.name.clone()),
        };
        let (Some(conn), Some(name)) = (conn, name) else { return Err(Refusal::SessionEnded) };
        let hash = match checked {
            Checked::Right(hash) => hash,
            Checked::Later { retry_after_ms } => {
                return Err(Refusal::TooManyTries { retry_after_ms });
            }
            Checked::Wrong => {
                let is_registered = match &auth {
                    PendingAuth::LogIn { password: since, .. }
                    | PendingAuth::ChangePassword { old: since, .. }
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
            (PendingAuth::ChangePassword { old: Some(old), token }, Some(by), Some(new)) => {
                let fresh = digest::of_token(&token, &name);
                conn.set_auth(PendingAuth::Change { token });
                Command::ChangePassword { by, old, new, fresh }
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
