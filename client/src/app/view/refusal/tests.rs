use chatroom_proto::{BanTarget, Operation, Password, Token};

use super::*;
use crate::app::view::tests::{group, user, view};

fn refused(refusal: &Refusal) -> String {
    view().refusal(&Request::Join { group: group("x") }, refusal, None)
}

fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).unwrap()
}

#[test]
fn every_refusal_says_what_happened_and_what_to_do() {
    let g1 = || group("G1");
    assert_eq!(
        refused(&Refusal::GroupExists { group: g1() }),
        "There is already a group chat with name 'G1'. To become a member: join G1"
    );
    assert_eq!(
        refused(&Refusal::NoSuchGroup { group: group("nope") }),
        "There is no group chat with name 'nope'. Type 'groups' to see what there is, or 'create \
         nope' to make it."
    );
    assert_eq!(
        refused(&Refusal::AlreadyMember { group: g1() }),
        "You are already in group chat 'G1'. To say something: public G1 [message]"
    );
    assert_eq!(
        refused(&Refusal::NotMember { group: g1() }),
        "You are not in group chat 'G1'; join it first: join G1"
    );
    assert_eq!(
        refused(&Refusal::NoSuchUser { name: user("Jom") }),
        "There is no user with name 'Jom'. Type 'users' to see who is online."
    );
    assert_eq!(
        refused(&Refusal::NoWords),
        "There is no word in that to look for. A search finds words, numbers and symbols such as \
         🎉, and leaves out punctuation."
    );
    assert_eq!(
        refused(&Refusal::MarkedName),
        "No new name begins with '@' or '/': in a command, they mean something else. Choose \
         another one."
    );
    assert_eq!(
        refused(&Refusal::TooManyGroups { limit: 9 }),
        "The server holds 9 group chats, and that is all it will. Type 'groups' to see them, and \
         join one."
    );
    assert_eq!(
        refused(&Refusal::TooManyMemberships { limit: 9 }),
        "You are in 9 group chats, and nobody can be in more. Leave one first: leave [group-name]"
    );
    assert_eq!(
        refused(&Refusal::NameTaken { name: user("Jim") }),
        "The name 'Jim' is taken. Choose another one. If that was you a moment ago: half a minute \
         after a connection is lost, its name is free again."
    );
    assert_eq!(
        refused(&Refusal::NameLooksLike { name: user("Jim") }),
        "That name looks like 'Jim', which is taken. Choose one that can't be confused with it."
    );
    assert_eq!(
        refused(&Refusal::GroupLooksLike { group: g1() }),
        "That name looks like group chat 'G1'. Choose one that can't be confused with it, or join \
         that one: join G1"
    );
    assert_eq!(
        refused(&Refusal::NotRegistered { name: user("Jim") }),
        "The name 'Jim' is not registered, so it has no password. To make it yours: register"
    );
    assert_eq!(
        refused(&Refusal::PasswordNeeded { name: user("Jim") }),
        "The name 'Jim' belongs to somebody who has registered it. If that is you, its password is \
         needed (--password-file FILE); otherwise choose another name."
    );
    assert_eq!(
        refused(&Refusal::WrongPassword { name: user("Jim") }),
        "That is not the password of 'Jim'. Try again, or choose another name."
    );
    let change = Request::ChangePasswordAndToken {
        old: password("a"),
        new: password("b"),
        token: Token([1; 32]),
    };
    for request in [change, Request::Unregister { password: password("a") }] {
        assert_eq!(
            view().refusal(&request, &Refusal::WrongPassword { name: user("Jim") }, None),
            "That is not the password of 'Jim', so nothing was changed. Try again."
        );
    }
    assert_eq!(
        refused(&Refusal::TooManyTries { retry_after_ms: 1_001 }),
        "Too many passwords were tried. Try again in 2 s."
    );
    assert_eq!(
        refused(&Refusal::AlreadyRegistered { name: user("Jim") }),
        "The name 'Jim' is yours already. For another password: passwd"
    );
    assert!(refused(&Refusal::PasswordInTheOpen).contains("--tls"));
}

#[test]
fn a_refusal_names_what_was_meant() {
    let request = Request::Join { group: group("Generl") };
    let refusal = Refusal::NoSuchGroup { group: group("Generl") };
    assert_eq!(
        view().refusal(&request, &refusal, Some("General")),
        "There is no group chat with name 'Generl'. Did you mean 'General'?"
    );
    let refusal = Refusal::NoSuchUser { name: user("Jom") };
    assert_eq!(
        view().refusal(&request, &refusal, Some("Jim")),
        "There is no user with name 'Jom'. Did you mean 'Jim'?"
    );
    let leave = Request::Leave { group: group("G1") };
    assert_eq!(
        view().refusal(&leave, &Refusal::NotMember { group: group("G1") }, None),
        "You are not in group chat 'G1', so there is nothing to leave."
    );
    let why = Request::Why { group: group("G1"), user: None };
    assert_eq!(
        view().refusal(&why, &Refusal::NotMember { group: group("G1") }, None),
        "You are not in group chat 'G1', so you can only read what was done to yourself: why G1 \
         [your-name]"
    );
}

#[test]
fn one_who_bans_nobody_is_told_the_forms_that_there_are() {
    let ban = |name| {
        let act = Operation::Ban { whom: BanTarget::User(user(name)), seconds: None, reason: None };
        (Request::Operate { act }, Refusal::NoSuchUser { name: user(name) })
    };
    let forms = "Addresses are written so: 192.0.2.1, 192.0.2.0/24, 192.0.2.*, 2001:db8::1, \
                 2001:db8::/32.";
    let (request, refusal) = ban("127.0.0.300");
    assert_eq!(
        view().refusal(&request, &refusal, None),
        format!(
            "There is no user with name '127.0.0.300', nor was there lately, and it is no address. \
             {forms}"
        )
    );
    let (request, refusal) = ban("Jom");
    assert_eq!(
        view().refusal(&request, &refusal, Some("Jim")),
        format!(
            "There is no user with name 'Jom', nor was there lately, and it is no address. Did you \
             mean 'Jim'? {forms}"
        )
    );
    let (request, refusal) = ban("127.0.0.3");
    assert_eq!(
        view().refusal(&request, &refusal, None),
        "There is no user with name '127.0.0.3', nor was there lately. For the address, leave out \
         the @."
    );
    assert_eq!(
        refused(&Refusal::NoSuchUser { name: user("127.0.0.*") }),
        "There is no user with name '127.0.0.*'. That is an address, and only 'server-ban' takes \
         one; 'clients' shows operators of the server who comes from where."
    );
}

#[test]
fn versions_that_do_not_meet_are_named() {
    let version = |min, max| VersionRange::try_from((min, max)).unwrap();
    assert_eq!(
        refused(&Refusal::UnsupportedVersion { server: version(3, 4) }),
        "This server speaks version 3 to 4 of the protocol, this program version 2. Get a \
         newer version of this program."
    );
    assert_eq!(
        refused(&Refusal::UnsupportedVersion { server: version(0, 0) }),
        "This server speaks version 0 of the protocol, this program version 2. Get an \
         older version of this program, or update the server."
    );
}
