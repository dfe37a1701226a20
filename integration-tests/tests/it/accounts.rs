//! Names that belong to somebody, as dialogues on a server in memory. `jim*` is
//! another device of jim's, `jim'` somebody who says that he is jim; somebody who logs in "with a
//! password" says "secret".

use chatroom_proto::{Request, Retention};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::dialogue::play;
use integration_tests::stage::{Real, play_in_memory};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

async fn check_kept(dialogue: &str) {
    play_in_memory(Limits { retention: Retention::Everything, ..Limits::default() }, dialogue);
    play(Real::new(TestServer::keeping(Config::default()).await), dialogue).await;
}

#[test]
fn a_registered_name_needs_its_password_whoever_had_it() {
    check(
        "
        jim comes
        jim> register secret
        jim< registered
        jim> exit
        jim< goodbye
        jim is hung up on
        jim' logs in
        jim'< refused: jim has a password
        jim' is hung up on
        jim' logs in with a forgery
        jim'< refused: jim has a password
        jim' is hung up on
        JIM logs in
        JIM< refused: jim has a password
        JIM is hung up on
        jim' logs in with a password
        jim'< welcome, in General
        ",
    );
}

#[test]
fn a_wrong_password_lets_nobody_in() {
    check(
        "
        jim comes
        jim> register other
        jim< registered
        jim' logs in with a password
        jim'< refused: that is not jim's password
        jim' is hung up on
        kim logs in with a password
        kim< refused: kim is not registered
        kim is hung up on
        ",
    );
}

#[test]
fn a_device_that_is_known_comes_back_without_the_password() {
    check(
        "
        jim comes
        jim> register secret
        jim< registered
        jim> exit
        jim< goodbye
        jim is hung up on
        jim returns
        ",
    );
}

#[test]
fn registering_again_or_without_an_account_is_refused() {
    check(
        "
        jim comes
        jim> passwd secret other
        jim< refused: jim is not registered
        jim> unregister secret
        jim< refused: jim is not registered
        jim> register secret
        jim< registered
        jim> register other
        jim< refused: jim is registered
        jim> passwd wrong other
        jim< refused: that is not jim's password
        jim> unregister wrong
        jim< refused: that is not jim's password
        ",
    );
}

#[test]
fn two_devices_are_one_person() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> register secret
        jim< registered
        jim> create tea
        jim< created tea
        jim> join tea
        jim< joined tea
        jim* logs in with a password
        jim*< welcome, in General, tea
        ann> users
        ann< users: jim, ann
        ann> join tea
        ann< joined tea
        jim< ann joined tea
        jim*< ann joined tea
        # What is said to one is heard by both, and what one says by the other.
        ann> public tea hello
        ann< posted
        jim< ann in tea: hello
        jim*< ann in tea: hello
        jim> public tea yes
        ann< jim in tea: yes
        jim*< jim in tea: yes
        jim< posted
        ann> private jim psst
        jim< ann to jim: psst
        jim*< ann to jim: psst
        ann< posted
        jim*> private ann what
        ann< jim to ann: what
        jim< jim to ann: what
        jim*< posted
        # Groups are those of the person.
        jim*> leave tea
        ann< jim left tea
        jim< jim left tea
        jim*< left tea
        jim> public tea gone
        jim< refused: not in tea
        jim> join tea
        ann< jim joined tea
        jim*< jim joined tea
        jim< joined tea
        # The first comes and the last goes; between that nobody is told.
        jim> exit
        jim< goodbye
        jim is hung up on
        ann> users
        ann< users: jim, ann
        jim*> exit
        ann< jim departed
        jim*< goodbye
        jim* is hung up on
        ann> private jim later
        ann< refused: nobody is jim
        ",
    );
}

#[test]
fn another_password_locks_the_other_devices_out_and_this_one_not() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> register secret
        jim< registered
        jim* logs in with a password
        jim*< welcome, in General
        jim*> passwd secret other
        jim< closing: PasswordChanged
        jim is hung up on
        jim*< The password is changed. Your other devices need the new one.
        ann> public General hi
        ann< posted
        jim*< ann in General: hi
        jim' logs in with a password
        jim'< refused: that is not jim's password
        jim' is hung up on
        ",
    );
}

#[test]
fn whoever_has_copied_a_token_has_nothing_after_the_password_was_changed() {
    check(
        "
        jim comes
        jim> register secret
        jim< registered
        jim> passwd secret secret
        jim< The password is changed. Your other devices need the new one.
        jim vanishes
        # The token of before.
        jim logs in again
        jim< refused: jim has a password
        jim is hung up on
        jim logs in with a password
        jim< welcome, in General
        ",
    );
}

#[test]
fn a_name_that_is_given_up_is_free_and_its_devices_are_gone() {
    check(
        "
        ann comes
        jim comes
        ann< jim arrived in General
        jim> register secret
        jim< registered
        jim* logs in with a password
        jim*< welcome, in General
        jim> create tea
        jim< created tea
        jim*> unregister secret
        ann< jim departed
        jim< closing: PasswordChanged
        jim is hung up on
        jim*< The name is given up. Goodbye.
        jim* is hung up on
        jim comes
        ann< jim arrived in General
        ann> users
        ann< users: ann, jim
        ",
    );
}

