//! Files that are not as this program left them.

use std::fs;

use super::*;

/// What a scene with two posts reads after its archive was harmed between two runs.
async fn after_harm(harm: impl FnOnce(&Scene)) -> Vec<String> {
    let scene = Scene::new();
    scene.say("one");
    let archive = scene.archive();
    assert_eq!(scene.texts(&archive).await.unwrap(), ["one"]);
    drop(archive);
    harm(&scene);
    scene.say("two");
    let archive = scene.archive();
    assert_eq!(scene.search(&archive, "two").await, ["two"]);
    scene.texts(&archive).await.unwrap()
}

#[tokio::test]
async fn an_archive_that_can_not_be_used_is_made_again() {
    let older = after_harm(|scene| scene.tamper("PRAGMA user_version = 0")).await;
    let snapshot = after_harm(|scene| scene.tamper("UPDATE snapshots SET bytes = x'00'")).await;
    let no_state = after_harm(|scene| {
        let crc = crc32fast::hash(&[7]);
        scene.tamper(&format!("UPDATE snapshots SET bytes = x'07', crc = {crc}"));
    })
    .await;
    let table = after_harm(|scene| scene.tamper("DROP TABLE posts")).await;
    let index = after_harm(|scene| scene.tamper("DROP TABLE words")).await;
    let state = after_harm(|scene| scene.tamper("DELETE FROM state")).await;
    let header = after_harm(|scene| fs::write(scene.path(), [7; 5_000]).unwrap()).await;
    let cut = after_harm(|scene| {
        let bytes = fs::read(scene.path()).unwrap();
        fs::write(scene.path(), &bytes[..bytes.len() / 2]).unwrap();
    })
    .await;
    for texts in [older, snapshot, no_state, table, index, state, header, cut] {
        assert_eq!(texts, ["two", "one"]);
    }
}

#[tokio::test]
async fn a_snapshot_that_does_not_match_its_checksum_is_not_believed() {
    let scene = Scene::new();
    scene.say("one");
    let archive = scene.archive();
    scene.texts(&archive).await.unwrap();
    drop(archive);
    scene.tamper("UPDATE snapshots SET crc = (crc + 1) % 4294967296");
    assert_eq!(scene.open().unwrap().state.head(), Seq::ZERO);
}

#[tokio::test]
async fn damage_that_is_found_while_reading_is_mended_by_the_next_start() {
    let scene = Scene::new();
    scene.say("one");
    let archive = scene.archive();
    scene.texts(&archive).await.unwrap();
    drop(archive);
    for harm in [
        "sender = ''",
        "sender = 'tom'",
        "place = 'general'",
        "body = 'won'",
        "prev = 1",
        "at = at + 1",
        "id = zeroblob(16)",
        "by = 3",
        "device = 3",
        "addressee = 3",
        "crc = (crc + 1) % 4294967296",
    ] {
        scene.tamper(&format!("UPDATE posts SET {harm}"));
        let archive = scene.archive();
        assert_eq!(scene.texts(&archive).await, Err(ReadError::Stopped), "{harm}");
        drop(archive);
        let archive = scene.archive();
        assert_eq!(scene.texts(&archive).await.unwrap(), ["one"], "{harm}");
    }
    scene.tamper("CREATE TABLE trace (one INTEGER)");
    drop(scene.archive());
    assert!(scene.has_trace(), "it is made again once");
}

#[tokio::test]
async fn an_archive_that_says_something_else_about_itself_is_made_again() {
    for harm in
        ["head = head - 1", "indexed = indexed + 1", "forgotten = 1", "entry = 1", "log = x'00'"]
    {
        let scene = Scene::new();
        scene.say("one");
        let archive = scene.archive();
        scene.texts(&archive).await.unwrap();
        drop(archive);
        scene.tamper(&format!("CREATE TABLE trace (one INTEGER); UPDATE state SET {harm}"));
        let archive = scene.archive();
        assert!(!scene.has_trace(), "{harm}");
        assert_eq!(scene.texts(&archive).await.unwrap(), ["one"], "{harm}");
    }
}

#[tokio::test]
async fn a_file_of_another_program_or_a_newer_server_is_refused_and_left_as_it_was() {
    for (sql, why) in [
        ("CREATE TABLE cats (name TEXT)", "not one of this program"),
        ("CREATE TABLE cats (name TEXT); PRAGMA application_id = 7", "not one of this program"),
        ("PRAGMA application_id = 1130914134; PRAGMA user_version = 99", "newer server (schema 99"),
    ] {
        let scene = Scene::new();
        scene.tamper(sql);
        let before = fs::read(scene.path()).unwrap();
        let opened = scene.open();
        assert!(
            matches!(&opened, Err(ArchiveError::NotOurs(said)) if said.contains(why)),
            "{opened:?}"
        );
        assert_eq!(fs::read(scene.path()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_directory_in_its_place_is_an_error_and_not_removed() {
    let scene = Scene::new();
    fs::create_dir(scene.path()).unwrap();
    assert!(matches!(scene.open(), Err(ArchiveError::Storage { .. })));
    assert!(scene.path().is_dir());
}
