use chatroom_proto::Post;

use super::*;
use crate::app::view::tests::{group, lines, post, user, view};

/// 2026-11-24T06:15:02.123Z, a quarter past nine where the view is.
const AT: UnixMillis = UnixMillis(1_795_500_902_123);

/// Two hours later.
const NOW: UnixMillis = UnixMillis(AT.0 + 2 * 3_600_000);

const DAY_MS: u64 = 24 * 3_600_000;

fn post_at(from: &str, text: &str, at: UnixMillis) -> Post {
    Post { at, ..post(from, text) }
}

fn in_group(name: &str, text: &str) -> Notification {
    Notification::GroupPost { post: post_at("Ann", text, AT), group: group(name) }
}

fn in_private(from: &str) -> Notification {
    Notification::PrivatePost { post: post_at(from, "psst", AT), to: user("Jim") }
}

fn missed_summary(said: impl IntoIterator<Item = Notification>) -> MissedSummary {
    let mut said = said.into_iter().peekable();
    let mut missed_summary =
        MissedSummary::new(Some(UnixMillis(AT.0 - 180_000)), said.peek().unwrap());
    said.for_each(|said| missed_summary.add(said));
    missed_summary
}

fn said(place: Conversation, from: &str, text: &str) -> ArchivedPost {
    ArchivedPost { place, post: post_at(from, text, AT) }
}

#[test]
fn a_time_is_local_and_has_a_date_unless_it_is_today() {
    assert_eq!(view().moment(AT, NOW), "09:15");
    assert_eq!(view().moment(AT, UnixMillis(AT.0 + DAY_MS)), "2026-11-24 09:15");
    // Before midnight in Greenwich, and after it here.
    let late = UnixMillis(AT.0 + 16 * 3_600_000);
    assert_eq!(view().moment(late, UnixMillis(late.0 + DAY_MS)), "2026-11-25 01:15");
    assert_eq!(
        view().moment(UnixMillis(u64::MAX), NOW),
        view().moment(UnixMillis(u64::MAX - 1), NOW)
    );
}

#[test]
fn what_was_missed_is_shown_with_its_time_and_since_when() {
    assert_eq!(
        view().missed_summary(
            &missed_summary([in_group("G1", "hi\nthere"), in_private("Ann")]),
            None,
            NOW
        ),
        "--- 2 new since 09:12 ---\n\
         [09:15] In group G1, Ann: hi\n    there\n\
         [09:15] Private message from Ann: psst"
    );
}

#[test]
fn programs_get_the_whole_time_and_one_line() {
    assert_eq!(
        lines().replayed(&in_group("G1", "hi\nthere"), None, NOW).unwrap(),
        r"[2026-11-24T06:15:02.123Z] In group G1, Ann: hi\nthere"
    );
    assert_eq!(
        lines()
            .replayed(
                &Notification::GroupPost { post: post("Ann", "hi"), group: group("G1") },
                None,
                NOW
            )
            .unwrap(),
        "[1970-01-01T00:00:00.000Z] In group G1, Ann: hi"
    );
}

#[test]
fn of_very_many_the_newest_are_shown_with_a_hint_how_to_get_the_rest() {
    let many = |count: usize, from: &str| {
        let said = (0..count).map(|number| in_group("G1", &number.to_string()));
        view().missed_summary(
            &missed_summary([in_private(from)].into_iter().chain(said)),
            None,
            NOW,
        )
    };
    let shown = many(50, "Ann");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 52);
    assert_eq!(lines[0], "--- 51 new since 09:12 ---");
    assert_eq!(
        lines[1],
        "These are the newest 50. For more: history [group-name|@username] [count]"
    );
    assert_eq!(
        (lines[2], lines[51]),
        ("[09:15] In group G1, Ann: 0", "[09:15] In group G1, Ann: 49")
    );
    assert_eq!(many(49, "Ann").lines().count(), 51, "no hint when all are shown");

    let of_one = |count: usize, said: Notification| {
        let shown = view().missed_summary(&missed_summary(vec![said; count]), None, NOW);
        shown.lines().nth(1).unwrap().to_owned()
    };
    assert!(of_one(51, in_group("G1", "x")).ends_with("For more: history G1 51"));
    assert!(of_one(60, in_private("Ann")).ends_with("For more: history @Ann 60"));
    assert!(of_one(5_000, in_group("G1", "x")).ends_with("For more: history G1 1000"));
}

