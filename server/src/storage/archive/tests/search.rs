//! What a search finds, in every script, and what it says when there is nothing to look for.

use chatroom_proto::{SearchQuery, Seq};

use super::{JIM_HIMSELF, Scene, check_integrity};
use crate::chat::SNAPSHOT_LAYOUT;
use crate::chat::effect::{ConversationId, Query, Read};
use crate::chat::entry::GroupId;
use crate::storage::archive::{FoundPosts, ReadError};

#[tokio::test]
async fn words_are_found_however_they_are_written_and_no_syntax_gets_through() {
    let scene = Scene::new();
    for text in ["كتاب عَلي", "Crème brûlée", "NEAR and OR not", "text: -minus *", "\"quoted\""]
    {
        scene.say(text);
    }
    let archive = scene.archive();
    for (words, found) in [
        ("کتاب", Some("كتاب عَلي")),
        ("علی كتاب", Some("كتاب عَلي")),
        ("BRULEE creme", Some("Crème brûlée")),
        ("NEAR(and)", Some("NEAR and OR not")),
        ("NOT or AND", Some("NEAR and OR not")),
        ("text:minus", Some("text: -minus *")),
        ("-minus", Some("text: -minus *")),
        ("\"quoted", Some("\"quoted\"")),
        ("quot*", None),
        ("min", None),
        ("brulee minus", None),
        ("g0", None),
        ("§g0", None),
    ] {
        assert_eq!(scene.search(&archive, words).await, Vec::from_iter(found), "{words}");
    }
}

#[tokio::test]
async fn a_search_in_which_no_word_is_left_says_so() {
    let scene = Scene::new();
    scene.say("one, two");
    let archive = scene.archive();
    for words in [",", "\"", "* ( ) : ^ + - {", "🏽\u{200D}\u{FE0F}"] {
        assert_eq!(scene.try_search(&archive, words).await, Err(ReadError::NoWords), "{words}");
    }
    assert_eq!(scene.search(&archive, "one ,").await, ["one, two"]);
}

/// What was said, what is found of it, and what is not.
const UNPARTED: [(&str, &[&str], &[&str]); 12] = [
    ("我好想要中文搜尋", &["中文", "搜", "尋", "想要中", "我好想要中文搜尋"], &["中搜"]),
    ("他是大學生，星期五來", &["大學", "學生", "星期", "五 大學"], &["生星"]),
    ("乒乓球拍賣完了", &["乒乓球", "球拍", "拍賣"], &["乒球"]),
    ("明日の会議は１０時から", &["会議", "明日", "10", "時"], &["会時"]),
    ("東京都でﾃﾞｰﾀを食べた", &["東京", "データ", "食べ", "都で"], &["テータ"]),
    ("ผมอยากกินข้าวผัดไทยวันนี้", &["ไทย", "ข้าว", "ขาว", "วันนี้"], &["ไมย"]),
    ("내일 회의에서 만나요", &["회의", "회의에서", "만나", "내일 회"], &["의회"]),
    ("iPhone手机很贵", &["iphone", "手机", "IPHONE手机"], &["phone", "机手"]),
    ("we won 🎉🎉", &["🎉", "won🎉", "🎉 we"], &["🎊"]),
    ("hello 👍🏽 ❤️ 🇩🇪🇫🇷", &["👍", "👍🏿", "❤", "🇫🇷"], &["🇪🇫", "🇩🇫"]),
    ("👩‍👩‍👧 at home", &["👩‍👩‍👧", "👧"], &["👦"]),
    ("می‌خواهم این کتاب را", &["كتاب", "خواهم"], &["کتا", "خواه"]),
];

#[tokio::test]
async fn what_is_written_without_gaps_is_found_by_any_part_of_it() {
    let scene = Scene::new();
    UNPARTED.iter().for_each(|(text, ..)| scene.say(text));
    let archive = scene.archive();
    for (text, found, not_found) in UNPARTED {
        for words in found {
            let texts = scene.search(&archive, words).await;
            assert!(texts.contains(&text.to_owned()), "{words} finds {texts:?}");
        }
        for words in not_found {
            assert_eq!(scene.search(&archive, words).await, [""; 0], "{words}");
        }
    }
}

#[tokio::test]
async fn what_the_index_finds_of_a_long_run_is_checked() {
    let scene = Scene::new();
    for text in ["球乒乓 乓球", "買乒乓球拍", "乓球乒 乒乓"] {
        scene.say(text);
    }
    let archive = scene.archive();
    assert_eq!(scene.search(&archive, "乒乓球").await, ["買乒乓球拍"]);
    let words = SearchQuery::parse("乒乓球").unwrap();
    let query = Query::Search { words, groups: vec![GroupId::GENERAL], in_private: true };
    let head = scene.log.head();
    let read = Read { reader: JIM_HIMSELF, query, before: Seq(u64::MAX), count: 1, head };
    let found = archive.read(read).await.unwrap();
    assert_eq!((found.posts.len(), found.next), (1, None), "no page follows for what is none");
}

#[tokio::test]
async fn who_asks_for_no_posts_gets_none() {
    let scene = Scene::new();
    scene.say("one");
    let archive = scene.archive();
    let words = SearchQuery::parse("one").unwrap();
    let search = Query::Search { words, groups: vec![GroupId::GENERAL], in_private: false };
    for query in [Query::History(ConversationId::Group(GroupId::GENERAL)), search] {
        let head = scene.log.head();
        let read = Read { reader: JIM_HIMSELF, query, before: Seq(u64::MAX), count: 0, head };
        let nothing = FoundPosts { posts: Vec::new(), deleted: Vec::new(), next: None };
        assert_eq!(archive.read(read).await, Ok(nothing));
    }
}

#[tokio::test]
async fn an_archive_whose_words_were_folded_otherwise_is_made_again() {
    let scene = Scene::new();
    scene.say("我好想要中文搜尋");
    let archive = scene.archive();
    scene.search(&archive, "中文").await;
    drop(archive);
    // As the schema before this one had it: the whole run was one word.
    scene.tamper("INSERT INTO words (words) VALUES ('delete-all')");
    scene.tamper("INSERT INTO words (rowid, text) VALUES (2, '我好想要中文搜尋 §g0')");
    scene.tamper(&format!("PRAGMA user_version = {}", 1 + SNAPSHOT_LAYOUT));
    let archive = scene.archive();
    assert_eq!(scene.search(&archive, "中文").await.len(), 1);
    archive.delete(scene.log.head()).await.unwrap();
    drop(archive);
    check_integrity(&scene);
}
