//! What an older version does not know is not said to it.

use chatroom_proto::chance::Chance;
use chatroom_proto::{
    ClientFrame, Hello, LIVES_TOLD_MAX, Life, Lives, Password, Proof, Request, Seq, ServerFrame,
    Tag, UserName, VersionRange, codec,
};

/// How many variants the types of version 1 have. Never changed.
const RESPONSES: u32 = 20;
const REFUSALS: u32 = 36;
const NOTIFICATIONS: u32 = 13;

fn number_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four bytes"))
}

#[test]
fn a_server_says_nothing_that_version_1_does_not_know() {
    let mut chance = Chance::new(1);
    for _ in 0..20_000 {
        let Some(frame) = chance.any::<ServerFrame>().in_version(1) else { continue };
        let text = format!("{frame:?}");
        assert!(!text.contains("Network(") && !text.contains("act: Delete {"), "{text}");
        let bytes = codec::pack(&frame).expect("a frame");
        let known = match number_at(&bytes, 0) {
            // Behind the tag, `Ok` or `Err`, and which.
            0 => number_at(&bytes, 12) < [RESPONSES, REFUSALS][number_at(&bytes, 8) as usize],
            _ => number_at(&bytes, 4) < NOTIFICATIONS,
        };
        assert!(known, "{frame:?}");
    }
}

#[test]
fn whoever_comes_back_with_everything_at_its_longest_is_read() {
    let hello = Hello {
        versions: VersionRange::OF_SERVERS,
        name: UserName::parse(&"\u{1F980}".repeat(32)).expect("a long name"),
        proof: Proof::Password(Password::try_from("x".repeat(512)).expect("a long password")),
        seen: Seq(u64::MAX),
    };
    let lives = vec![Life { id: u64::MAX, began: Seq(u64::MAX) }; LIVES_TOLD_MAX];
    let lives = Lives::try_from(lives).expect("as many as are told");
    let frame = ClientFrame { tag: Tag(1), request: Request::ComeBack { hello, lives } };
    let bytes = codec::encode(&frame).expect("a frame");
    assert!(bytes.len() - codec::LENGTH_BYTES <= codec::HELLO_FRAME_BYTES_MAX, "{}", bytes.len());
}
