use std::fs;
use std::os::unix::fs::PermissionsExt;

use chatroom_proto::{Life, Membership, Page, PostId, Retention, UnixMillis};
use tempfile::TempDir;

use super::*;
use crate::link::tests::fake::{body, group, user};

fn welcome(token: u8, seq: u64) -> Welcome {
    Welcome {
        version: 1,
        name: user("Jim"),
        token: Token([token; 32]),
        resumed: false,
        grace_ms: 0,
        seq: Seq(seq),
        groups: Page::fill([Membership { group: group("General"), head: Seq(3) }]),
        retention: Retention::Everything,
    }
}

fn post(id: u8) -> Request {
    Request::Public { group: group("General"), id: PostId([id; 16]), body: body("hi") }
}

fn posted(seq: u64) -> Result<Response, Refusal> {
    Ok(Response::Posted { seq: Seq(seq), at: UnixMillis(0) })
}

/// A session begins.
fn begin(journal: &Journal, welcome: &Welcome, session: u32) {
    let news = WelcomeNews { lives: &Lives::default(), put_back: None, goes_on: false, session };
    journal.welcomed(&user("Jim"), welcome, news);
}

/// The first session goes on, in a log with these lives.
fn go_on(journal: &Journal, welcome: &Welcome, put_back: Option<Seq>) {
    let lives = [Life { id: 1, began: Seq(1) }, Life { id: 2, began: Seq(15) }];
    let lives = Lives::try_from(lives.to_vec()).unwrap();
    let session = if put_back.is_some() { 2 } else { 1 };
    let news = WelcomeNews { lives: &lives, put_back, goes_on: true, session };
    journal.welcomed(&user("Jim"), welcome, news);
}

fn place(session: u32, seen: u64) -> Cursor {
    Cursor { session, seen: Seq(seen) }
}

fn open(path: &Path) -> (Journal, JournalState) {
    let (journal, state, kept) = Journal::open(Some(path), &user("Jim"));
    assert!(kept.fault.is_none(), "{:?}", kept.fault);
    (journal, state)
}

fn fault(path: &Path, name: &str) -> KeepError {
    Journal::open(Some(path), &user(name)).2.fault.expect("something is wrong with it")
}

/// A client came, said two things, of which one was answered, and took events up to 12.
fn some_life(path: &Path) {
    let (journal, _) = open(path);
    begin(&journal, &welcome(1, 10), 1);
    journal.asked(&post(1));
    journal.asked(&post(2));
    journal.answered(&post(1), &posted(20), false);
    journal.handed(place(1, 12));
}

fn seen(state: &JournalState) -> u64 {
    state.seen().unwrap_or_default().0
}

#[test]
fn what_was_kept_is_there_again() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("state/clients/jim");
    some_life(&path);
    let (_, state, kept) = Journal::open(Some(&path), &user("jim"));
    assert_eq!((Vec::from(state.posts.clone()), kept.sent_again), (vec![post(2)], 1));
    assert!(kept.last_used.is_some());
    let session = state.session.unwrap();
    assert_eq!((session.token.clone(), session.seen), (Token([1; 32]), Seq(12)));
    let places: Vec<_> = session.places().collect();
    assert_eq!(places, [(&Conversation::Group(group("General")), Seq(20))]);
}

#[test]
fn nobody_else_can_read_it_even_where_it_was_readable() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("state/clients/jim");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    some_life(&path);
    assert_eq!(mode(&path), 0o600);
    assert_eq!((mode(path.parent().unwrap()), mode(&home.path().join("state"))), (0o700, 0o700));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_tail_that_is_torn_anywhere_was_never_there() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    some_life(&path);
    let whole = fs::read(&path).unwrap();
    let mut seens = Vec::new();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (journal, state) = open(&path);
        seens.push(seen(&state));
        // It is appended to as if nothing had been there.
        begin(&journal, &welcome(2, 99), 1);
        drop(journal);
        assert_eq!(seen(&open(&path).1), 99);
    }
    assert!(seens.is_sorted());
    assert_eq!((seens.first(), seens.last()), (Some(&0), Some(&12)));
    assert!(seens.contains(&10));
}

