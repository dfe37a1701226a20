//! The protocol between Chatroom's clients and servers: this page is its specification.
//!
//! # Framing
//! A connection is a stream of frames in each direction. A frame is its length, 4 bytes, unsigned
//! and big-endian, and then that many bytes: one [`ClientFrame`] from the client, one
//! [`ServerFrame`] from the server, in the encoding of bincode 1.3 with fixed-width integers. That
//! encoding is positional and small:
//!
//! | a value | its bytes |
//! |---|---|
//! | an integer | its width, little-endian |
//! | a `bool`, the tag of an `Option` | one byte, 0 or 1 |
//! | a text, a sequence | the number of bytes (of UTF-8) or items as a `u64`, then these |
//! | an array, a struct, a tuple | its items or fields in order, nothing between them |
//! | an enum, a `Result` | the variant's number as a `u32`, then its fields |
//! | a [`Page`], [`Lives`] | as a sequence |
//! | a `Box`, a struct of one unnamed field as [`Seq`] or [`UserName`] | as what is in it |
//!
//! Variants are numbered from 0, in the order of their declaration; `Ok` is 0.
//!
//! A frame holds exactly one value: bytes left over make it malformed. A value that breaks a rule
//! of its type (a [`UserName`] with a space in it) is never seen behind the [`codec`]: the request
//! is refused with [`Refusal::Invalid`], whatever is left over behind it, and the connection goes
//! on. So a client need not know the rules of names. Only a first frame with such a value is
//! malformed. A stream that ends inside a frame is a connection that is lost: that frame was never
//! sent.
//!
//! # Privacy
//! The same stream may go through TLS (1.2 or 1.3), over the same port: a connection whose first
//! byte is 0x16 is TLS from there on, one that begins with a frame's length is not. A server may
//! take connections without TLS from its own machine only; others are closed with
//! [`CloseReason::TlsRequired`]. A server that no authority vouches for is recognized by the
//! [`Fingerprint`] of its key. A client decides by itself which of the two it speaks, and never
//! because of what an answer says or fails to say.
//!
//! # Handshake
//! The client speaks first: [`Request::Hello`] or [`Request::ComeBack`], with the versions it
//! speaks, the name it wants, why it may have it, and the newest [`Seq`] it has seen. The server
//! answers [`Response::WelcomeInLife`], or refuses with [`Refusal::UnsupportedVersion`],
//! [`Refusal::NameTaken`] or another reason, and hangs up. It also hangs up when no first frame
//! comes in time. From the welcome on, the client is in the group General and hears what happens
//! there. The first request has a [`Tag`] like any other. Other requests may follow it at once:
//! they are served after the welcome, in their order, or not at all when it is refused. (A client
//! that comes with a password waits for the welcome: until then it does not know which device it
//! is, nor whether what it asks again was asked with this one.)
//!
//! The server recognizes a client by a [`Token`], which [`Welcome::token`] says. A client that
//! comes for the first time chooses it, 32 random bytes, writes it down, and comes with
//! [`Proof::Resume`]: the token is unknown, so that counts as [`Proof::Open`], and is the token of
//! the session that begins. When the connection is lost before the welcome has come, it comes again
//! with the same token and is recognized. (A client that does not mind being a stranger then comes
//! with [`Proof::Open`], and the server chooses.) A token is known under one name, in whatever case
//! that is written: under another name it is an unknown one.
//!
//! A client whose connection is lost comes back with [`Proof::Resume`] within `grace_ms`, and its
//! session goes on: same name, same groups, nobody is told. Its older connection, if the server
//! still believes in it, is closed with [`CloseReason::Replaced`].
//!
//! After that time, or after [`Request::Exit`], the name is free. The server remembers who has
//! left, their groups and what was said to them, for the token and not for the name: when it is
//! presented and the name is still free, the client is back in its groups, and General is told.
//! [`Welcome::resumed`] is true in both cases. A token that the server does not know (any more)
//! counts as [`Proof::Open`].
//!
//! A *session* begins with a welcome that is not resumed, and lasts until the server has forgotten
//! the device: its token and its groups do, also while the name is free. Its tags are remembered
//! until the name is free.
//!
//! # Accounts
//! [`Request::Register`] makes a name somebody's own. From then on a client comes under it with the
//! token of a device that the account knows, or with [`Proof::Password`]; it is refused with
//! [`Refusal::PasswordNeeded`] otherwise. A client that comes with the password becomes one more
//! device of the account: all that are connected are one person, in the same groups, and each hears
//! what is said to this person, and what the others say as that person: [`Notification::GroupPost`]
//! and [`Notification::PrivatePost`] whose `from` is the client's own name,
//! [`Notification::Joined`] and [`Notification::Left`] of what another device did. Somebody arrives
//! with their first device, and departs with their last. A device that comes with the password is a
//! new one: [`Welcome::resumed`] is false, and it is not told what was said before. It reads that
//! with [`Request::History`]. When its welcome is lost, the device stays, without anybody who has
//! its token: of an account's devices that are away the oldest make room for new ones.
//!
//! A server takes passwords only over TLS or from its own machine, and keeps what can be checked
//! and not told from them (Argon2id, RFC 9106).
//!
//! # Coming back
//! A server that keeps what is said ([`Welcome::retention`]) sends to a client that it has
//! recognized, behind `Welcome`, every post after [`Hello::seen`] that the client has not heard, in
//! the order of [`Seq`] and as the notifications that it missed: what others said in its groups
//! since it joined them, and to it alone. Was it put out of a group meanwhile, or has another
//! device left it, then what was said there before comes, and in its place the
//! [`Notification::Moderated`] or [`Notification::Left`] that ended it. Has it left a group itself,
//! and the answer was lost, then what was said there before comes, and of the end only the response
//! tells. (Of many such ends the newest 16 are told. A ban of its name, made while another had the
//! name, is told as long as the group remembers it.) So posts may come of groups in which it is no
//! longer: [`Welcome::groups`] says in which it is now. Then comes [`Notification::CaughtUp`], also
//! when nothing was missed, and from there on what happens is live. Who came and went meanwhile is
//! not told again.
//!
//! What a client has seen, [`Hello::seen`], is the largest of these:
//! - the [`seq`](Notification::seq) of every notification that it has heard. What was missed comes
//!   first and everything comes in order, so what is older was told before;
//! - the [`seq`](Response::seq) of every response, which stands in the same order: what is held
//!   back until the client has caught up comes behind [`Notification::CaughtUp`]. (The response to
//!   a repeat has an old place);
//! - [`Notification::CaughtUp::seq`](Notification::CaughtUp), once everything before it was heard;
//! - [`Welcome::seq`], when nothing is told again: where [`Welcome::resumed`] is false, or the
//!   server keeps nothing. Otherwise everything up to it is still to come, before
//!   [`Notification::CaughtUp`], which says the same place.
//!
//! Between the welcome and [`Notification::CaughtUp`] come no responses and nothing that is new.
//!
//! One that has never heard anything says [`Seq::FIRST`]. One that does not know says
//! [`Seq::ZERO`], and gets what was said since the server lost it.
//!
//! # Lives of the log
//! A server's log may be put back to an earlier copy, or another one may take its place: then other
//! events get places that a client has heard of. So each start of a server begins a new [`Life`] of
//! its log. [`Response::WelcomeInLife`] tells the newest lives, up to [`LIVES_TOLD_MAX`]. A client
//! keeps this list beside how far it has come, and comes back with it by [`Request::ComeBack`]. It
//! writes the list down before it shows anything that it hears after that welcome. Where the
//! welcome lowers what it has seen (`put_back`), it writes that down first, or both at once: the
//! old place in the new lives would be believed.
//!
//! When the client was in a life that this log does not have, or has seen more of one than this log
//! has, the welcome says in `put_back` which is the newest event that both surely share:
//! [`Seq::FIRST`] when they share no life. It may be newer than what the client has seen. What the
//! client was told after it, and answered, is not there any more, and what was said after it is
//! told as if it was missed. (Where more lives have begun than are told, some of it may be told a
//! second time: the same [`PostId`] of the same sender at the same place. A post without an answer
//! that its sender sends again gets a new place, and those who have seen it at the old one, which
//! is no more, are told it again: whoever shows each message once remembers which
//! [`PostId`]s of which senders it has shown.) The client forgets all places after it: it counts
//! its `seen`, and how far it has come in each conversation, from there. Where `put_back` is
//! nothing, and the newest life that the client knew has ended by what the lives say now, places
//! after that end are no more, either: it may have been answered later than it had seen.
//!
//! What it had said and is not there any more, it does not say again by itself; a post without an
//! answer is sent again as ever. Its groups are those in the welcome: what it has joined or left
//! since the copy, it may ask for again. A log that does not know its token welcomes it as a new
//! session, also with `put_back`, or refuses it where the name is registered or taken. In a new
//! session it is another person to that log: a post without an answer that the log has from before
//! is kept a second time. A client that sends [`Request::Hello`], and so tells no lives, is put
//! back when it has seen more than there is, and not when another log has come as far.
//!
//! # Asking
//! A client may ask many things before the first answer. Each request carries a [`Tag`], each gets
//! exactly one response with that tag, a [`Response`] or a [`Refusal`], and on one connection the
//! responses come in the order of the requests. Any number is a tag, also 0. A server stops reading
//! from a client that has too many requests unanswered, until there are fewer.
//!
//! A client may end its half of the connection: what it has asked is answered, what it has missed
//! is told, and then the server ends the other half. The same holds after [`Request::Exit`].
//!
//! Lists come in pages. What `next` says is handed back as `after` or `before`: it is a place in
//! that list, whatever it looks like, and no event that a client has seen. [`Request::Clients`] has
//! an item for each device.
//!
//! What each request asks for is said at its variant of [`Request`]: the *reply*, the refusals, and
//! who else *hears* of it. The asker itself hears no notification of what it did; the response is
//! its notice.
//!
//! # Rates
//! A server may bound how much one connection, one person and one address ask for in a time. What
//! is beyond that is refused with [`Refusal::RateLimited`], and nothing of it was done. It says how
//! long to wait; the client then sends the same request with the same [`Tag`] again, and before any
//! other. It waits first for the refusals of all that it has sent behind it, as many as are under
//! way. Of several refusals the wait of the first counts: those behind it are refused because of
//! it.
//!
//! So that the order of what a client asks is kept, whatever it sent behind a request before it
//! knew that this one was refused: from that refusal on, everything that comes over the connection
//! is refused in the same way, [`Request::Exit`] and [`Request::Ping`] included, until the refused
//! request comes again, or until [`SENT_AGAIN_WITHIN_MS`] have passed since it might have come. A
//! client that drops the request for good may ask something else then. All that was refused is to
//! be sent again in its order, and what was not sent yet only after that. Each response to a
//! refused request counts as its response: a server forgets the request.
//!
//! A client that goes on without waiting gets the same refusal, until [`RATE_LIMITED_IN_A_ROW_MAX`]
//! of them; then the server hangs up with [`Misbehaviour::Flooding`]. The count begins anew with a
//! request that is granted, with one that comes again after its time, and when it is not waited for
//! any longer.
//!
//! A [`Request::Hello`] is refused so when too many come from one address; the server then hangs
//! up, as for every refused `Hello`. More connections at the same time than a server takes from one
//! address are closed with [`CloseReason::TooManyConnections`].
//!
//! # Keeping order
//! A group's owner, and those whom the owner makes its operators, keep order in it with
//! [`Request::Moderate`]. Owners and operators are people, whatever becomes of their names; bans
//! and mutes hold for a name, whoever has it, but only for those who stand below whoever made them:
//! member, operator of the group, owner, operator of the server. General has no owner. When
//! somebody is forgotten for good, their groups pass on to the one who has been an operator for
//! longest, or else a member for longest: [`Notification::PassedOn`]. One who joins a group that
//! has a topic is told it behind [`Response::Joined`], one who comes into General behind
//! [`Response::Welcome`]: [`Notification::TopicIs`].
//!
//! Operators of the server keep order in every group, General included, and over owners. Who knows
//! the code that a server without operators shows to those who run it becomes one with
//! [`Request::Claim`]; they appoint others. They end stays and ban names and addresses with
//! [`Request::Operate`]: a stay that is ended so is closed with [`CloseReason::Disconnected`], and
//! its client does not come back by itself.
//!
//! # Taking back
//! What was said can be deleted with [`Request::Delete`], which names it by its place. The text is
//! gone then: no frame that is made after the deletion took effect tells it. The place stays. In
//! the history a deleted post is in [`Response::PastWithDeleted`], and one who comes back and had
//! not heard it hears [`Notification::DeletedPost`] in its place, so nothing seems to be missing.
//! One who may have heard it hears [`Notification::Deleted`], at once or on coming back. Frames
//! that were made before the deletion may be on their way; the notification comes behind them.
//!
//! # Order
//! Everything that happens has a place in one order for everybody, its [`Seq`]. Seqs rise and may
//! skip. What a connection is sent, responses and notifications, comes in that order, so a client's
//! whole memory of how far it has come is one number. Each [`Post`] also carries the place of the
//! post before it in its conversation (a group, or two people): a reader who has seen that one has
//! missed nothing. The post before may be the reader's own, whose answer was lost: as long as it
//! has a post in that conversation without an answer, a place that it does not know says nothing.
//!
//! # Once
//! A client that got no response sends the request again, over a new connection, in the order in
//! which it asked, and it takes effect once. A post is known by its sender, with whatever device,
//! and its [`PostId`]; everything else by the device, the [`Tag`], and what is asked of which
//! group, so a new session may begin its tags anew. A server remembers a device's latest posts, and
//! its latest other requests that changed something or found that it was so already, 512 of each:
//! twice as many as may be unanswered ([`ASKS_UNANSWERED_MAX`]). Posts are remembered as long as
//! the device, the others until the name is free. What was refused for another reason is judged
//! anew.
//!
//! The response to a repeat is the first one's, with one exception: [`Response::Joined`] tells the
//! group's newest post as it is now, because all up to it was told before this response. So
//! [`Response::Kept`] says that somebody was away when it was said, wherever they are now.
//!
//! Of what asks for a password, [`Request::Register`] is sent again like anything else. A client
//! whose [`Request::ChangePasswordAndToken`] got no response comes back with the old token, and
//! when it is refused with [`Refusal::PasswordNeeded`], with the new one. With the old one it was
//! not done, and is sent again; with the new one it was. (The other way round, a new token that is
//! not known might count as [`Proof::Open`], and begin a new session.) A client whose
//! [`Request::Unregister`] got no response finds out by coming back: it is nobody's device any
//! more, or still one.
//!
//! # Being alive
//! The server sends [`Notification::Ping`] to a client that has been silent for a while, and closes
//! the connection with [`CloseReason::Idle`] when the silence goes on (after 30 and 90 seconds by
//! default). Every whole request is a sign of life; a part of one is none. A client that waits for
//! an answer, or for what it missed, need not say anything. One that wants to know the same of the
//! server asks [`Request::Ping`]. How long it waits for that, and for how long it waits from one
//! try to come back to the next, is its own business: longer each time, and never the same for
//! everybody.
//!
//! # Being closed
//! A server that hangs up says why in a last frame, [`Notification::Closing`], where the peer lets
//! it: reasons like [`CloseReason::TooSlow`] that time heals, and [`Misbehaviour`], which is a
//! client's bug and should not be retried. A malformed frame is answered so, too: after it nothing
//! can be trusted to be a frame. [`Refusal::SessionEnded`] says that a request came too late for
//! that: the reason follows, and the connection ends.
//!
//! # Versions
//! This is version [`PROTOCOL_VERSION`]. The connection speaks the newest version that both sides
//! do ([`VersionRange::newest_common`]; on the wire `min`, then `max`), and [`Welcome::version`]
//! says which. Variants are only ever appended, and a peer is sent none that its version does not
//! know: [`ServerFrame::in_version`] says what it is sent instead. The fields of a variant never
//! change, as bytes left over are an error: what needs another field becomes another variant. That
//! holds for [`Hello`] and [`Proof`] above all, which a server must be able to read before it knows
//! any version. A client that does not know the server's version yet says [`Request::Hello`].
//!
//! Names are compared by [`UserName::key`], never by their bytes: they are normalized when they are
//! decoded. A new name that [looks like](UserName::looks_like) one that is there is refused.
//!
//! # Limits
//! | what | limit | name |
//! |---|---|---|
//! | a frame before `Welcome` | 4 KiB | [`codec::HELLO_FRAME_BYTES_MAX`] |
//! | a frame after it | 64 KiB | [`codec::FRAME_BYTES_MAX`] |
//! | groups of a person, with General | 100 by default | [`Refusal::TooManyMemberships`] |
//! | a name | 32 characters (see [`NameError`]) | [`NAME_CHARS_MAX`] |
//! | a message | 8,000 bytes, newlines but no other control characters | [`BODY_BYTES_MAX`] |
//! | requests of one client without an answer | 256 | [`ASKS_UNANSWERED_MAX`] |
//! | what a server asks to wait for | a minute | [`RETRY_AFTER_MS_MAX`] |
//! | a page of a list | 400 items, and what fits into a frame | [`PAGE_ITEMS_MAX`] |
//! | a topic, a reason | 300 bytes on one line, see below | [`LINE_BYTES_MAX`] |
//! | acts in one answer | 50 | [`ACTS_TOLD_MAX`] |
//! | a text to search for | 256 bytes, no control characters | [`WORDS_BYTES_MAX`] |
//! | a password | 512 bytes | [`PASSWORD_BYTES_MAX`] |
//!
//! A topic and a reason have no line or paragraph separators and no control or format characters,
//! but for the joiners ZWNJ (U+200C) and ZWJ (U+200D): Persian, Indic scripts and emoji need them.
//!
//! Limits that a server may choose (groups in all, groups a person, connections, rates) come with
//! the refusal that states them. Everything is checked while decoding, from a slice no longer than
//! the frame limit; what decoding allocates is bounded by a small multiple of that.

