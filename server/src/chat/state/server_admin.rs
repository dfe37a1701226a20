//! Who runs the server: its operators, how one becomes the first of them, and who may not come.

use std::collections::BTreeMap;

use chatroom_proto::{
    AddressNetwork, AddressPrefix, BanTarget, NameKey, ServerBan, UnixMillis, UserName,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::entry::{Address, PersonId, TokenDigest};

/// The operators of a server: more than anybody can keep in mind.
pub(crate) const OPERATORS_MAX: usize = 50;

/// Bans from the server: some 300 KiB with the longest names and reasons.
pub(crate) const SERVER_BANS_MAX: usize = 1_000;

/// What is kept of who runs the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ServerAdmin {
    /// The operators, since when each is it.
    pub(crate) operators: BTreeMap<PersonId, UnixMillis>,
    /// Recognizes the code that makes somebody the first of them.
    pub(crate) offer: Option<TokenDigest>,
    pub(crate) bans: Bans,
}

/// Whom a ban holds for. Networks come last, see [`Bans::networks`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(NameKey),
    Host(AddressPrefix),
    Network(AddressNetwork),
}

impl Key {
    fn of(whom: &BanTarget) -> Key {
        match whom {
            BanTarget::User(user) => Key::Name(user.key()),
            BanTarget::Host(host) => Key::Host(host.clone()),
            BanTarget::Network(network) => {
                network.as_prefix().map_or(Key::Network(*network), Key::Host)
            }
        }
    }
}

/// Bans from the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bans(BTreeMap<Key, ServerBan>);

impl Bans {
    /// The ban that holds for somebody of this name who comes from there.
    pub(crate) fn holds_for(
        &self,
        name: &UserName,
        address: Address,
        at: UnixMillis,
    ) -> Option<&ServerBan> {
        if self.0.is_empty() {
            return None;
        }
        let keys = [Key::Name(name.key()), Key::Host(AddressPrefix::of(address.ip()))];
        let one = keys.into_iter().find_map(|key| self.0.get(&key).filter(|ban| holds(ban, at)));
        one.or_else(|| self.networks().find(|ban| ban.whom.covers(address.ip()) && holds(ban, at)))
    }

    /// The bans of networks. There may be [`SERVER_BANS_MAX`] to look through, which takes some
    /// microseconds.
    fn networks(&self) -> impl Iterator<Item = &ServerBan> {
        let networks = self.0.iter().rev().take_while(|(key, _)| matches!(key, Key::Network(_)));
        networks.map(|(_, ban)| ban)
    }

    /// The ban of exactly this name or address.
    pub(crate) fn of(&self, whom: &BanTarget, at: UnixMillis) -> Option<&ServerBan> {
        self.0.get(&Key::of(whom)).filter(|ban| holds(ban, at))
    }

    /// Puts a ban in the place of the one before. What has ended by itself is dropped when its room
    /// is needed, and not before: the clock may be ahead, and put right.
    pub(crate) fn set(&mut self, ban: ServerBan) {
        if self.0.len() >= SERVER_BANS_MAX {
            self.0.retain(|_, other| holds(other, ban.at));
        }
        self.0.insert(Key::of(&ban.whom), ban);
    }

    /// Undoes a ban.
    pub(crate) fn lift(&mut self, whom: &BanTarget) {
        self.0.remove(&Key::of(whom));
    }

    /// Whether there is no room for one more at that time.
    pub(crate) fn are_full(&self, at: UnixMillis) -> bool {
        self.0.len() >= SERVER_BANS_MAX
            && self.0.values().filter(|ban| holds(ban, at)).count() >= SERVER_BANS_MAX
    }

    /// Those that hold at that time, the oldest first.
    pub(crate) fn in_order(&self, at: UnixMillis) -> Vec<&ServerBan> {
        let mut bans: Vec<_> = self.0.values().filter(|ban| holds(ban, at)).collect();
        bans.sort_unstable_by_key(|ban| ban.seq);
        bans
    }
}

fn holds(ban: &ServerBan, at: UnixMillis) -> bool {
    ban.until.is_none_or(|until| until > at)
}

