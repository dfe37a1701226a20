//! What the operators of the server do, and what they see.

use chatroom_proto::{
    BanTarget, ClientInfo, NAME_MARK, Operation, Refusal, Request, Seq, ServerBan, UnixMillis,
    UserName,
};

use super::moderation::{because, span};
use super::text::View;

/// How addresses are written, for one who has written none.
pub(super) const ADDRESS_FORMS: &str =
    "Addresses are written so: 192.0.2.1, 192.0.2.0/24, 192.0.2.*, 2001:db8::1, 2001:db8::/32.";

impl View {
    /// An operator of the server did something that concerns this reader.
    pub(super) fn operated(self, by: &UserName, act: &Operation) -> String {
        match act {
            Operation::Dismiss { user } if user.key() == by.key() => {
                self.system("You are no operator of this server any more.")
            }
            act => self.system(sentence(&format!("{by} has"), "you", act)),
        }
    }

    /// This reader did something as an operator of the server, or became one.
    pub(super) fn you_operated(self, request: &Request, me: &UserName) -> Option<String> {
        match request {
            Request::Claim { .. } => Some(self.system(
                "You are an operator of this server now. To see what you can do: help server",
            )),
            // Who dismisses themselves is told so as anybody who is dismissed.
            Request::Operate { act: Operation::Dismiss { user } } if me.key() == user.key() => None,
            Request::Operate { act } => Some(self.system(sentence("You have", &whom(act), act))),
            _ => None,
        }
    }

    /// A page of those who are there.
    pub(super) fn clients(self, request: &Request, clients: &[ClientInfo]) -> String {
        let title = matches!(request, Request::Clients { after: Seq::ZERO })
            .then(|| self.system("clients:"));
        let line = |ClientInfo { address, name, groups, is_connected }: &ClientInfo| {
            let groups: Vec<_> = groups.as_slice().iter().map(|group| group.as_str()).collect();
            let lost = if *is_connected { "" } else { " (connection lost)" };
            let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
            self.system(format!("{name} from {}, in {groups}{lost}", address.as_str()))
        };
        title.into_iter().chain(clients.iter().map(line)).collect::<Vec<_>>().join("\n")
    }

    /// A page of the bans from the server.
    pub(super) fn server_bans(
        self,
        request: &Request,
        bans: &[ServerBan],
        now: UnixMillis,
    ) -> String {
        let is_first = matches!(request, Request::ServerBans { after: Seq::ZERO });
        if bans.is_empty() && is_first {
            return self.system("Nobody is banned from this server.");
        }
        let title = is_first.then(|| self.system("banned from this server:"));
        let line = |ServerBan { at, by, whom, until, reason, .. }: &ServerBan| {
            let (whom, until) = (name(whom), self.until(*until));
            let text = format!("{whom}{until}, by {by}{}", because(reason));
            format!("{} {}", self.stamp(*at, now), self.system(text))
        };
        title.into_iter().chain(bans.iter().map(line)).collect::<Vec<_>>().join("\n")
    }

    /// A refusal that is about who runs the server.
    pub(super) fn server_admin_refusal(self, request: &Request, refusal: &Refusal) -> String {
        match refusal {
            Refusal::NotOperator => {
                "Only operators of this server can do that. One of them can make you one, or the \
                 code that the server shows when nobody is one yet: operator [code]"
                    .to_owned()
            }
            Refusal::WrongCode => {
                "That is not the code that the server shows to those who run it, or it was used \
                 already."
                    .to_owned()
            }
            Refusal::IsOperator { user } => {
                format!(
                    "{user} is an operator of this server. Make them none first: dismiss {user}"
                )
            }
            Refusal::RegisterFirst => match request {
                Request::Operate { act: Operation::Appoint { user } } => format!(
                    "Operators need a registered name, or anybody could take it: {user} has to \
                     register first, then type the command again."
                ),
                _ => "Operators need a registered name, or anybody could take it: register first, \
                      then type the command again."
                    .to_owned(),
            },
            Refusal::ServerBanned { until } => format!(
                "An operator of this server has banned this name, or the address that you come \
                 from{}. Ask those who run it.",
                self.until(*until)
            ),
            Refusal::NoDifference => no_difference(request),
            other => format!("The server refused that: {other:?}"),
        }
    }
}