#[tokio::test]
async fn a_device_hears_what_the_others_said_while_it_was_away() {
    check_kept(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> register secret
        jim< registered
        jim* logs in with a password
        jim*< welcome, in General
        jim*> private ann one
        ann< jim to ann: one
        jim< jim to ann: one
        jim*< posted
        jim* vanishes
        jim> private ann two
        ann< jim to ann: two
        jim< posted
        jim> public General three
        ann< jim in General: three
        jim< posted
        ann> private jim four
        jim< ann to jim: four
        ann< posted
        # Not what it said itself, and everything else.
        jim* returns
        jim*< jim to ann: two
        jim*< jim in General: three
        jim*< ann to jim: four
        jim*< caught up
        jim*> history @ann
        jim*< past: ann with ann: four, jim with ann: two, jim with ann: one
        jim vanishes
        jim*> private ann five
        ann< jim to ann: five
        jim*< posted
        jim returns
        jim< jim to ann: five
        jim< caught up
        ",
    )
    .await;
}

#[test]
fn a_name_that_looks_like_that_of_somebody_here_is_refused() {
    check(
        "
        Jim comes
        # With a letter of Cyrillic.
        Jіm logs in
        Jіm< refused: looks like Jim
        Jіm is hung up on
        Tim comes
        Jim< Tim arrived in General
        Jim> exit
        Tim< Jim departed
        Jim< goodbye
        Jim is hung up on
        Jіm comes
        Tim< Jіm arrived in General
        Jim logs in
        Jim< refused: looks like Jіm
        Jim is hung up on
        ",
    );
}

#[test]
fn a_name_that_looks_like_a_registered_one_is_refused_though_nobody_is_here() {
    check(
        "
        Jim comes
        Jim> register secret
        Jim< registered
        Jim> exit
        Jim< goodbye
        Jim is hung up on
        Jіm logs in
        Jіm< refused: looks like Jim
        Jіm is hung up on
        Jim returns
        Jim> unregister secret
        Jim< The name is given up. Goodbye.
        Jim is hung up on
        Jіm comes
        ",
    );
}

#[test]
fn persian_names_work_with_either_yeh_and_a_joiner_and_are_no_disguise() {
    check(
        "
        علی comes
        علي logs in
        علي< refused: looks like علی
        علي is hung up on
        می‌نا comes
        علی< می‌نا arrived in General
        ",
    );
    check(
        "
        علي comes
        ",
    );
}

#[test]
fn a_group_that_looks_like_another_one_is_refused() {
    check(
        "
        jim comes
        jim> create tea
        jim< created tea
        jim> create teа
        jim< refused: looks like tea
        jim> create Gеneral
        jim< refused: looks like General
        jim> create tee
        jim< created tee
        ",
    );
}

#[test]
fn a_request_that_comes_in_another_stay_is_another_one() {
    check(
        "
        jim comes
        jim> register secret
        jim< registered
        jim> exit
        jim< goodbye
        jim is hung up on
        jim returns
        jim> register other
        jim< refused: jim is registered
        ",
    );
}

#[test]
fn one_who_has_left_general_with_one_device_is_not_put_back_by_another() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> register secret
        jim< registered
        jim> create tea
        jim< created tea
        jim> join tea
        jim< joined tea
        jim> leave General
        ann< jim left General
        jim< left General
        jim* logs in with a password
        jim*< welcome, in tea
        ann> public General hi
        ann< posted
        ",
    );
}

#[test]
fn what_a_forgotten_device_has_said_is_not_said_twice() {
    check(
        "
        jim comes
        ann comes
        jim< ann arrived in General
        jim> register other
        jim< registered
        jim> passwd other secret
        jim< The password is changed. Your other devices need the new one.
        jim* logs in with a password
        jim*< welcome, in General
        jim*> public General hello
        jim< jim in General: hello
        ann< jim in General: hello
        jim* vanishes
        jim> passwd secret secret
        jim< The password is changed. Your other devices need the new one.
        jim* logs in with a password
        jim*< welcome, in General
        # Its client had no answer, and says it again: nobody else hears it.
        jim*> public General hello
        jim*< posted
        ",
    );
}

#[test]
fn a_device_is_remembered_whoever_comes_and_goes() {
    let limits = Limits { remembered_max: 1, ..Limits::default() };
    let dialogue = "
        jim comes
        jim> register secret
        jim< registered
        jim* logs in with a password
        jim*< welcome, in General
        jim*> exit
        jim*< goodbye
        jim* is hung up on
        jim> exit
        jim< goodbye
        jim is hung up on
        kim comes
        kim> exit
        kim< goodbye
        kim is hung up on
        lea comes
        lea> exit
        lea< goodbye
        lea is hung up on
        jim* returns
        jim returns
        ";
    play_in_memory(limits, dialogue);
}

#[tokio::test]
async fn those_who_wait_for_passwords_stop_nobody() {
    use integration_tests::test_client::{TestClient, password};
    let host = TestServer::start_with(Config::default());
    let mut crowd = Vec::new();
    for number in 0..12 {
        let mut guest = TestClient::come(host.address, &format!("guest{number}")).await;
        guest.say(Request::Register { password: password("secret") }).await;
        for _ in 0..254 {
            guest.say(Request::Ping).await;
        }
        crowd.push(guest);
    }
    TestClient::come(host.address, "late").await.do_(Request::Ping).await;
}