mod address_network;
mod address_prefix;
mod ban_target;
mod body;
#[cfg(feature = "test-util")]
pub mod chance;
pub mod codec;
mod fingerprint;
mod frame;
#[cfg(feature = "test-util")]
pub mod golden;
mod handshake;
mod history;
mod ids;
mod moderation;
mod name;
mod notification;
mod page;
mod password;
mod post;
mod request;
mod response;
mod server_admin;
mod text_reader;
mod version;

pub use address_network::{AddressNetwork, AddressNetworkError};
pub use address_prefix::{AddressPrefix, AddressPrefixError};
pub use ban_target::BanTarget;
pub use body::{BODY_BYTES_MAX, Body, BodyError};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use frame::{ClientFrame, ServerFrame};
pub use handshake::{Hello, PROTOCOL_VERSION, Proof, VersionRange, VersionRangeError};
pub use history::{
    ArchivedPost, Conversation, Retention, SearchQuery, SearchQueryError, WORDS_BYTES_MAX,
};
pub use ids::{LIVES_TOLD_MAX, Life, Lives, LivesError, PostId, Seq, Tag, Token, UnixMillis};
pub use moderation::{
    ACTS_TOLD_MAX, About, Headline, LINE_BYTES_MAX, LineError, Moderation, ModerationRecord,
    PeerAddr, Reason, Topic,
};
pub use name::{
    GroupName, NAME_CHARS_MAX, NAME_MARK, NAME_MARKS, NameError, NameKey, Skeleton, UserName,
};
pub use notification::{CloseReason, Misbehaviour, Notification};
pub use page::{PAGE_ITEMS_MAX, Page, PageError};
pub use password::{PASSWORD_BYTES_MAX, Password, PasswordError};
pub use post::{DeletedPost, Post};
pub use request::{ASKS_UNANSWERED_MAX, Request};
pub use response::{
    Membership, PersonInfo, RATE_LIMITED_IN_A_ROW_MAX, RETRY_AFTER_MS_MAX, Refusal, Response,
    SENT_AGAIN_WITHIN_MS, Welcome,
};
pub use server_admin::{ClientInfo, Code, CodeError, Operation, ServerBan};
