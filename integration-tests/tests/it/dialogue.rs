//! Every case of every command, as dialogues on a server in memory. Those about what is kept play
//! on one with files, too.

use chatroom_proto::Retention;
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::dialogue::play;
use integration_tests::stage::{Real, play_in_memory};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

/// Plays on a server that keeps what is said: in memory, and with a log and an archive on disk.
async fn check_kept(dialogue: &str) {
    play_in_memory(Limits { retention: Retention::Everything, ..Limits::default() }, dialogue);
    play(Real::new(TestServer::keeping(Config::default()).await), dialogue).await;
}

#[test]
fn everyone_starts_in_general_and_is_announced_there() {
    check(
        "
        jim comes
        george comes
        jim< george arrived in General
        michael comes
        jim< michael arrived in General
        george< michael arrived in General
        ",
    );
}

#[test]
fn a_name_is_taken_whatever_its_case() {
    check(
        "
        Jim comes
        jim logs in
        jim< refused: Jim is taken
        jim is hung up on
        JIM logs in
        JIM< refused: Jim is taken
        JIM is hung up on
        ",
    );
}

#[test]
fn a_name_is_free_again_after_exit() {
    check(
        "
        jim comes
        jim> exit
        jim< goodbye
        jim is hung up on
        jim comes
        ",
    );
}

#[test]
fn versions_and_passwords_that_are_not_known_are_refused() {
    check(
        "
        jim logs in from version 7
        jim< refused: speaks 1 to 2
        jim is hung up on
        ann logs in with a password
        ann< refused: ann is not registered
        ann is hung up on
        ",
    );
}

#[test]
fn create_makes_a_group_once_and_joins_nobody() {
    check(
        "
        jim comes
        jim> create Tea
        jim< created Tea
        jim> public Tea anybody?
        jim< refused: not in Tea
        ann comes
        jim< ann arrived in General
        ann> create tea
        ann< refused: Tea exists
        ann> create general
        ann< refused: General exists
        ",
    );
}

#[test]
fn join_tells_the_members_and_nobody_else() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        bob comes
        jim< bob arrived in General
        ann< bob arrived in General
        jim> join tea
        jim< refused: no group tea
        jim> create Tea
        jim< created Tea
        jim> join tea
        jim< joined Tea
        ann> join TEA
        ann< joined Tea
        jim< ann joined Tea
        ann> join tea
        ann< refused: already in Tea
        ann> join General
        ann< refused: already in General
        ",
    );
}

#[test]
fn leave_tells_those_who_stay() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> leave tea
        jim< refused: no group tea
        jim> create tea
        jim< created tea
        jim> leave tea
        jim< refused: not in tea
        jim> join tea
        jim< joined tea
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        jim> leave tea
        jim< left tea
        ann< jim left tea
        ann> public tea still here
        ann< posted
        jim> leave tea
        jim< refused: not in tea
        ",
    );
}

#[test]
fn one_can_leave_general_and_come_back() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> leave General
        ann< left General
        jim< ann left General
        bob comes
        jim< bob arrived in General
        ann> join General
        ann< joined General
        jim< ann joined General
        bob< ann joined General
        ",
    );
}

#[test]
fn groups_come_in_the_order_of_creation_and_users_of_arrival() {
    check(
        "
        zoe comes
        zoe> groups
        zoe< groups: General
        zoe> create tea
        zoe< created tea
        zoe> create Art
        zoe< created Art
        amy comes
        zoe< amy arrived in General
        zoe> groups
        zoe< groups: General, tea, Art
        amy> users
        amy< users: zoe, amy
        ",
    );
}

#[test]
fn public_reaches_the_members_and_not_its_sender() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        bob comes
        jim< bob arrived in General
        ann< bob arrived in General
        jim> public tea hi
        jim< refused: no group tea
        jim> create tea
        jim< created tea
        jim> public tea hi
        jim< refused: not in tea
        jim> join tea
        jim< joined tea
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        ann> public tea hi jim
        ann< posted
        jim< ann in tea: hi jim
        bob> public general hello everyone
        bob< posted
        jim< bob in General: hello everyone
        ann< bob in General: hello everyone
        ",
    );
}

#[test]
fn private_reaches_one_person() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        bob comes
        jim< bob arrived in General
        ann< bob arrived in General
        jim> private eve are you there?
        jim< refused: nobody is eve
        jim> private ANN psst
        jim< posted
        ann< jim to ann: psst
        jim> private jim note to self
        jim< posted
        ",
    );
}

