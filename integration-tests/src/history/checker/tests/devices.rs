//! One person with two devices, and people who are put out of a group.

use super::*;

/// One device of jim's.
const DESK: &str = "\
welcomed 1 new General
joining tea
joined tea 4
sent 0a #tea
acknowledged 0a 8
showed 9 8 0b jim #tea live
showed 10 0 0c jim @ann live
rested 12";
/// Another one.
const PHONE: &str = "\
newdevice
welcomed 5 new General tea
showed 8 0 0a jim #tea live
sent 0b #tea
acknowledged 0b 9
sent 0c @ann
acknowledged 0c 10
newdevice
welcomed 11 new General tea
rested 12";
const ANN: &str = "\
welcomed 2 new General
joining tea
joined tea 5
showed 8 0 0a jim #tea live
showed 9 8 0b jim #tea live
showed 10 0 0c jim @jim live
rested 12";

fn found(journals: [&str; 3]) -> Vec<Violation> {
    let named = ["jim", "jim", "ann"].into_iter().zip(journals);
    let read = |(name, text)| History::parse(user(name), &format!("{text}\n")).unwrap();
    check(&named.map(read).collect::<Vec<_>>(), None)
}

#[test]
fn what_one_says_is_shown_on_ones_other_devices() {
    assert_eq!(found([DESK, PHONE, ANN]), []);
    for (shown, id, seq) in
        [("showed 9 8 0b jim #tea live\n", 0xb, 9), ("showed 10 0 0c jim @ann live\n", 0xc, 10)]
    {
        let lost = Violation::NotShown { reader: user("jim"), id: post_id(id), seq: Seq(seq) };
        assert_eq!(found([&DESK.replace(shown, ""), PHONE, ANN]), [lost]);
    }
}

#[test]
fn a_device_may_miss_what_was_said_before_another_one_came_into_the_group_again() {
    let missed = |journal: &str| journal.replace("rested", "missed #tea\nrested");
    assert_eq!(found([DESK, &missed(PHONE), ANN]), [], "the other one has asked to come in");
    let place = Conversation::Group(group("tea"));
    let missing = Violation::SaidToBeMissing { reader: user("jim"), place };
    assert_eq!(found([&missed(DESK), PHONE, ANN]), [missing]);
}

#[test]
fn what_one_says_is_not_shown_on_the_device_that_said_it() {
    let phone = PHONE
        .replace("newdevice\nwelcomed 11", "showed 10 0 0c jim @ann live\nnewdevice\nwelcomed 11");
    let twice = Violation::ShownTwice { reader: user("jim"), id: post_id(0xc), seq: Seq(10) };
    assert_eq!(found([DESK, &phone, ANN]), [twice]);
}

#[test]
fn one_who_comes_as_a_stranger_was_forgotten_unless_it_is_a_new_device() {
    let phone = PHONE.replace("newdevice\nwelcomed 11", "welcomed 11");
    let forgotten = Violation::Forgotten { reader: user("jim"), seq: Seq(11) };
    assert_eq!(found([DESK, &phone, ANN]), [forgotten]);
}

#[test]
fn one_who_is_put_out_is_owed_nothing_from_there_on_and_must_be_shown_nothing() {
    let out = "showed 8 0 0a jim #tea live\nexpelled tea 8\n";
    let ann = ANN.replace("showed 8 0 0a jim #tea live\nshowed 9 8 0b jim #tea live\n", out);
    assert_eq!(found([DESK, PHONE, &ann]), []);
    let late = ann.replace("expelled tea 8\n", "expelled tea 8\nshowed 9 8 0b jim #tea live\n");
    let outside = Violation::ShownOutside { reader: user("ann"), id: post_id(0xb), seq: Seq(9) };
    assert_eq!(found([DESK, PHONE, &late]), [outside]);
    let in_vain = ann.replace("showed 8 0 0a jim #tea live\n", "");
    let lost = Violation::NotShown { reader: user("ann"), id: post_id(0xa), seq: Seq(8) };
    assert_eq!(found([DESK, PHONE, &in_vain]), [lost]);
}

#[test]
fn the_answer_to_a_join_that_comes_again_says_nothing_of_what_was_done_since() {
    let desk =
        DESK.replace("joined tea 4\n", "killed\nwelcomed 11 back General tea\njoined tea 4\n");
    let desk = desk.replace("showed 9 8 0b jim #tea live\n", "");
    assert_eq!(found([&desk, PHONE, ANN]), []);
}

#[test]
fn one_who_was_put_out_while_it_was_away_is_owed_what_it_had_seen_before() {
    let back = "welcomed 10 back General\nshowed 10 0 0c jim @jim live\n";
    let ann = ANN.replace(
        "showed 9 8 0b jim #tea live\nshowed 10 0 0c jim @jim live\n",
        &format!("killed\n{back}"),
    );
    assert_eq!(found([DESK, PHONE, &ann.replace("welcomed 10", "welcomed 9")]), []);
    // Nobody has put it out.
    let lost = Violation::NotShown { reader: user("ann"), id: post_id(0xb), seq: Seq(9) };
    assert_eq!(
        found([
            DESK,
            PHONE,
            &ann.replace("welcomed 10 back General", "welcomed 9 back General tea")
        ]),
        [lost]
    );
}
