//! One post is deleted, and the others are not.

use std::time::Duration;

use chatroom_proto::Notification;

use super::*;
use crate::chat::effect::ReplayGroup;
use crate::chat::entry::PostRef;

/// How long a failure takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Says something, and tells where.
fn said(scene: &Scene, text: &str) -> Seq {
    scene.say(text);
    scene.log.head()
}

/// Jim deletes what he has said there.
fn delete(scene: &Scene, post: Seq, to: Conversation) {
    let thread = match to {
        Conversation::Group(_) => ConversationId::Group(GroupId::GENERAL),
        Conversation::User(_) => ConversationId::between(JIM_HIMSELF, JIM_HIMSELF),
    };
    let from = UserName::parse("jim").unwrap();
    let post = PostRef { seq: post, thread, by: JIM_HIMSELF, from, to };
    scene.append(Command::Delete { by: JIM, post });
}

fn delete_in_general(scene: &Scene, post: Seq) {
    delete(scene, post, Conversation::Group(GroupName::general()));
}

#[tokio::test]
async fn a_text_that_was_deleted_is_in_no_file_and_all_others_are() {
    let scene = Scene::new();
    let archive = scene.archive();
    let mut secrets = Vec::new();
    for number in 0..300 {
        let length = [1, 40, 300, 7_000][number % 4];
        scene.say(&format!("others{number} {}", "y".repeat(length)));
        secrets.push(said(&scene, &format!("secretword{number} {}", "z".repeat(length))));
    }
    let to = Conversation::User(UserName::parse("jim").unwrap());
    scene.say_to(to.clone(), "secretword-private");
    let private = scene.log.head();
    assert_eq!(scene.search(&archive, "secretword7").await.len(), 1, "it is in the index");
    assert!(scene.files_have("secretword7"), "this test can see what is there");
    for post in secrets.iter().rev() {
        delete_in_general(&scene, *post);
    }
    delete(&scene, private, to);
    let left = scene.texts(&archive).await.unwrap();
    assert!(left.iter().all(|text| text.starts_with("others")), "{left:?}");
    let posts = archive.to_erase().await.unwrap();
    let gone = async {
        while scene.files_have("secretword") {
            tokio::task::yield_now().await;
        }
    };
    time::timeout(DEADLINE, gone).await.expect("it is still there");
    assert_eq!(posts[..2], secrets[..2]);
    assert!(scene.search(&archive, "secretword7").await.is_empty());
    for number in 0..300 {
        assert_eq!(scene.search(&archive, &format!("others{number}")).await.len(), 1);
    }
    drop(archive);
    assert!(!scene.files_have("secretword"), "nor in what the end of the archive writes");
    let db = Connection::open(scene.path()).unwrap();
    db.execute_batch("INSERT INTO words (words) VALUES ('integrity-check')").unwrap();
}

#[tokio::test]
async fn what_is_deleted_before_it_is_in_the_index_never_comes_there() {
    let scene = Scene::new();
    let post = said(&scene, "secretword");
    scene.say("another");
    delete_in_general(&scene, post);
    let archive = scene.archive();
    assert!(scene.search(&archive, "secretword").await.is_empty());
    assert_eq!(scene.search(&archive, "another").await, ["another"]);
    drop(archive);
    assert!(!scene.files_have("secretword"));
    let db = Connection::open(scene.path()).unwrap();
    let indexed = "SELECT count(*) FROM words WHERE words MATCH '\"§g0\"'";
    let indexed: i64 = db.query_row(indexed, [], |row| row.get(0)).unwrap();
    assert_eq!(indexed, 1, "nor what stands in its place");
}

/// How many posts the log is to erase.
fn noted(scene: &Scene) -> i64 {
    let db = Connection::open(scene.path()).unwrap();
    db.query_row("SELECT count(*) FROM erasures", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_the_log_is_to_erase_is_known_until_it_has_and_again_to_a_new_archive() {
    let scene = Scene::new();
    let post = said(&scene, "secretword");
    delete_in_general(&scene, post);
    let archive = scene.archive();
    assert_eq!(archive.to_erase().await.unwrap(), [post]);
    drop(archive);
    let archive = scene.archive();
    assert_eq!(archive.to_erase().await.unwrap(), [post], "nobody has said that it is done");
    // What is not cut off from the write-ahead log yet is not struck out.
    while noted(&scene) > 0 {
        archive.erased(vec![post]).await.unwrap();
    }
    drop(archive);
    Archive::remove(scene.directory.path()).unwrap();
    assert_eq!(scene.archive().to_erase().await.unwrap(), [post]);
}

#[tokio::test]
async fn one_who_comes_back_is_told_of_what_it_had_heard_and_not_told_the_text_of_the_rest() {
    let scene = Scene::new();
    let heard = said(&scene, "heard");
    let missed = said(&scene, "missed");
    delete_in_general(&scene, missed);
    delete_in_general(&scene, heard);
    let archive = scene.archive();
    let until = scene.log.head();
    let group = ReplayGroup { group: GroupId::GENERAL, since: Seq(1), until };
    let replay = Replay {
        began: heard,
        after: heard,
        until,
        groups: vec![group],
        ..replay_for(PersonId(Seq(9)))
    };
    let told = archive.replay(replay.clone()).await.unwrap().notifications;
    let [Notification::DeletedPost { post, .. }, Notification::Deleted { seq, post: of, .. }] =
        &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((post.seq, post.prev, *seq, *of), (missed, heard, until, heard));
    let later = Replay { after: missed, ..replay };
    let told = archive.replay(later).await.unwrap().notifications;
    assert_eq!(told.len(), 1, "a later part tells the rest: {told:?}");
}

#[tokio::test]
async fn what_came_twice_is_erased_in_both_places() {
    let scene = Scene::new();
    let archive = scene.archive();
    let to = Conversation::Group(GroupName::general());
    let body = Body::parse("secretword").unwrap();
    let post = Command::Post { by: JIM, to, id: PostId([9; 16]), body };
    scene.append(post.clone());
    let first = scene.log.head();
    // Its answer was lost.
    scene.append(post);
    let second = scene.log.head();
    delete_in_general(&scene, first);
    // By then the archive has taken in all of that.
    scene.texts(&archive).await.unwrap();
    assert_eq!(archive.to_erase().await.unwrap(), [first, second]);
}