/// What to do when nobody has a name; `meant` is what may have been meant instead.
pub(super) fn no_such_user(request: &Request, name: &UserName, meant: Option<&str>) -> String {
    let is_of_a_ban = matches!(
        request,
        Request::Operate { act: Operation::Ban { .. } | Operation::Unban { .. } }
    );
    let is_address = BanTarget::addresses(name.as_str()).is_some();
    match (is_of_a_ban, is_address, meant) {
        (true, true, _) => {
            format!(
                "There is no user with name '{name}', nor was there lately. For the address, leave \
                 out the @."
            )
        }
        (true, false, meant) => {
            let fix = meant.map(|meant| format!(" Did you mean '{meant}'?")).unwrap_or_default();
            format!(
                "There is no user with name '{name}', nor was there lately, and it is no \
                 address.{fix} {ADDRESS_FORMS}"
            )
        }
        (false, _, Some(meant)) => {
            format!("There is no user with name '{name}'. Did you mean '{meant}'?")
        }
        (false, true, None) => format!(
            "There is no user with name '{name}'. That is an address, and only 'server-ban' takes \
             one; 'clients' shows operators of the server who comes from where."
        ),
        (false, false, None) => {
            format!("There is no user with name '{name}'. Type 'users' to see who is online.")
        }
    }
}

fn no_difference(request: &Request) -> String {
    match request {
        Request::Claim { .. } => "You are an operator of this server already.".to_owned(),
        Request::Operate { act: Operation::Appoint { user } } => {
            format!("{user} is an operator of this server already.")
        }
        Request::Operate { act: Operation::Dismiss { user } } => {
            format!("{user} is no operator of this server, so there is nothing to undo.")
        }
        Request::Operate { act: Operation::Disconnect { user, .. } } => {
            format!("{user} is not here. Type 'clients' to see who is.")
        }
        Request::Operate { act: Operation::Unban { whom: BanTarget::User(user) } } => {
            format!("{user} is not banned from this server. Type 'server-bans' to see who is.")
        }
        // It may be in a network that is banned.
        Request::Operate { act: Operation::Unban { whom } } => {
            format!("There is no ban of {}. Type 'server-bans' to see which there are.", name(whom))
        }
        _ => "That is so already on this server.".to_owned(),
    }
}

/// As it is typed: a name that looks like an address has the mark.
fn name(whom: &BanTarget) -> String {
    match whom {
        BanTarget::User(user) if BanTarget::addresses(user.as_str()).is_some() => {
            format!("{NAME_MARK}{user}")
        }
        BanTarget::User(user) => user.to_string(),
        BanTarget::Host(host) => host.to_string(),
        BanTarget::Network(network) => network.to_string(),
    }
}

fn whom(act: &Operation) -> String {
    match act {
        Operation::Appoint { user }
        | Operation::Dismiss { user }
        | Operation::Disconnect { user, .. } => user.to_string(),
        Operation::Ban { whom, .. } | Operation::Unban { whom } => name(whom),
    }
}