#[test]
fn of_a_file_that_is_damaged_in_the_middle_the_rest_is_used() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    some_life(&path);
    let whole = fs::read(&path).unwrap();
    let mut found = [0, 0, 0];
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let (journal, state, kept) = Journal::open(Some(&path), &user("Jim"));
        match kept.fault {
            Some(KeepError::Foreign) => found[0] += 1,
            Some(KeepError::Damaged) => found[1] += 1,
            None => found[2] += 1,
            Some(other) => panic!("{other}"),
        }
        assert!([0, 10, 12].contains(&seen(&state)), "at {at}: a place that never was");
        assert!(state.posts.iter().all(|known| *known == post(1) || *known == post(2)));
        drop(journal);
    }
    assert!(found.iter().all(|&times| times > 0), "{found:?}");
}

#[test]
fn behind_a_damage_only_a_session_that_begins_says_how_far_the_client_came() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    some_life(&path);
    let before = fs::read(&path).unwrap().len();
    {
        let (journal, _) = open(&path);
        begin(&journal, &welcome(2, 500), 1);
        journal.handed(place(1, 510));
    }
    let mut bytes = fs::read(&path).unwrap();
    // What a session begins with is behind what was compacted; its token is at the end of the
    // record.
    let begins = bytes.windows(32).position(|window| window == [2; 32]).unwrap();
    assert!(begins < before + 200);
    bytes[begins] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (journal, state, kept) = Journal::open(Some(&path), &user("Jim"));
    assert!(matches!(kept.fault, Some(KeepError::Damaged)));
    assert_eq!((seen(&state), state.session.unwrap().token), (12, Token([1; 32])));
    // And from then on it is trusted again.
    journal.handed(place(0, 13));
    drop(journal);
    assert_eq!(seen(&open(&path).1), 13);
}

#[test]
fn one_client_at_a_time_uses_it() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (first, _) = open(&path);
    begin(&first, &welcome(1, 10), 1);
    assert!(matches!(fault(&path, "Jim"), KeepError::InUse));
    first.handed(place(1, 11));
    let handle = JournalHandle::new(first);
    let of_the_link = handle.share();
    drop(handle);
    // The link may live on for a moment; what it says is forgotten.
    let (_second, state) = open(&path);
    of_the_link.handed(place(1, 12));
    assert_eq!(seen(&state), 11);
}

#[test]
fn what_is_no_journal_or_somebody_elses_is_left_alone() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    some_life(&path);
    assert!(matches!(fault(&path, "Ann"), KeepError::OtherName(name) if name == user("Jim")));
    assert_eq!(seen(&open(&path).1), 12);
    fs::write(&path, "dear diary").unwrap();
    assert!(matches!(fault(&path, "Jim"), KeepError::Foreign));
    assert_eq!(fs::read(&path).unwrap(), b"dear diary");
    assert!(matches!(fault(home.path(), "Jim"), KeepError::Io(_)));
    assert!(matches!(fault(&path.join("below"), "Jim"), KeepError::Io(_)));
}

#[test]
fn it_is_compacted_while_it_is_used_and_says_the_same() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 10), 1);
    journal.asked(&post(1));
    let mut longest = 0;
    for seen in 11..150_000 {
        journal.handed(place(1, seen));
        if seen % 1_000 == 0 {
            longest = fs::metadata(&path).unwrap().len().max(longest);
        }
    }
    assert!(longest < 2 * 1024 * 1024, "{longest} bytes");
    assert!(matches!(fault(&path, "Jim"), KeepError::InUse), "it is locked all the same");
    drop(journal);
    let (_, state) = open(&path);
    assert_eq!((seen(&state), state.posts.len()), (149_999, 1));
    assert!(fs::metadata(&path).unwrap().len() < 1_000);
}

#[test]
fn a_session_that_has_ended_moves_no_place() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 1_000), 1);
    begin(&journal, &welcome(2, 8), 2);
    journal.handed(place(1, 1_005));
    journal.resumed(&Token([3; 32]));
    drop(journal);
    let session = open(&path).1.session.unwrap();
    assert_eq!((session.seen, session.token), (Seq(8), Token([3; 32])));
}

#[test]
fn only_posts_are_kept_and_no_more_than_may_wait() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    journal.asked(&Request::Join { group: group("tea") });
    for number in 0..POSTS_KEPT_MAX + 10 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        journal.asked(&Request::Private { to: user("Ann"), id: PostId(id), body: body("hi") });
    }
    drop(journal);
    assert_eq!(open(&path).1.posts.len(), POSTS_KEPT_MAX);
}

