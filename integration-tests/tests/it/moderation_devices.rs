//! Keeping order among people who are here with several devices, as dialogues: what is done to
//! somebody is done to all of their devices. `jim*` is another device of jim's; somebody who logs
//! in "with a password" says "secret".

use chatroom_server::chat::Limits;
use integration_tests::stage::play_in_memory;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

/// Ann owns tea; jim is in it, with two devices.
const TEA: &str = "
        ann comes
        ann> create tea
        ann< created tea
        ann> join tea
        ann< joined tea
        jim comes
        ann< jim arrived in General
        jim> register secret
        jim< registered
        jim> join tea
        ann< jim joined tea
        jim< joined tea
        jim* logs in with a password
        jim*< welcome, in General, tea
";

#[test]
fn somebody_is_put_out_with_all_their_devices_and_each_hears_of_it() {
    check(&format!(
        "{TEA}
        ann> kick tea jim
        ann< done in tea
        jim< ann does in tea: kick jim
        jim*< ann does in tea: kick jim
        ann> about tea
        ann< tea has 1, owner ann, in it
        jim> public tea hello
        jim< refused: not in tea
        jim*> public tea hello
        jim*< refused: not in tea
        ann> public tea alone
        ann< posted
        # The second device comes in again with the first.
        jim*> join tea
        ann< jim joined tea
        jim< jim joined tea
        jim*< joined tea
        ann> about tea
        ann< tea has 2, owner ann, in it
        ann> public tea together
        jim< ann in tea: together
        jim*< ann in tea: together
        ann< posted
        "
    ));
}

#[test]
fn one_who_is_muted_speaks_with_no_device() {
    check(&format!(
        "{TEA}
        ann> mute tea jim
        ann< done in tea
        jim< ann does in tea: mute jim
        jim*< ann does in tea: mute jim
        jim> public tea hello
        jim< refused: muted in tea
        jim*> public tea hello
        jim*< refused: muted in tea
        jim' logs in with a password
        jim'< welcome, in General, tea
        jim'> public tea hello
        jim'< refused: muted in tea
        "
    ));
}

#[test]
fn a_device_of_one_who_is_banned_comes_into_the_other_groups_alone() {
    check(&format!(
        "{TEA}
        jim*> exit
        jim*< goodbye
        jim* is hung up on
        ann> ban tea jim
        ann< done in tea
        jim< ann does in tea: ban jim
        jim* logs in with a password
        jim*< welcome, in General
        jim*> join tea
        jim*< refused: banned from tea
        ann> public tea alone
        ann< posted
        "
    ));
}

#[test]
fn an_operator_keeps_order_with_any_device() {
    check(&format!(
        "{TEA}
        bob comes
        ann< bob arrived in General
        jim< bob arrived in General
        jim*< bob arrived in General
        bob> join tea
        ann< bob joined tea
        jim< bob joined tea
        jim*< bob joined tea
        bob< joined tea
        ann> op tea jim
        bob< ann does in tea: op jim
        jim< ann does in tea: op jim
        jim*< ann does in tea: op jim
        ann< done in tea
        jim*> kick tea bob
        ann< jim does in tea: kick bob
        bob< jim does in tea: kick bob
        jim< jim does in tea: kick bob
        jim*< done in tea
        "
    ));
}

#[test]
fn the_groups_of_one_who_gives_the_name_up_pass_on() {
    check(&format!(
        "{TEA}
        jim> create cake
        jim< created cake
        jim> join cake
        jim*< jim joined cake
        jim< joined cake
        ann> join cake
        jim< ann joined cake
        jim*< ann joined cake
        ann< joined cake
        jim*> unregister secret
        jim< closing: PasswordChanged
        jim is hung up on
        ann< jim departed
        ann< Group chat 'cake' is ann's now, because its owner is gone.
        jim*< The name is given up. Goodbye.
        jim* is hung up on
        ann> about cake
        ann< cake has 1, owner ann, in it
        ann> about tea
        ann< tea has 1, owner ann, in it
        "
    ));
}

#[test]
fn an_operator_of_the_server_who_gives_the_name_up_is_none() {
    check(&format!(
        "{TEA}
        jim*> operator
        jim*< done
        jim> server-bans
        jim< server-bans: none
        jim> unregister secret
        jim*< closing: PasswordChanged
        jim* is hung up on
        ann< jim departed
        jim< The name is given up. Goodbye.
        jim is hung up on
        jim comes
        ann< jim arrived in General
        jim> clients
        jim< refused: not an operator
        jim> register secret
        jim< registered
        jim> guess
        jim< refused: wrong code
        "
    ));
}

#[test]
fn somebody_is_disconnected_with_all_their_devices() {
    check(&format!(
        "{TEA}
        ann> register secret
        ann< registered
        ann> operator
        ann< done
        ann> clients
        ann< clients: ann in General+tea, jim in General+tea, jim in General+tea
        ann> disconnect jim
        ann< done
        jim< ann does: disconnect jim
        jim< closing: Disconnected
        jim is hung up on
        jim*< ann does: disconnect jim
        jim*< closing: Disconnected
        jim* is hung up on
        ann< jim departed
        ann> clients
        ann< clients: ann in General+tea
        jim* logs in again
        jim*< welcome back, in General, tea
        ann< jim arrived in General
        ann> server-ban jim
        ann< done
        jim*< ann does: server-ban jim
        jim*< closing: Disconnected
        jim* is hung up on
        ann< jim departed
        jim* logs in again
        jim*< refused: banned from the server
        jim* is hung up on
        jim' logs in with a password
        jim'< refused: banned from the server
        jim' is hung up on
        "
    ));
}
