//! Lines: which are too long, and what each is for.

use std::fmt;
use std::ops::RangeInclusive;

use syn::Item;
use syn::spanned::Spanned;

use super::modules::{Modules, is_test, parsed};
use super::names::attributes;
use super::tree::Tree;

/// The most characters of a line, in code, comments and documents.
pub const COLUMNS_MAX: usize = 100;

/// A line that is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Long {
    /// Its file.
    pub file: String,
    /// Its number.
    pub line: usize,
    /// How many characters it has.
    pub columns: usize,
}

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} has {} columns", self.file, self.line, self.columns)
    }
}

/// All lines over [`COLUMNS_MAX`]. In documents, what can't be broken may be longer: rows of
/// tables, lines with an address, and blocks of code.
pub fn long(tree: &Tree) -> Vec<Long> {
    let mut found = Vec::new();
    for (file, text) in tree.texts() {
        let is_document = file.ends_with(".md");
        let mut is_code = false;
        for (n, line) in text.lines().enumerate() {
            is_code ^= is_document && line.trim_start().starts_with("```");
            let columns = line.chars().count();
            let is_exempt = is_document && (is_code || is_unbreakable(line));
            if columns > COLUMNS_MAX && !is_exempt {
                found.push(Long { file: file.to_owned(), line: n + 1, columns });
            }
        }
    }
    found
}

fn is_unbreakable(line: &str) -> bool {
    line.trim_start().starts_with('|') || line.contains("https://") || line.contains("http://")
}

/// What a line of Rust is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It is shipped: it is below `src` of proto, server or client, and in no test.
    Production,
    /// It is shown: below `examples`.
    Example,
    /// It checks: below `tests`, under `#[cfg(test)]`, or of integration-tests and no bench.
    Test,
    /// It measures: below `benches`.
    Bench,
}

/// The purposes of the lines of a source, one for each.
pub fn purposes(file: &str, text: &str, modules: &Modules) -> Vec<Purpose> {
    let whole = purpose_of_file(file, modules);
    let mut purposes = vec![whole; text.lines().count()];
    if whole == Purpose::Production {
        for lines in test_lines(&parsed(file, text)) {
            purposes[*lines.start() - 1..*lines.end()].fill(Purpose::Test);
        }
    }
    purposes
}

fn purpose_of_file(file: &str, modules: &Modules) -> Purpose {
    let has = |folder: &str| file.split('/').any(|part| part == folder);
    let is_kit = file.starts_with("integration-tests/");
    let is_test = has("tests") || file.ends_with("/tests.rs") || modules.tests.contains(file);
    if has("benches") {
        Purpose::Bench
    } else if is_kit || is_test {
        Purpose::Test
    } else if has("examples") {
        Purpose::Example
    } else {
        Purpose::Production
    }
}

/// The lines of what stands under `#[cfg(test)]`.
fn test_lines(items: &[Item]) -> Vec<RangeInclusive<usize>> {
    let mut found = Vec::new();
    for item in items {
        if is_test(attributes(item)) {
            found.push(item.span().start().line..=item.span().end().line);
        } else if let Item::Mod(module) = item
            && let Some((_, items)) = &module.content
        {
            found.extend(test_lines(items));
        }
    }
    found
}