#[test]
fn exit_is_announced_once_to_all_who_share_a_group() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        bob comes
        jim< bob arrived in General
        ann< bob arrived in General
        eve comes
        jim< eve arrived in General
        ann< eve arrived in General
        bob< eve arrived in General
        # Jim shares General and tea with ann, tea with bob, General with zoe, and nothing with eve.
        eve> leave General
        eve< left General
        jim< eve left General
        ann< eve left General
        bob< eve left General
        bob> leave General
        bob< left General
        jim< bob left General
        ann< bob left General
        jim> create tea
        jim< created tea
        jim> join tea
        jim< joined tea
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        bob> join tea
        bob< joined tea
        jim< bob joined tea
        ann< bob joined tea
        zoe comes
        jim< zoe arrived in General
        ann< zoe arrived in General
        jim> exit
        jim< goodbye
        jim is hung up on
        ann< jim departed
        bob< jim departed
        zoe< jim departed
        eve> users
        eve< users: ann, bob, eve, zoe
        ",
    );
}

#[test]
fn hello_is_said_once() {
    check(
        "
        jim comes
        jim> hello
        jim< closing: HelloAgain
        jim is hung up on
        ",
    );
}

#[test]
fn what_is_asked_in_one_breath_is_answered_in_order() {
    check(
        "
        jim comes
        jim> create tea
        jim> join tea
        jim> public tea alone
        jim> groups
        jim> join coffee
        jim> ping
        jim> leave tea
        jim> leave tea
        jim< created tea
        jim< joined tea
        jim< posted
        jim< groups: General, tea
        jim< refused: no group coffee
        jim< pong
        jim< left tea
        jim< refused: not in tea
        ",
    );
}

#[test]
fn a_post_that_comes_again_is_kept_once() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> public General once
        jim< posted
        ann< jim in General: once
        jim> public General once
        jim< posted
        ann> public General once
        ann< posted
        jim< ann in General: once
        ",
    );
}

#[test]
fn groups_and_memberships_are_bounded() {
    play_in_memory(
        Limits { groups_max: 3, memberships_max: 2, ..Limits::default() },
        "
        jim comes
        jim> create tea
        jim< created tea
        jim> create art
        jim< created art
        jim> create war
        jim< refused: more than 3 groups
        jim> join tea
        jim< joined tea
        jim> join art
        jim< refused: in more than 2 groups
        jim> leave General
        jim< left General
        jim> join art
        jim< joined art
        ",
    );
}

#[test]
fn names_of_the_world_work() {
    check(
        "
        علی comes
        张伟 comes
        علی< 张伟 arrived in General
        张伟> create 🍵
        张伟< created 🍵
        张伟> join 🍵
        张伟< joined 🍵
        علی> join 🍵
        علی< joined 🍵
        张伟< علی joined 🍵
        علی> public 🍵 می‌خواهم چای
        علی< posted
        张伟< علی in 🍵: می‌خواهم چای
        ",
    );
}

#[test]
fn a_short_absence_is_told_to_nobody() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> create tea
        ann< created tea
        ann> join tea
        ann< joined tea
        ann vanishes
        ann logs in again
        ann< welcome back, in General, tea
        ann> public General here again
        ann< posted
        jim< ann in General: here again
        ",
    );
}

#[test]
fn a_second_connection_with_the_token_takes_over_from_the_first() {
    check(
        "
        jim comes
        jim' logs in again
        jim< closing: Replaced
        jim is hung up on
        jim'< welcome back, in General
        jim'> users
        jim'< users: jim
        ",
    );
}

#[test]
fn a_forged_token_opens_no_session() {
    check(
        "
        jim comes
        jim' logs in with a forgery
        jim'< refused: jim is taken
        jim' is hung up on
        jim vanishes
        jim' logs in with a forgery
        jim'< refused: jim is taken
        jim' is hung up on
        jim logs in again
        jim< welcome back, in General
        ann logs in with a forgery
        ann< welcome, in General
        jim< ann arrived in General
        ",
    );
}

#[test]
fn a_long_absence_is_a_departure() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann vanishes
        29 s pass
        eve comes
        jim< eve arrived in General
        eve> users
        eve< users: jim, ann, eve
        2 s pass
        jim< ann departed
        eve< ann departed
        eve> users
        eve< users: jim, eve
        ann returns
        jim< ann arrived in General
        eve< ann arrived in General
        eve> users
        eve< users: jim, eve, ann
        ",
    );
}

#[test]
fn a_name_is_held_for_its_owner_during_the_grace() {
    check(
        "
        jim comes
        jim vanishes
        jim' logs in
        jim'< refused: jim is taken
        31 s pass
        jim' logs in
        jim'< welcome, in General
        ",
    );
}

