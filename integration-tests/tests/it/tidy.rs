//! The sources are tidy: nobody imports what is not theirs to know, no file is in a circle, a name
//! stands for one thing, lines fit a screen, and links lead somewhere.

use std::path::Path;
use std::sync::LazyLock;

use integration_tests::tidy::arrows::{Arrow, arrows};
use integration_tests::tidy::circles::{Circle, circles};
use integration_tests::tidy::lines::{self, Purpose, purposes};
use integration_tests::tidy::links;
use integration_tests::tidy::modules::{Modules, PACKAGES};
use integration_tests::tidy::prose::Measure;
use integration_tests::tidy::rooms::{Room, breaches, idle_names};
use integration_tests::tidy::table::rooms;
use integration_tests::tidy::tree::Tree;
use integration_tests::tidy::types::twice;

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().expect("the workspace is above this crate");
    Tree::read(root).expect("the sources can be read")
});
static MODULES: LazyLock<Modules> = LazyLock::new(|| Modules::parse(&TREE, &PACKAGES));
static ARROWS: LazyLock<Vec<Arrow>> = LazyLock::new(|| arrows(&MODULES));

/// Fails with what was found, each in a line.
fn assert_none<T: ToString>(found: impl IntoIterator<Item = T>) {
    let found: Vec<String> = found.into_iter().map(|it| it.to_string()).collect();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_arrow_of_the_architecture_is_broken() {
    assert_none(breaches(&rooms(), &MODULES, &ARROWS));
}

#[test]
fn every_name_in_the_table_of_rooms_stands_for_something() {
    assert_none(idle_names(&rooms(), &MODULES));
}

#[test]
fn every_source_belongs_to_a_module() {
    let is_source = |file: &&str| {
        let mut sources = PACKAGES.iter().map(|package| format!("{}/src/", package.folder));
        file.ends_with(".rs") && sources.any(|source| file.starts_with(&source))
    };
    let files = MODULES.files();
    let is_known = |file: &&str| files.contains(file) || MODULES.tests.contains(*file);
    let sources = TREE.texts().map(|(file, _)| file).filter(is_source);
    assert_none(sources.filter(|file| !is_known(file)));
}

#[test]
fn no_files_import_each_other() {
    assert_none(circles(&ARROWS));
}

#[test]
fn no_visible_type_has_the_name_of_another() {
    assert_none(twice(&TREE, &MODULES));
}

#[test]
fn no_line_is_longer_than_a_hundred_columns() {
    assert_none(lines::long(&TREE));
}

#[test]
fn no_link_leads_nowhere() {
    assert_none(links::broken(&TREE));
}

/// The modules of these files of a server, and the imports between them.
fn read(files: &[(&str, &str)]) -> (Modules, Vec<Arrow>) {
    let modules = Modules::parse(&Tree::of(files), &PACKAGES);
    let arrows = arrows(&modules);
    (modules, arrows)
}

/// What a file imports, as `line name`.
fn imports(files: &[(&str, &str)], of: &str) -> Vec<String> {
    let (_, arrows) = read(files);
    let arrows = arrows.iter().filter(|arrow| arrow.from == of);
    arrows.map(|Arrow { line, name, .. }| format!("{line} {name}")).collect()
}

const LIB: &str = "server/src/lib.rs";
const CHAT: &str = "server/src/chat.rs";
const STATE: &str = "server/src/chat/state.rs";
const NET: &str = "server/src/net.rs";

/// A server of three files: a map with two rooms, of which one has a child.
fn server(net: &str) -> [(&str, &str); 4] {
    [
        (LIB, "pub mod chat;\nmod net;\n"),
        (CHAT, "mod state;\npub use state::State;\npub fn talk() {}\n"),
        (STATE, "pub struct State;\n"),
        (NET, net),
    ]
}

#[test]
fn a_re_export_leads_to_the_file_that_defines() {
    assert_eq!(imports(&server("use crate::chat::State;"), NET), ["1 server::chat::state::State"]);
    assert_eq!(imports(&server("use crate::chat::talk;"), NET), ["1 server::chat::talk"]);
    assert_eq!(imports(&server("use super::chat as it;\n"), NET), ["1 server::chat"]);
}

#[test]
fn every_branch_of_a_use_tree_is_an_import() {
    let net = "use std::{fs, io::{self, Read as _}};\nuse crate::{\n    chat::{self, State},\n};\n\
        use tokio::sync::*;\npub use crate::chat::talk as chatter;\n";
    let found = [
        "1 std::fs",
        "1 std::io",
        "1 std::io::Read",
        "3 server::chat",
        "3 server::chat::state::State",
        "5 tokio::sync",
        "6 server::chat::talk",
    ];
    assert_eq!(imports(&server(net), NET), found);
}

#[test]
fn paths_in_code_and_in_macros_are_imports() {
    let net = "use tokio::time;\nfn f() {\n    crate::chat::talk();\n    \
        assert!(time::sleep(super::chat::State) == String::new());\n    use std::env;\n}\n";
    let found = [
        "1 tokio::time",
        "3 server::chat::talk",
        "4 server::chat::state::State",
        "4 tokio::time::sleep",
        "5 std::env",
    ];
    assert_eq!(imports(&server(net), NET), found);
}

#[test]
fn visibility_and_lints_import_nothing() {
    let net = "#[expect(clippy::unwrap_used)]\npub(in crate::chat) fn f() {}\n";
    assert!(imports(&server(net), NET).is_empty());
}

#[test]
fn other_packages_are_entered_by_their_names() {
    let mut files =
        server("use chatroom_proto::Seq;\nuse chatroom_proto::codec::Frame;\n").to_vec();
    files.extend([
        ("proto/src/lib.rs", "pub mod codec;\nmod value;\npub use value::*;\n"),
        ("proto/src/codec.rs", "pub struct Frame;\n"),
        ("proto/src/value.rs", "number! { Seq }\npub struct Seq(u64);\n"),
    ]);
    assert_eq!(imports(&files, NET), ["1 proto::value::Seq", "2 proto::codec::Frame"]);
}

#[test]
fn only_tests_and_links_of_the_documentation_are_left_out() {
    let net = "use std::fs;\n#[cfg(test)]\nuse a::B;\n#[cfg(doc)]\nuse c::D;\n#[cfg(test)]\n\
        mod tests {\n    use std::net;\n}\n#[cfg(unix)]\nuse std::os;\n\
        impl X {\n    #[cfg(test)]\n    fn f() { std::net::f() }\n}\n\
        #[cfg(feature = \"test-util\")]\nuse e::F;\n\
        #[cfg_attr(feature = \"test-util\", g(h::i))]\nstruct Y;\n";
    assert_eq!(imports(&server(net), NET), ["1 std::fs", "11 std::os"]);
}

const STRICT: &[Room] = &[
    Room { modules: &["server::lib"], may: &["server"], but_not: &[], because: "the map" },
    Room { modules: &["server::chat"], may: &["tokio"], but_not: &["std::fs"], because: "pure" },
    Room { modules: &["server::chat::state"], may: &[], but_not: &[], because: "alone" },
];

fn breached(files: &[(&str, &str)]) -> Vec<String> {
    let (modules, arrows) = read(files);
    breaches(STRICT, &modules, &arrows)
}

#[test]
fn a_broken_arrow_is_seen() {
    let chat = |chat| [(LIB, "mod chat;"), (CHAT, chat), (STATE, "use crate::chat::X;")];
    let alone = "server/src/chat/state.rs:1 imports server::chat::X: alone";
    assert_eq!(breached(&chat("mod state; struct X; use tokio::io; use std::fmt;")), [alone]);
    let fs = "server/src/chat.rs:2 imports std::fs::File: pure";
    let axum = "server/src/chat.rs:1 imports axum::Router: pure";
    assert_eq!(breached(&chat("use axum::Router;\nuse std::fs::File;\n")), [axum, fs]);
    assert!(breached(&chat("use std::fsx::File;")).is_empty());
}

#[test]
fn a_file_without_a_room_is_seen() {
    assert_eq!(breached(&server("")), ["server/src/net.rs is in no room"]);
}

#[test]
fn a_name_that_stands_for_nothing_is_seen() {
    let modules = Modules::parse(&Tree::of(&server("struct Socket;")), &PACKAGES);
    let but_not = &["server::net::Socket", "server::net::Plug", "std::io"];
    let rooms = [Room { modules: &["server::web"], may: &["server"], but_not, because: "" }];
    assert_eq!(idle_names(&rooms, &modules), ["server::net::Plug", "server::web"]);
}

#[test]
fn a_circle_is_seen() {
    let round = |state| {
        let lib = (LIB, "mod chat; mod net;");
        let (_, arrows) = read(&[
            lib,
            (CHAT, "mod state;\nuse state::State;\npub struct Chat;"),
            (STATE, state),
            (NET, "use crate::chat::Chat;"),
        ]);
        circles(&arrows)
    };
    assert!(round("pub struct State;").is_empty());
    let [Circle { files, arrows }] = &round("use super::Chat; pub struct State;")[..] else {
        panic!("the child and its parent are a circle")
    };
    assert_eq!(files, &[CHAT, STATE]);
    assert_eq!(arrows.iter().map(|arrow| arrow.line).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(round("use crate::net::Net; pub struct State;")[0].files.len(), 3);
}

#[test]
fn a_name_that_stands_for_two_types_is_seen() {
    let names = |one, other| {
        let tree = Tree::of(&[(LIB, "mod chat; mod net;"), (CHAT, one), (NET, other)]);
        let found = twice(&tree, &Modules::parse(&tree, &PACKAGES));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = ["Seat is server/src/chat.rs:1 and server/src/net.rs:2 (private)"];
    assert_eq!(names("pub(crate) enum Seat {}", "\nstruct Seat;"), found);
    assert!(names("enum Seat {}", "pub(self) struct Seat;").is_empty());
    assert!(names("pub enum Seat {}", "#[cfg(test)] mod t { struct Seat; }").is_empty());
    let maker = "macro_rules! it { ($name:ident) => { pub struct $name; } }\nit! { Seat }";
    let found = ["Seat is server/src/chat.rs:2 and server/src/net.rs:1 (private)"];
    assert_eq!(names(maker, "type Seat = u8;"), found);
}

#[test]
fn a_long_line_is_seen_where_it_can_be_broken() {
    let long = "ä ".repeat(51);
    let fits = "ä ".repeat(50);
    let page =
        format!("{fits}\n{long}\n| {long}\nhttps://a.org/ {long}\n```\n{long}\n```\n{long}\n");
    let code = format!("// {fits}\n{fits}\nlet text = \"{fits}\";\n");
    let tree = Tree::of(&[("page.md", &page), ("proto/src/a.rs", &code)]);
    let found: Vec<_> = lines::long(&tree).iter().map(ToString::to_string).collect();
    let page = ["page.md:2 has 102 columns", "page.md:8 has 102 columns"];
    let code = ["proto/src/a.rs:1 has 103 columns", "proto/src/a.rs:3 has 114 columns"];
    assert_eq!(found, [page, code].concat());
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let user = "# Names, and `keys`\n## Two\n## Two\n[up](../README.md#a-b)\n[here](#two-1)\n";
    let readme = "# A [b](docs)\n[u](docs/user.md#names-and-keys) [v](docs/user.md#two-2)\n\
        [w](docs/none.md) `[x](no)` [y](https://a.org/x) [z](docs) <img src=\"a.png\">\n\
        ```\n[n](no)\n```\n[r]: LICENSE\n";
    let tree = Tree::of(&[("README.md", readme), ("docs/user.md", user)]);
    let found = [
        "README.md:2: docs/user.md#two-2",
        "README.md:3: docs/none.md",
        "README.md:3: a.png",
        "README.md:7: LICENSE",
    ];
    assert_eq!(links::broken(&tree), found);
}

#[test]
fn a_line_is_counted_for_what_it_is() {
    let files = server("fn f() {}\n\n/// A test.\n#[cfg(test)]\nmod tests {\n}\n");
    let modules = Modules::parse(&Tree::of(&files), &PACKAGES);
    use Purpose::{Bench, Example, Production, Test};
    let of_net = [Production, Production, Test, Test, Test, Test];
    assert_eq!(purposes(NET, files[3].1, &modules), of_net);
    let of_one = |file| purposes(file, "fn f() {}\n", &modules)[0];
    assert_eq!(of_one("integration-tests/benches/load/main.rs"), Bench);
    assert_eq!(of_one("integration-tests/src/sim.rs"), Test);
    assert_eq!(of_one("proto/tests/common/mod.rs"), Test);
    assert_eq!(of_one("client/examples/bot.rs"), Example);
}

#[test]
fn prose_is_measured_by_sentences_and_paragraphs() {
    let text = "# Not this\nOne two three. Four (five)! Six,\nseven.\n\n- eight nine\n- ten.\n\
        | no | row |\n```\nno code.\n```\n";
    let Measure { sentences, paragraphs } = Measure::of([text]);
    assert_eq!(sentences, [1, 2, 2, 2, 3]);
    assert_eq!(paragraphs, [1, 2, 7]);
}
