//! Which variants a set of frames shows. A variant that is added to the protocol does not compile
//! here until it is on its list, and no test that asks for [`Seen::missing`] passes until there is
//! a frame with it.

use std::collections::BTreeSet;

use chatroom_proto::codec::{LENGTH_BYTES, encode};
use chatroom_proto::{
    BanTarget, ClientFrame, CloseReason, Conversation, Misbehaviour, Moderation, Notification,
    Operation, Proof, Refusal, Request, Response, Retention, Seq, ServerFrame,
};
use serde::Serialize;

/// A type whose values start with the number of a variant.
trait Variants: Serialize {
    const TYPE: &'static str;
    /// The variants in the order of their numbers.
    const NAMES: &'static [&'static str];
    /// How many bytes the number takes.
    const NUMBER_BYTES: usize;
    fn variant(&self) -> &'static str;
}

/// Makes a list of variants and an exhaustive `match` of the same.
macro_rules! variants {
    ($bytes:literal $name:literal $type:ty: $($variant:ident)+) => {
        impl Variants for $type {
            const TYPE: &'static str = $name;
            const NAMES: &'static [&'static str] = &[$(stringify!($variant)),+];
            const NUMBER_BYTES: usize = $bytes;
            fn variant(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)+
                }
            }
        }
    };
}

variants!(4 "Request" Request:
    Hello Create Join Leave Groups Users Public Private Exit Ping History Search
    Register ChangePassword Unregister Moderate Why About
    Claim Operate Clients ServerBans);
variants!(4 "Proof" Proof: Open Resume Password);
variants!(4 "ServerFrame" ServerFrame: Response Notification);
variants!(4 "Result" Result<Response, Refusal>: Ok Err);
variants!(4 "Response" Response:
    Welcome Created Joined Left Groups Users Posted Goodbye Pong Kept Past Registered
    PasswordChanged Unregistered Moderated Acts About Operated Clients
    ServerBans);
variants!(4 "Refusal" Refusal:
    UnsupportedVersion NameTaken NotRegistered GroupExists NoSuchGroup AlreadyMember NotMember NoSuchUser
    TooManyGroups TooManyMemberships NothingKept TookTooLong PasswordNeeded WrongPassword
    PasswordInTheOpen AlreadyRegistered TooManyAccounts TooManyDevices TooManyTries NameLooksLike GroupLooksLike RateLimited
    NotAllowed OutOfReach NotOneself AlreadySo TooManyMarks Banned Muted InvitationOnly NotOperator WrongCode IsOperator
    NoDifference ServerBanned RegisterFirst);
variants!(4 "Conversation" Conversation: Group User);
variants!(4 "Keeps" Retention: Nothing Days Everything);
variants!(4 "Moderation" Moderation: Kick Ban Unban Mute Unmute Topic Lock Unlock Invite Op Deop);
variants!(4 "Notification" Notification:
    Ping Arrived Departed Joined Left GroupPost PrivatePost Closing CaughtUp Moderated TopicIs PassedOn
    Operated);
variants!(4 "Operation" Operation: Appoint Dismiss Disconnect Ban Unban);
variants!(4 "Whom" BanTarget: User Host);
variants!(4 "CloseReason" CloseReason:
    Shutdown TooSlow Idle HandshakeTimeout ServerFull Replaced Misbehaved Failed PasswordChanged TlsRequired TooManyConnections
    Disconnected);
variants!(4 "Misbehaviour" Misbehaviour: FrameTooLong Malformed HelloExpected HelloAgain Flooding);
variants!(1 "Option" Option<Seq>: None Some);

/// A `bool` is an enum of two in all but name.
impl Variants for bool {
    const TYPE: &'static str = "bool";
    const NAMES: &'static [&'static str] = &["false", "true"];
    const NUMBER_BYTES: usize = 1;
    fn variant(&self) -> &'static str {
        if *self { "true" } else { "false" }
    }
}

/// The variants that were seen, each as its type and its name.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<(&'static str, &'static str)>);

impl Seen {
    /// What no frame has shown so far.
    pub(crate) fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let all = [
            all::<Request>(),
            all::<Proof>(),
            all::<ServerFrame>(),
            all::<Result<Response, Refusal>>(),
            all::<Response>(),
            all::<Refusal>(),
            all::<Conversation>(),
            all::<Retention>(),
            all::<Moderation>(),
            all::<Operation>(),
            all::<BanTarget>(),
            all::<Notification>(),
            all::<CloseReason>(),
            all::<Misbehaviour>(),
            all::<Option<Seq>>(),
            all::<bool>(),
        ];
        all.into_iter().flatten().filter(|variant| !self.0.contains(variant)).collect()
    }

    pub(crate) fn see_client(&mut self, frame: &ClientFrame) {
        self.see(&frame.request);
        match &frame.request {
            Request::Hello(hello) => self.see(&hello.proof),
            Request::History { of, .. } => self.see(of),
            Request::Moderate { act, .. } => self.see(act),
            Request::Operate { act } => {
                self.see(act);
                if let Operation::Ban { whom, .. } = act {
                    self.see(whom);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn see_server(&mut self, frame: &ServerFrame) {
        self.see(frame);
        match frame {
            ServerFrame::Response { result, .. } => {
                self.see(result);
                match result {
                    Ok(response) => self.see_response(response),
                    Err(refusal) => self.see(refusal),
                }
            }
            ServerFrame::Notification(notification) => self.see_notification(notification),
        }
    }

    fn see_response(&mut self, response: &Response) {
        self.see(response);
        match response {
            Response::Welcome(welcome) => {
                self.see(&welcome.resumed);
                self.see(&welcome.retention);
            }
            Response::Past { posts, next } => {
                self.see(next);
                posts.as_slice().iter().for_each(|said| self.see(&said.place));
            }
            Response::Groups { next, .. }
            | Response::Users { next, .. }
            | Response::Clients { next, .. }
            | Response::ServerBans { next, .. } => self.see(next),
            Response::Created { .. }
            | Response::Joined { .. }
            | Response::Left { .. }
            | Response::Posted { .. }
            | Response::Kept { .. }
            | Response::Moderated { .. }
            | Response::Operated { .. }
            | Response::Acts { .. }
            | Response::About(_)
            | Response::Goodbye
            | Response::Pong
            | Response::Registered { .. }
            | Response::PasswordChanged { .. }
            | Response::Unregistered { .. } => {}
        }
    }

    fn see_notification(&mut self, notification: &Notification) {
        self.see(notification);
        if let Notification::Closing(reason) = notification {
            self.see(reason);
            if let CloseReason::Misbehaved(how) = reason {
                self.see(how);
            }
        }
    }

    /// Notes the variant, and that its number on the wire is its place on the list.
    fn see<T: Variants>(&mut self, value: &T) {
        let (name, bytes) =
            (value.variant(), encode(value).expect("a value of the protocol fits a frame"));
        let place =
            T::NAMES.iter().position(|&known| known == name).expect("both come from one list");
        let number = (place as u64).to_le_bytes();
        let on_wire = &bytes[LENGTH_BYTES..LENGTH_BYTES + T::NUMBER_BYTES];
        assert_eq!(on_wire, &number[..T::NUMBER_BYTES], "the number of {}::{name}", T::TYPE);
        self.0.insert((T::TYPE, name));
    }
}

fn all<T: Variants>() -> Vec<(&'static str, &'static str)> {
    T::NAMES.iter().map(|&name| (T::TYPE, name)).collect()
}