#[test]
fn an_absence_of_unknown_length_begins_with_what_was_said_first() {
    let mut missed_summary = MissedSummary::new(None, &in_private("Ann"));
    missed_summary.add(in_private("Ann"));
    assert!(
        view()
            .missed_summary(&missed_summary, None, NOW)
            .starts_with("--- 1 new since 09:15 ---\n")
    );
}

#[test]
fn a_history_is_read_downwards_and_what_was_found_begins_with_the_newest() {
    let g1 = Conversation::Group(group("G1"));
    let page = [said(g1.clone(), "Jim", "second"), said(g1.clone(), "Ann", "first")];
    let [first, second] =
        ["[09:15] #2 In group G1, Ann: first", "[09:15] #2 In group G1, Jim: second"];
    assert_eq!(view().history(&g1, (&page, &[]), (None, NOW)), format!("{first}\n{second}"));
    assert_eq!(view().found(&page, (None, NOW)), format!("{second}\n{first}"));
    assert_eq!(
        view().history(&g1, (&[], &[]), (None, NOW)),
        "Nothing was said in group chat 'G1' yet."
    );
    assert_eq!(
        view().found(&[], (None, NOW)),
        "No message was found that has all of these words in it."
    );
}

#[test]
fn in_private_it_is_told_who_said_it_to_whom() {
    let ann = Conversation::User(user("Ann"));
    let page = [said(ann.clone(), "Jim", "answer"), said(ann.clone(), "ann", "question")];
    assert_eq!(
        view().history(&ann, (&page, &[]), (None, NOW)),
        "[09:15] #2 Private message from ann: question\n[09:15] #2 Private message to Ann: answer"
    );
    assert_eq!(
        view().history(&ann, (&[], &[]), (None, NOW)),
        "Nothing was said between you and 'Ann' yet."
    );
}

#[test]
fn earlier_messages_are_offered_with_how_long_they_are_kept() {
    let offers = |retention| view().earlier(&group("G1"), retention);
    assert_eq!(offers(Retention::Everything), "Earlier messages: history G1");
    assert_eq!(offers(Retention::Days(30)), "Earlier messages: history G1 (kept for 30 days)");
    assert_eq!(offers(Retention::Days(1)), "Earlier messages: history G1 (kept for a day)");
    let longest = view().earlier(&group(&"x".repeat(32)), Retention::Days(30));
    assert!(longest.chars().count() <= 80);
}

#[test]
fn what_is_sent_again_is_said() {
    assert_eq!(view().sent_again(1), "1 message from last time is sent again.");
    assert_eq!(view().sent_again(2), "2 messages from last time are sent again.");
    assert_eq!(view().sent_next_time(0, &user("Jim")), None);
    assert_eq!(
        view().sent_next_time(2, &user("Jim")).unwrap(),
        "2 messages are kept, and sent when Jim is back."
    );
    assert!(view().no_state("/x", "another client uses it").contains("--state FILE"));
}

#[test]
fn what_others_wrote_is_harmless_here_too() {
    let text = "\u{202e}drow";
    let ann = Conversation::User(user("Ann"));
    for view in [view(), lines()] {
        let texts = [
            view.missed_summary(&missed_summary([in_group("G1", text)]), None, NOW),
            view.history(&ann, (&[said(ann.clone(), "Jim", text)], &[]), (None, NOW)),
        ];
        assert!(texts.iter().all(|text| !text.contains('\u{202e}')), "{texts:?}");
    }
}
