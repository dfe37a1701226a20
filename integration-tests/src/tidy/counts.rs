//! Everything that can be counted, in one table.

use std::collections::{BTreeMap, BTreeSet};

use super::arrows::{Arrow, arrows};
use super::circles::circles;
use super::lines::{Purpose, long, purposes};
use super::modules::{Modules, PACKAGES};
use super::prose::{Measure, doc_comments, percentile, words};
use super::tree::Tree;
use super::types::{twice, types};

/// What is counted, and how much it is.
pub type Row = (String, String);

/// The whole table.
pub fn counts(tree: &Tree) -> Vec<Row> {
    let modules = Modules::parse(tree, &PACKAGES);
    let arrows = arrows(&modules);
    let mut rows = line_rows(tree, &modules);
    for package in ["server", "client"] {
        rows.extend(room_rows(package, &modules, &arrows));
    }
    let circles = circles(&arrows);
    let in_circles: usize = circles.iter().map(|circle| circle.files.len()).sum();
    row(&mut rows, "circles of imports between files", &circles.len());
    row(&mut rows, "files in them", &in_circles);
    rows.extend(prose_rows(tree, &modules));
    row(&mut rows, "lines over 100 columns", &long(tree).len());
    let twice = twice(tree, &modules);
    let all: usize = types(tree, &modules).values().map(Vec::len).sum();
    let meant: usize = twice.iter().map(|twice| twice.definitions.len()).sum();
    row(&mut rows, "type names defined twice", &twice.len());
    row(&mut rows, "types that have one of them", &format!("{meant} of {all}"));
    rows
}

fn row(rows: &mut Vec<Row>, what: &str, count: &impl ToString) {
    rows.push((what.to_owned(), count.to_string()));
}

/// Every line of a source counts, blank ones and comments, too; those of code are counted apart.
fn line_rows(tree: &Tree, modules: &Modules) -> Vec<Row> {
    let mut lines: BTreeMap<Purpose, (usize, usize)> = BTreeMap::new();
    for (file, text) in tree.texts().filter(|(file, _)| file.ends_with(".rs")) {
        for (line, purpose) in text.lines().zip(purposes(file, text, modules)) {
            let line = line.trim();
            let (all, code) = lines.entry(purpose).or_default();
            *all += 1;
            *code += usize::from(!line.is_empty() && !line.starts_with("//"));
        }
    }
    let mut rows = Vec::new();
    let kinds = [
        ("production (below src of proto, server, client)", Purpose::Production),
        ("tests (tests, cfg(test), integration-tests)", Purpose::Test),
        ("benches", Purpose::Bench),
        ("examples", Purpose::Example),
    ];
    for (what, purpose) in kinds {
        let (all, code) = lines.get(&purpose).copied().unwrap_or_default();
        row(&mut rows, &format!("lines of {what}"), &all);
        row(&mut rows, "of these code: not blank, no comment", &code);
    }
    rows
}

/// Rooms are what stands below `src`: a folder with the file of its name, `lib.rs`, `main.rs`.
fn room_rows(package: &str, modules: &Modules, arrows: &[Arrow]) -> Vec<Row> {
    let source = format!("{package}/src/");
    let room = |file: &str| {
        let below = file.strip_prefix(&source)?;
        below.split('/').next().map(|name| name.trim_end_matches(".rs").to_owned())
    };
    let files: Vec<&str> =
        modules.files().into_iter().filter(|file| file.starts_with(&source)).collect();
    let rooms: BTreeSet<String> = files.iter().filter_map(|file| room(file)).collect();
    let mut between_rooms = BTreeSet::new();
    let mut between_files = BTreeSet::new();
    for arrow in arrows {
        let Some(to) = arrow.to.as_deref().filter(|to| to.starts_with(&source)) else { continue };
        if arrow.from.starts_with(&source) {
            between_files.insert((arrow.from.as_str(), to));
            between_rooms.extend(room(&arrow.from).zip(room(to)).filter(|(from, to)| from != to));
        }
    }
    let arrow = |(from, to): &(String, String)| {
        let (from, name) = (from.clone(), to.clone());
        Arrow { from, line: 0, to: Some(name.clone()), name }
    };
    let circles_of_rooms = circles(&between_rooms.iter().map(arrow).collect::<Vec<_>>());
    let mut rows = Vec::new();
    row(&mut rows, &format!("rooms of {package}"), &rooms.len());
    row(&mut rows, &format!("arrows between rooms of {package}"), &between_rooms.len());
    row(&mut rows, &format!("circles of rooms of {package}"), &circles_of_rooms.len());
    row(&mut rows, &format!("files of {package}"), &files.len());
    row(&mut rows, &format!("arrows between files of {package}"), &between_files.len());
    rows
}

fn prose_rows(tree: &Tree, modules: &Modules) -> Vec<Row> {
    let mut rows = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = tree.text(page).unwrap_or_default();
        row(&mut rows, &format!("words of {page}"), &text.split_whitespace().count());
    }
    let is_page = |file: &str| {
        ["README.md", "ARCHITECTURE.md"].contains(&file)
            || file.starts_with("docs/") && file.ends_with(".md")
    };
    let pages = tree.texts().filter(|(file, _)| is_page(file)).map(|(_, text)| text);
    rows.extend(measure_rows("pages", &Measure::of(pages)));
    let sources = tree.texts().filter(|(file, _)| file.ends_with(".rs"));
    let docs: Vec<String> =
        sources.map(|(file, text)| doc_comments(text, &purposes(file, text, modules))).collect();
    rows.extend(measure_rows("doc comments", &Measure::of(docs.iter().map(String::as_str))));
    row(&mut rows, "words of doc comments", &docs.iter().map(|text| words(text)).sum::<usize>());
    rows
}

fn measure_rows(what: &str, measure: &Measure) -> Vec<Row> {
    let Measure { sentences, paragraphs } = measure;
    let mut rows = Vec::new();
    row(&mut rows, &format!("{what}: words a sentence, median"), &percentile(sentences, 50));
    row(
        &mut rows,
        &format!("{what}: words a sentence, 90th percentile"),
        &percentile(sentences, 90),
    );
    row(&mut rows, &format!("{what}: words a paragraph, median"), &percentile(paragraphs, 50));
    rows
}