#[test]
fn a_resumed_session_has_its_whole_grace_again() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann vanishes
        20 s pass
        ann returns
        20 s pass
        ann vanishes
        20 s pass
        ann returns
        ann> ping
        ann< pong
        ",
    );
}

#[test]
fn of_two_who_want_one_name_the_first_in_the_log_wins() {
    check(
        "
        the log stops
        jim logs in
        jim' logs in
        the log goes on
        jim< welcome, in General
        jim'< refused: jim is taken
        jim' is hung up on
        ",
    );
}

#[test]
fn of_two_who_create_one_group_the_first_in_the_log_wins() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        the log stops
        ann> create tea
        jim> create Tea
        jim> join tea
        jim> groups
        the log goes on
        ann< created tea
        jim< refused: tea exists
        jim< joined tea
        jim< groups: General, tea
        ",
    );
}

#[test]
fn what_was_proposed_twice_over_two_connections_happens_once() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        the log stops
        ann> public General once
        ann> create tea
        ann vanishes
        ann logs in again
        the log goes on
        jim< ann in General: once
        ann< welcome back, in General
        ann> public General once
        ann< posted
        ann> create tea
        ann< created tea
        ann> create tea
        ann< refused: tea exists
        ",
    );
}

#[test]
fn an_exit_said_over_a_lost_connection_still_counts() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        the log stops
        ann' logs in again
        ann> exit
        the log goes on
        ann< closing: Replaced
        ann is hung up on
        ann'< welcome back, in General
        ann' is hung up on
        jim< ann departed
        ",
    );
}

#[test]
fn one_who_vanishes_before_the_welcome_leaves_nothing_behind() {
    check(
        "
        ann comes
        the log stops
        jim logs in
        jim vanishes
        the log goes on
        ann< jim arrived in General
        # He may have been welcomed, and come back.
        31 s pass
        ann< jim departed
        ann> users
        ann< users: ann
        jim comes
        ann< jim arrived in General
        ",
    );
}

#[test]
fn a_post_sent_again_in_a_new_session_is_kept_once() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> public General once
        ann< posted
        jim< ann in General: once
        ann vanishes
        31 s pass
        jim< ann departed
        ann returns
        jim< ann arrived in General
        ann> public General once
        ann< posted
        ",
    );
}

#[tokio::test]
async fn one_who_comes_back_is_in_their_groups_and_hears_what_was_said_there() {
    check_kept(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> create tea
        jim< created tea
        jim> join tea
        jim< joined tea
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        ann> exit
        ann< goodbye
        ann is hung up on
        jim< ann departed
        jim> public tea anybody?
        jim< posted
        jim> public General hello?
        jim< posted
        ann logs in again
        ann< welcome back, in General, tea
        ann< jim in tea: anybody?
        ann< jim in General: hello?
        ann< caught up
        jim< ann arrived in General
        jim> public tea there you are
        jim< posted
        ann< jim in tea: there you are
        ",
    )
    .await;
}

#[tokio::test]
async fn what_is_said_to_one_who_is_away_is_kept_for_them_and_not_for_their_name() {
    check_kept(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> exit
        ann< goodbye
        ann is hung up on
        jim< ann departed
        jim> private ann are you well?
        jim< ann is away. Your message is kept, and shown when ann is back.
        jim> private ann are you well?
        jim< ann is away. Your message is kept, and shown when ann is back.
        ann' logs in
        ann'< welcome, in General
        jim< ann arrived in General
        ann'> history @jim
        ann'< past: nothing
        ann'> search well
        ann'< past: nothing
        ann'> exit
        ann'< goodbye
        ann' is hung up on
        jim< ann departed
        ",
    )
    .await;
}

#[tokio::test]
async fn kept_messages_are_shown_once_to_the_one_they_are_for() {
    check_kept(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> exit
        ann< goodbye
        ann is hung up on
        jim< ann departed
        jim> private ann are you well?
        jim< ann is away. Your message is kept, and shown when ann is back.
        ann logs in again
        ann< welcome back, in General
        ann< jim to ann: are you well?
        ann< caught up
        jim< ann arrived in General
        ann> history @jim
        ann< past: jim with jim: are you well?
        jim> history @ann
        jim< past: jim with ann: are you well?
        jim> search WELL
        jim< past: jim with ann: are you well?
        ",
    )
    .await;
}