#[test]
fn a_group_that_was_left_is_forgotten() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 10), 1);
    let tea = || Membership { group: group("tea"), head: Seq(5) };
    let join = Request::Join { group: group("tea") };
    journal.answered(&join, &Ok(Response::Joined { seq: Seq(11), membership: tea() }), false);
    let leave = Request::Leave { group: group("General") };
    journal.answered(&leave, &Ok(Response::Left { seq: Seq(12), group: group("General") }), false);
    drop(journal);
    let session = open(&path).1.session.unwrap();
    assert_eq!(
        session.places().collect::<Vec<_>>(),
        [(&Conversation::Group(group("tea")), Seq(11))]
    );
}

#[test]
fn what_is_undone_when_its_answer_comes_moves_no_place() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 10), 1);
    // An operator has put it out while it was away.
    go_on(&journal, &Welcome { groups: Page::fill([]), ..welcome(2, 20) }, None);
    journal.answered(&post(1), &posted(12), true);
    let membership = Membership { group: group("tea"), head: Seq(5) };
    let join = Request::Join { group: group("tea") };
    journal.answered(&join, &Ok(Response::Joined { seq: Seq(11), membership }), true);
    drop(journal);
    assert_eq!(open(&path).1.session.unwrap().places().count(), 0);
    // It came back, and its first answer to a request to leave was lost.
    let (journal, _) = open(&path);
    begin(&journal, &welcome(3, 30), 1);
    let leave = Request::Leave { group: group("General") };
    journal.answered(&leave, &Ok(Response::Left { seq: Seq(12), group: group("General") }), true);
    drop(journal);
    assert_eq!(open(&path).1.session.unwrap().places().count(), 1);
}

#[test]
fn a_welcome_is_one_write_and_a_place_counts_in_the_lives_that_were_told_before_it() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 10), 1);
    journal.handed(place(1, 40));
    let before = fs::read(&path).unwrap();
    go_on(&journal, &welcome(1, 20), Some(Seq(14)));
    drop(journal);
    let after = fs::read(&path).unwrap();
    // Whoever is killed while that is written is put back again, or is in the new lives.
    for length in before.len()..=after.len() {
        fs::write(&path, &after[..length]).unwrap();
        let session = open(&path).1.session.unwrap();
        let lives = session.lives.as_slice().len();
        assert!(
            matches!((session.seen, lives), (Seq(40 | 14), 0) | (Seq(14), 2)),
            "{:?} in {lives} lives, {length} bytes",
            session.seen
        );
    }
}

#[test]
fn a_place_after_a_part_that_is_damaged_is_believed_no_more_than_the_lives_that_it_counts_in() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    begin(&journal, &welcome(1, 10), 1);
    let length = fs::metadata(&path).unwrap().len();
    go_on(&journal, &welcome(1, 20), Some(Seq(5)));
    journal.handed(place(2, 30));
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    // In the first record behind the beginning: that the log was put back.
    bytes[usize::try_from(length).unwrap() + 9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_, state, kept) = Journal::open(Some(&path), &user("Jim"));
    assert!(matches!(kept.fault, Some(KeepError::Damaged)));
    let session = state.session.unwrap();
    assert_eq!((session.seen, session.lives.as_slice().len()), (Seq(10), 0));
}

#[test]
fn a_token_that_is_asked_for_again_stays_until_the_session_has_it_or_not() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("jim");
    let (journal, _) = open(&path);
    let asked = || open(&path).1.session.unwrap().tokens_asked;
    let change = |token| Request::ChangePasswordAndToken {
        old: "old".to_owned().try_into().unwrap(),
        new: "new".to_owned().try_into().unwrap(),
        token: Token([token; 32]),
    };
    begin(&journal, &welcome(1, 10), 1);
    (2..5).for_each(|token| assert!(!journal.asked(&change(token))));
    // The connection was lost before the server read that, and they are sent again.
    go_on(&journal, &welcome(1, 20), None);
    journal.answered(&change(2), &Err(Refusal::WrongPassword { name: user("Jim") }), false);
    drop(journal);
    assert_eq!(asked(), [Token([3; 32]), Token([4; 32])]);
    let (journal, _) = open(&path);
    journal.resumed(&Token([3; 32]));
    drop(journal);
    assert_eq!(asked(), [Token([4; 32])]);
}
