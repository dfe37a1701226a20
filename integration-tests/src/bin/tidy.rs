//! Counts what there is: lines, rooms, imports, words.
//!
//! `cargo run -p integration-tests --bin tidy [ROOT] [circles | arrows | names | lines | links]`.
//! Without a second word it prints a table of counts; with one, what the scenes would complain of.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use integration_tests::tidy::arrows::arrows;
use integration_tests::tidy::circles::circles;
use integration_tests::tidy::counts::counts;
use integration_tests::tidy::lines::long;
use integration_tests::tidy::links;
use integration_tests::tidy::modules::{Modules, PACKAGES};
use integration_tests::tidy::rooms::breaches;
use integration_tests::tidy::table::rooms;
use integration_tests::tidy::tree::Tree;
use integration_tests::tidy::types::twice;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| ".".to_owned());
    let tree = match Tree::read(Path::new(&root)) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("{root} can't be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(lines) = said(&tree, arguments.next().as_deref()) else {
        eprintln!("usage: tidy [ROOT] [circles | arrows | names | lines | links]");
        return ExitCode::from(2);
    };
    lines.iter().for_each(|line| println!("{line}"));
    ExitCode::SUCCESS
}

fn said(tree: &Tree, what: Option<&str>) -> Option<Vec<String>> {
    let modules = Modules::parse(tree, &PACKAGES);
    Some(match what {
        None => table(tree),
        Some("circles") => circles(&arrows(&modules)).iter().map(ToString::to_string).collect(),
        Some("arrows") => breaches(&rooms(), &modules, &arrows(&modules)),
        Some("names") => twice(tree, &modules).iter().map(ToString::to_string).collect(),
        Some("lines") => long(tree).iter().map(ToString::to_string).collect(),
        Some("links") => links::broken(tree),
        Some(_) => return None,
    })
}

fn table(tree: &Tree) -> Vec<String> {
    let rows = counts(tree);
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let line = |(what, count): &(String, String)| format!("| {what:width$} | {count:>12} |");
    let head = [format!("| {:width$} | {:>12} |", "what", "count")];
    let rule = [format!("|{:-<1$}|{2:->14}|", "", width + 2, ":")];
    head.into_iter().chain(rule).chain(rows.iter().map(line)).collect()
}