#[tokio::test]
async fn what_was_said_before_one_joined_is_not_missed_but_can_be_read() {
    check_kept(
        "
        jim comes
        jim> create tea
        jim< created tea
        jim> join tea
        jim< joined tea
        ann comes
        jim< ann arrived in General
        jim> public tea first
        jim< posted
        ann> history tea
        ann< refused: not in tea
        ann> search first
        ann< past: nothing
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        ann vanishes
        jim> public tea second
        jim< posted
        ann logs in again
        ann< welcome back, in General, tea
        ann< jim in tea: second
        ann< caught up
        ann> history tea 1
        ann< past: jim in tea: second and more
        ann> history tea
        ann< past: jim in tea: second, jim in tea: first
        ann> search first
        ann< past: jim in tea: first
        ann> leave tea
        ann< left tea
        jim< ann left tea
        ann> search first
        ann< past: nothing
        ",
    )
    .await;
}

#[test]
fn one_who_is_forgotten_comes_as_a_stranger() {
    let limits =
        Limits { retention: Retention::Everything, remembered_max: 1, ..Limits::default() };
    play_in_memory(
        limits,
        "
        jim comes
        ann comes
        jim< ann arrived in General
        eve comes
        jim< eve arrived in General
        ann< eve arrived in General
        # Eve leaves something behind, so she is remembered rather than Ann, who went later.
        eve> public General I was here
        eve< posted
        jim< eve in General: I was here
        ann< eve in General: I was here
        eve> exit
        eve< goodbye
        eve is hung up on
        jim< eve departed
        ann< eve departed
        ann> exit
        ann< goodbye
        ann is hung up on
        jim< ann departed
        jim> private ann where are you?
        jim< refused: nobody is ann
        jim> private eve where are you?
        jim< eve is away. Your message is kept, and shown when eve is back.
        ann logs in again
        ann< welcome, in General
        jim< ann arrived in General
        eve logs in again
        eve< welcome back, in General
        eve< jim to eve: where are you?
        eve< caught up
        jim< eve arrived in General
        ann< eve arrived in General
        ",
    );
}

#[test]
fn where_nothing_is_kept_nobody_who_is_away_is_written_to() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann> exit
        ann< goodbye
        ann is hung up on
        jim< ann departed
        jim> private ann are you well?
        jim< refused: nobody is ann
        jim> history General
        jim< refused: nothing is kept
        jim> search anything
        jim< refused: nothing is kept
        ",
    );
}

#[tokio::test]
async fn any_part_of_a_text_without_gaps_is_found_and_a_sign_is_no_word() {
    check_kept(
        "
        jim comes
        jim> public General 我好想要中文搜尋 🎉
        jim< posted
        jim> search 中文
        jim< past: jim in General: 我好想要中文搜尋 🎉
        jim> search 🎉
        jim< past: jim in General: 我好想要中文搜尋 🎉
        jim> search 文中
        jim< past: nothing
        jim> search ,
        jim< refused: no words
        ",
    )
    .await;
}

#[tokio::test]
async fn a_question_about_the_past_keeps_its_place_among_the_answers() {
    check_kept(
        "
        jim comes
        jim> public General one
        jim> history General
        jim> public General two
        jim> users
        jim> history General
        jim< posted
        jim< past: jim in General: one
        jim< posted
        jim< users: jim
        jim< past: jim in General: two, jim in General: one
        ",
    )
    .await;
}

#[test]
fn one_who_has_only_the_token_left_hears_everything_since_the_line_broke() {
    let limits = Limits { retention: Retention::Everything, ..Limits::default() };
    play_in_memory(
        limits,
        "
        jim comes
        ann comes
        jim< ann arrived in General
        ann vanishes
        jim> public General are you still there?
        jim< posted
        31 s pass
        jim< ann departed
        jim> public General I guess not
        jim< posted
        ann logs in with the token alone
        ann< welcome back, in General
        ann< jim in General: are you still there?
        ann< jim in General: I guess not
        ann< caught up
        jim< ann arrived in General
        ",
    );
}

#[test]
fn who_somebody_is_says_no_more_than_where_both_are() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        ann> create tea
        ann< created tea
        bob> join tea
        bob< joined tea
        ann> who Bob
        ann< bob is here, both in General
        ann> join tea
        ann< joined tea
        bob< ann joined tea
        ann> who BOB
        ann< bob is here, both in General, tea
        bob vanishes
        ann> who bob
        ann< bob is here, both in General, tea
        31 s pass
        ann< bob departed
        ann> who bob
        ann< bob is away, both in General, tea
        ann> who eve
        ann< refused: nobody is eve
        ann> who
        ann< users: ann
        ",
    );
}
