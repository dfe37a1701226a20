//! Prose: how long its sentences and paragraphs are.

use super::lines::Purpose;

/// The words of each sentence and of each paragraph, in rising order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Words of each sentence.
    pub sentences: Vec<usize>,
    /// Words of each paragraph.
    pub paragraphs: Vec<usize>,
}

impl Measure {
    /// Measures texts in Markdown. A point of a list is a paragraph. Headings, tables and code are
    /// no prose.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Measure {
        let mut measure = Measure::default();
        for paragraph in texts.into_iter().flat_map(paragraphs) {
            measure.paragraphs.push(words(&paragraph));
            measure.sentences.extend(sentences(&paragraph).map(words).filter(|words| *words > 0));
        }
        measure.paragraphs.retain(|words| *words > 0);
        measure.paragraphs.sort_unstable();
        measure.sentences.sort_unstable();
        measure
    }
}

/// The number that so many in a hundred of these are below, or 0 if there are none.
pub fn percentile(sorted: &[usize], percent: usize) -> usize {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0)
}

/// The doc comments among these lines that are production, as one text in Markdown.
pub fn doc_comments(text: &str, purposes: &[Purpose]) -> String {
    let mut documents = String::new();
    for (line, purpose) in text.lines().zip(purposes) {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let doc = doc.filter(|_| *purpose == Purpose::Production).unwrap_or_default();
        documents.push_str(doc.strip_prefix(' ').unwrap_or(doc));
        documents.push('\n');
    }
    documents
}

/// How many words there are: what has a letter or a digit in it, between spaces.
pub fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut is_code = false;
    for line in text.lines() {
        let line = line.trim_start_matches(['>', ' ']).trim_end();
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence || line.starts_with(['#', '|', '<']) || line.is_empty() {
            paragraphs.push(String::new());
            continue;
        }
        let point = point(line);
        if point.is_some() {
            paragraphs.push(String::new());
        }
        if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push_str(point.unwrap_or(line));
            paragraph.push(' ');
        }
    }
    paragraphs
}

/// What a point of a list says.
fn point(line: &str) -> Option<&str> {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = numbered.len() < line.len();
    let after_number = numbered.strip_prefix(". ").filter(|_| is_numbered);
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or(after_number)
}

/// A sentence ends with a mark that a space follows, or a bracket, a quotation mark and a space.
fn sentences(paragraph: &str) -> impl Iterator<Item = &str> {
    let ends_one = |word: &str| {
        let bare = word.trim_end_matches(['"', '\'', ')', '*', '_', '`', '”', '’']);
        let is_short =
            ["e.g.", "i.e.", "etc.", "cf.", "vs."].contains(&bare.trim_start_matches('('));
        bare.ends_with(['.', '!', '?']) && !is_short
    };
    let mut rest = paragraph;
    std::iter::from_fn(move || {
        let begin = rest;
        let mut length = 0;
        for word in begin.split_inclusive(' ') {
            length += word.len();
            if ends_one(word.trim_end()) {
                break;
            }
        }
        rest = &begin[length..];
        (length > 0).then(|| &begin[..length])
    })
}