impl Serialize for Bans {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.values())
    }
}

impl<'de> Deserialize<'de> for Bans {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bans, D::Error> {
        let bans: Vec<ServerBan> = Vec::deserialize(deserializer)?;
        Ok(Bans(bans.into_iter().map(|ban| (Key::of(&ban.whom), ban)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Seq;

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn ban(seq: u64, whom: BanTarget, until: Option<u64>) -> ServerBan {
        let until = until.map(UnixMillis);
        ServerBan { seq: Seq(seq), at: UnixMillis(seq), by: user("ann"), whom, until, reason: None }
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_ban_holds_for_a_name_from_anywhere_and_for_an_address_with_any_port_and_name() {
        let mut bans = Bans::default();
        bans.set(ban(1, BanTarget::User(user("Jim")), None));
        bans.set(ban(2, BanTarget::Host(AddressPrefix::parse("10.0.0.1").unwrap()), Some(100)));
        let holds = |name, from: &str, at| {
            bans.holds_for(&user(name), address(from), UnixMillis(at)).map(|ban| ban.seq.0)
        };
        assert_eq!(holds("JIM", "10.0.0.9:1", 5), Some(1));
        assert_eq!(holds("eve", "10.0.0.1:7", 5), Some(2));
        assert_eq!(holds("eve", "[::ffff:10.0.0.1]:7", 5), Some(2));
        assert_eq!(holds("eve", "10.0.0.1:7", 100), None);
        assert_eq!(holds("eve", "10.0.0.10:1", 5), None);
    }

    #[test]
    fn a_ban_of_a_network_holds_for_every_address_in_it() {
        let mut bans = Bans::default();
        let target = |text| BanTarget::addresses(text).unwrap();
        bans.set(ban(1, target("10.0.0.0/24"), Some(100)));
        bans.set(ban(2, target("2001:db8::/32"), None));
        bans.set(ban(3, BanTarget::User(user("jim")), None));
        let holds = |name, from: &str, at| {
            bans.holds_for(&user(name), address(from), UnixMillis(at)).map(|ban| ban.seq.0)
        };
        assert_eq!(holds("eve", "10.0.0.255:1", 5), Some(1));
        assert_eq!(holds("eve", "[::ffff:10.0.0.7]:1", 5), Some(1));
        assert_eq!(holds("eve", "10.0.0.7:1", 100), None);
        assert_eq!(holds("eve", "10.0.1.7:1", 5), None);
        assert_eq!(holds("eve", "[2001:db8:7::7]:1", 5), Some(2));
        assert_eq!(holds("jim", "10.0.0.7:1", 5), Some(3));
        // A network that is one prefix is the ban of that, however a client says it.
        let one = || BanTarget::Network(AddressNetwork::parse("10.9.9.9/32").unwrap());
        bans.set(ban(4, one(), None));
        assert!(bans.of(&target("10.9.9.9"), UnixMillis(5)).is_some());
        bans.lift(&target("10.9.9.9"));
        bans.lift(&target("10.0.0.77/24"));
        assert_eq!(bans.in_order(UnixMillis(5)).len(), 2);
        let text = "10.0.0.7:1";
        assert!(bans.holds_for(&user("eve"), address(text), UnixMillis(5)).is_none());
    }

    #[test]
    fn what_has_ended_is_dropped_and_takes_no_room() {
        let mut bans = Bans::default();
        for number in 0..SERVER_BANS_MAX as u64 {
            bans.set(ban(0, BanTarget::User(user(&number.to_string())), Some(10)));
        }
        assert!(bans.are_full(UnixMillis(9)) && !bans.are_full(UnixMillis(10)));
        bans.set(ban(10, BanTarget::User(user("jim")), None));
        assert_eq!(bans.in_order(UnixMillis(10)).len(), 1);
        assert_eq!(bans.0.len(), 1);
        bans.lift(&BanTarget::User(user("JIM")));
        assert!(bans.of(&BanTarget::User(user("jim")), UnixMillis(10)).is_none());
    }
}
