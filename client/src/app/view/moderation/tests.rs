use chatroom_proto::{Notification, Page, Seq, Topic};

use super::*;
use crate::app::view::tests::{group, lines, user, view};

fn reason(text: &str) -> Option<Reason> {
    Some(Reason::parse(text).unwrap())
}

fn kick() -> Moderation {
    Moderation::Kick { user: user("Jim"), reason: reason("spam") }
}

fn ban(seconds: u32) -> Moderation {
    Moderation::Ban { user: user("Jim"), seconds: NonZeroU32::new(seconds), reason: None }
}

fn ask(act: Moderation) -> Request {
    Request::Moderate { group: group("G1"), act }
}

fn acts() -> Vec<Moderation> {
    let user = || user("Jim");
    vec![
        kick(),
        ban(60),
        Moderation::Unban { user: user() },
        Moderation::Mute { user: user(), seconds: None, reason: reason("later") },
        Moderation::Unmute { user: user() },
        Moderation::Topic { topic: Topic::parse("Tea").ok() },
        Moderation::Topic { topic: None },
        Moderation::Lock,
        Moderation::Unlock,
        Moderation::Invite { user: user() },
        Moderation::Op { user: user() },
        Moderation::Deop { user: user() },
    ]
}

#[test]
fn each_reader_is_told_in_words_that_fit() {
    let (ann, g1, jim) = (user("Ann"), group("G1"), user("JIM"));
    let said = |act: &Moderation, me| view().moderated(&ann, &g1, act, me);
    assert_eq!(said(&kick(), None), "Ann has put Jim out of group chat 'G1': spam");
    assert_eq!(said(&kick(), Some(&jim)), "Ann has put you out of group chat 'G1': spam");
    assert_eq!(
        view().you_moderated(&ask(kick()), &g1).unwrap(),
        "You have put Jim out of group chat 'G1': spam"
    );
    assert_eq!(
        said(&ban(600), Some(&ann)),
        "Ann has banned Jim from group chat 'G1' for 10 minutes."
    );
    assert_eq!(
        said(&Moderation::Invite { user: user("Jim") }, Some(&jim)),
        "Ann has invited you to group chat 'G1'. To become a member: join G1"
    );
    for act in acts() {
        let text = said(&act, None);
        assert!(
            text.starts_with("Ann has ") && text.contains("'G1'") && !text.contains("  "),
            "{text}"
        );
    }
}

#[test]
fn a_group_that_passes_on_is_somebodys_or_ones_own() {
    let (jim, g1) = (user("Jim"), group("G1"));
    let news = Notification::PassedOn { seq: Seq(1), group: g1.clone(), to: jim.clone() };
    let theirs = "Group chat 'G1' is Jim's now, because its owner is gone.";
    assert_eq!(view().notification(&news, None).unwrap(), theirs);
    assert_eq!(
        view().passed_on(&g1, &jim, Some(&user("JIM"))),
        "Group chat 'G1' is yours now, because its owner is gone."
    );
    assert_eq!(view().passed_on(&g1, &jim, Some(&user("Ann"))), theirs);
}

#[test]
fn a_span_is_told_in_the_largest_unit_that_is_exact() {
    let said = |seconds| span(NonZeroU32::new(seconds));
    assert_eq!(said(1), " for 1 second");
    assert_eq!(said(90), " for 90 seconds");
    assert_eq!(said(7_200), " for 2 hours");
    assert_eq!(said(7 * 24 * 3_600), " for 7 days");
}

#[test]
fn every_refusal_about_moderation_says_what_to_do() {
    let g1 = || group("G1");
    let said = |request: &Request, refusal| view().refusal(request, &refusal, None);
    let join = Request::Join { group: g1() };
    assert_eq!(
        said(&ask(kick()), Refusal::NotAllowed { group: g1() }),
        "Only the owner and the operators of group chat 'G1' can do that. To see who that is: \
         about G1"
    );
    assert_eq!(
        said(&join, Refusal::Banned { group: g1(), until: Some(UnixMillis(1_700_000_000_000)) }),
        "You are banned from group chat 'G1' until 2023-11-15 01:13. To read why: why G1 \
         [your-name]"
    );
    assert_eq!(
        said(
            &ask(Moderation::Invite { user: user("Jim") }),
            Refusal::Banned { group: g1(), until: None }
        ),
        "Jim is banned from group chat 'G1'. Lift that first: unban G1 Jim"
    );
    assert_eq!(
        said(&join, Refusal::InvitationOnly { group: g1() }),
        "Group chat 'G1' is locked: only those can join who are invited. To see whom to ask: about \
         G1"
    );
    assert_eq!(
        said(&ask(kick()), Refusal::AlreadySo { group: g1() }),
        "Jim is not in group chat 'G1'. To keep somebody out: ban G1 Jim"
    );
    let refusals = [
        Refusal::OutOfReach { group: g1(), user: user("Ann") },
        Refusal::NotOneself,
        Refusal::TooManyMarks { limit: 9 },
        Refusal::Muted { group: g1(), until: None },
        Refusal::AlreadySo { group: g1() },
    ];
    for (act, refusal) in
        acts().iter().flat_map(|act| refusals.iter().map(move |refusal| (act, refusal)))
    {
        let text = said(&ask(act.clone()), refusal.clone());
        assert!(!text.contains("Refusal") && !text.contains("refused"), "{text}");
    }
}

#[test]
fn what_was_done_is_listed_with_its_times_the_newest_last() {
    let acted = |seq, act| ModerationRecord {
        seq: Seq(seq),
        at: UnixMillis(seq * 1_000),
        by: user("Ann"),
        act,
    };
    let why = |user| Request::Why { group: group("G1"), user };
    let acts = [acted(2, kick()), acted(1, Moderation::Lock)];
    assert_eq!(
        lines().acts(&why(None), &group("G1"), &acts, UnixMillis(0)).unwrap(),
        "[1970-01-01T00:00:01.000Z] Ann has locked group chat 'G1': only those can join who are \
         invited.\n\
         [1970-01-01T00:00:02.000Z] Ann has put Jim out of group chat 'G1': spam"
    );
    let nothing = |user| view().acts(&why(user), &group("G1"), &[], UnixMillis(0)).unwrap();
    assert_eq!(
        nothing(None),
        "Nothing that was done in group chat 'G1' to keep order is remembered."
    );
    assert_eq!(
        nothing(Some(user("Jim"))),
        "Nothing that was done to Jim in group chat 'G1' to keep order is remembered."
    );
}

#[test]
fn a_group_is_described_in_a_few_lines() {
    let about = About {
        group: group("G1"),
        owner: Some(user("Ann")),
        ops: Page::fill([user("Bob"), user("Eve")]),
        topic: Some(Headline {
            topic: Topic::parse("Tea").unwrap(),
            by: user("Bob"),
            at: UnixMillis(0),
        }),
        locked_since: Some(UnixMillis(0)),
        members: 3,
        is_member: false,
        is_invited: true,
        is_muted: true,
        muted_until: None,
    };
    assert_eq!(
        view().about(&about),
        "Group chat 'G1' is Ann's, and has 3 members.\nIts operators: Bob, Eve\nIts topic, by Bob \
         on 03:00: Tea\n\
         It is locked since 03:00: only those can join who are invited.\nYou are invited. To \
         become a member: join G1\nYou can't speak in it."
    );
}
