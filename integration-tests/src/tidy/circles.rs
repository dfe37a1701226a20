//! Circles: files that import each other, directly or around some corners.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::arrows::Arrow;

/// Files of which each can be reached from each.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its files, in the order of their names.
    pub files: Vec<String>,
    /// Every import between them.
    pub arrows: Vec<Arrow>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a circle of {}:", self.files.join(", "))?;
        let mut between: BTreeMap<_, (usize, Vec<&str>)> = BTreeMap::new();
        for Arrow { from, line, name, to } in &self.arrows {
            let (first, names) = between.entry((from, to)).or_insert((*line, Vec::new()));
            *first = *line.min(first);
            names.push(name.rsplit("::").next().unwrap_or(name));
        }
        for ((from, to), (line, names)) in between {
            let (names, to) = (names.join(", "), to.as_deref().unwrap_or_default());
            writeln!(f, "  {from}:{line} imports {names} of {to}")?;
        }
        Ok(())
    }
}

/// All circles, the ones of the first files first.
pub fn circles(arrows: &[Arrow]) -> Vec<Circle> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        if let Some(to) = &arrow.to {
            next.entry(&arrow.from).or_default().insert(to);
        }
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|file| (*file, reached(&next, file))).collect();
    let meets = |one: &str, other: &str| {
        reach.get(one).is_some_and(|it| it.contains(other))
            && reach.get(other).is_some_and(|it| it.contains(one))
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in next.keys().filter(|file| meets(file, file)) {
        if !seen.contains(file) {
            let files: Vec<&str> =
                next.keys().copied().filter(|other| meets(file, other)).collect();
            seen.extend(files.iter().copied());
            found.push(circle(&files, arrows));
        }
    }
    found
}

fn circle(files: &[&str], arrows: &[Arrow]) -> Circle {
    let is_in = |file: &str| files.contains(&file);
    let closes = |arrow: &&Arrow| is_in(&arrow.from) && arrow.to.as_deref().is_some_and(is_in);
    Circle {
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        arrows: arrows.iter().filter(closes).cloned().collect(),
    }
}

/// Every file that imports lead to, with one step at least.
fn reached<'a>(next: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    reached
}