fn sentence(who: &str, whom: &str, act: &Operation) -> String {
    match act {
        Operation::Appoint { .. } => format!("{who} made {whom} an operator of this server."),
        Operation::Dismiss { .. } => {
            format!("{who} made {whom} an operator of this server no longer.")
        }
        Operation::Disconnect { reason, .. } => {
            format!("{who} disconnected {whom}{}", because(reason))
        }
        Operation::Ban { seconds, reason, .. } => {
            format!("{who} banned {whom} from this server{}{}", span(*seconds), because(reason))
        }
        Operation::Unban { .. } => format!("{who} lifted the ban on {whom}."),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use chatroom_proto::{AddressPrefix, Code, Page, PeerAddr, Reason};

    use super::*;
    use crate::app::view::tests::{group, lines, user, view};

    fn ban() -> Operation {
        let (seconds, reason) = (NonZeroU32::new(7_200), Reason::parse("spam").ok());
        Operation::Ban {
            whom: BanTarget::Host(AddressPrefix::parse("10.0.0.1").unwrap()),
            seconds,
            reason,
        }
    }

    #[test]
    fn both_sides_are_told() {
        let said = |act| view().you_operated(&Request::Operate { act }, &user("Ann")).unwrap();
        assert_eq!(said(ban()), "You have banned 10.0.0.1 from this server for 2 hours: spam");
        assert_eq!(
            view().operated(&user("Ann"), &ban()),
            "Ann has banned you from this server for 2 hours: spam"
        );
        let disconnect = Operation::Disconnect { user: user("Jim"), reason: None };
        assert_eq!(view().operated(&user("Ann"), &disconnect), "Ann has disconnected you.");
        assert_eq!(said(disconnect), "You have disconnected Jim.");
        let dismiss = |name| Operation::Dismiss { user: user(name) };
        assert_eq!(said(dismiss("Jim")), "You have made Jim an operator of this server no longer.");
    }

    #[test]
    fn one_who_dismisses_themselves_is_told_once() {
        let (ann, act) = (user("Ann"), Operation::Dismiss { user: user("ann") });
        assert_eq!(view().operated(&ann, &act), "You are no operator of this server any more.");
        assert_eq!(view().you_operated(&Request::Operate { act: act.clone() }, &ann), None);
        let refused = view().refusal(&Request::Operate { act }, &Refusal::NotOneself, None);
        assert_eq!(refused, "You can't do that to yourself. To leave: exit");
    }

    #[test]
    fn lists_have_a_title_once() {
        let clients = [ClientInfo {
            address: PeerAddr::parse("127.0.0.1:5").unwrap(),
            name: user("Jim"),
            groups: Page::fill([group("General"), group("G1")]),
            is_connected: false,
        }];
        let first = Request::Clients { after: Seq::ZERO };
        let line = "Jim from 127.0.0.1:5, in General, G1 (connection lost)";
        assert_eq!(view().clients(&first, &clients), format!("clients:\n{line}"));
        assert_eq!(view().clients(&Request::Clients { after: Seq(1) }, &clients), line);
        let bans = [ServerBan {
            seq: Seq(1),
            at: UnixMillis(0),
            by: user("Ann"),
            whom: BanTarget::User(user("Jim")),
            until: None,
            reason: None,
        }];
        let first = Request::ServerBans { after: Seq::ZERO };
        assert_eq!(
            lines().server_bans(&first, &bans, UnixMillis(0)),
            "banned from this server:\n[1970-01-01T00:00:00.000Z] Jim, by Ann."
        );
        assert_eq!(
            lines().server_bans(&first, &[], UnixMillis(0)),
            "Nobody is banned from this server."
        );
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let claim = Request::Claim { code: Code([0; 16]) };
        let said = |request: &Request, refusal| view().refusal(request, &refusal, None);
        assert!(said(&claim, Refusal::NotOperator).contains("operator [code]"));
        assert!(said(&claim, Refusal::WrongCode).contains("used already"));
        assert_eq!(
            said(&claim, Refusal::NoDifference),
            "You are an operator of this server already."
        );
        assert!(said(&claim, Refusal::IsOperator { user: user("Ann") }).ends_with("dismiss Ann"));
        assert_eq!(
            said(&claim, Refusal::ServerBanned { until: None }),
            "An operator of this server has banned this name, or the address that you come from. \
             Ask those who run it."
        );
        for act in [
            Operation::Appoint { user: user("Jim") },
            Operation::Dismiss { user: user("Jim") },
            Operation::Disconnect { user: user("Jim"), reason: None },
            Operation::Unban { whom: BanTarget::User(user("Jim")) },
        ] {
            assert!(said(&Request::Operate { act }, Refusal::NoDifference).starts_with("Jim is "));
        }
    }
}
