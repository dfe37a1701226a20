//! Links in documents: those to files of ours must lead to one, and to a heading that is there.

use std::collections::BTreeMap;

use super::tree::Tree;

/// Links that lead nowhere, as `file:line: target`.
pub fn broken(tree: &Tree) -> Vec<String> {
    let documents = tree.texts().filter(|(file, _)| file.ends_with(".md"));
    documents.flat_map(|(file, text)| broken_in(tree, file, text)).collect()
}

fn broken_in(tree: &Tree, file: &str, text: &str) -> Vec<String> {
    let leads = |target: &str| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() { Some(file.to_owned()) } else { joined(file, path) };
        path.is_some_and(|path| {
            let text = tree.text(&path).filter(|_| path.ends_with(".md") && !anchor.is_empty());
            tree.has(&path) && text.is_none_or(|text| anchors(text).iter().any(|it| it == anchor))
        })
    };
    let mut found = Vec::new();
    for (line, text) in outside_code(text) {
        for target in targets(&text).into_iter().filter(|target| is_relative(target)) {
            if !leads(&target) {
                found.push(format!("{file}:{line}: {target}"));
            }
        }
    }
    found
}

fn is_relative(target: &str) -> bool {
    let scheme = target.split(['/', '#']).next().unwrap_or_default();
    !target.is_empty() && !scheme.contains(':')
}

/// The path that a link means which stands in this file; none for what is outside the repository.
fn joined(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        parts.clear();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Lines with their numbers, without blocks of code and without code between backticks.
fn outside_code(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            let plain = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
            lines.push((n + 1, plain));
        }
    }
    lines
}

/// Where the links of a line lead: `](target)`, `[name]: target`, `href="target"`, `src="target"`.
fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, end) in [("](", ')'), ("href=\"", '"'), ("src=\"", '"')] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            let target = &rest[..rest.find(end).unwrap_or(rest.len())];
            found.extend(target.split_whitespace().next().map(str::to_owned));
        }
    }
    if let Some((_, target)) = line.strip_prefix('[').and_then(|it| it.split_once("]: ")) {
        found.extend(target.split_whitespace().next().map(str::to_owned));
    }
    found
}

/// What GitHub calls the headings of a document: lower case, without punctuation, `-` for spaces.
/// A heading that comes again gets a number.
pub fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_code = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !is_code && (1..=6).contains(&level) && title.starts_with(' ') {
            let slug = slug(title.trim());
            let times = seen.entry(slug.clone()).or_default();
            anchors.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
    }
    anchors
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in without_targets(title).to_lowercase().chars() {
        match c {
            ' ' => slug.push('-'),
            '-' | '_' => slug.push(c),
            c if c.is_alphanumeric() => slug.push(c),
            _ => {}
        }
    }
    slug
}

/// A title without where its links lead.
fn without_targets(title: &str) -> String {
    let mut parts = title.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or("", |(_, after)| after));
    }
    plain
}
