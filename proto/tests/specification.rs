//! The specification is the documentation of the types. It is whole: each request says what it is
//! answered with, and nothing that a server may answer is left out.
//!
//! That what a request names exists is checked where the documentation is built.

use std::collections::{BTreeMap, BTreeSet};

use chatroom_proto::golden::Shape;
use chatroom_proto::{ClientFrame, ServerFrame};

const REQUESTS: &str = include_str!("../src/request.rs");
const RESPONSES: &str = include_str!("../src/response.rs");

/// What the documentation of each variant says, by the variant's name.
fn documented<'a>(source: &'a str, of: &str) -> Vec<(&'a str, String)> {
    let start = format!("pub enum {of} {{");
    let (_, body) = source.split_once(&start).expect("an enum of this name");
    let (body, _) = body.split_once("\n}").expect("its end");
    let (mut variants, mut doc) = (Vec::new(), String::new());
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if !name.is_empty() {
            variants.push((name, std::mem::take(&mut doc)));
        }
    }
    variants
}

/// The variants of this enum that a text links to.
fn links<'a>(text: &'a str, of: &str) -> BTreeSet<&'a str> {
    let start = format!("[`{of}::");
    text.split(&start).skip(1).filter_map(|rest| rest.split('`').next()).collect()
}

/// What a request's documentation says of its answers, one part after the other.
struct Answers<'a> {
    reply: &'a str,
    refused: &'a str,
    heard_by: &'a str,
}

fn answers<'a>(request: &str, doc: &'a str) -> Answers<'a> {
    for (part, times) in [("*Reply*", 1..=1), ("*Refused*", 0..=1), ("*Heard by*", 1..=1)] {
        let found = doc.matches(part).count();
        assert!(times.contains(&found), "{request} says {part} {found} times");
    }
    let (_, answers) = doc.split_once("*Reply*").unwrap_or_default();
    let (granted, heard_by) = answers.split_once("*Heard by*").unwrap_or_default();
    let (reply, refused) = granted.split_once("*Refused*").unwrap_or((granted, ""));
    Answers { reply, refused, heard_by }
}

#[test]
fn each_request_says_how_it_is_answered_and_who_hears_of_it() {
    let (asked, answered) = (Shape::whole::<ClientFrame>(), Shape::whole::<ServerFrame>());
    let requests = documented(REQUESTS, "Request");
    let names: Vec<&str> = requests.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, asked.variants_of("Request"));

    let mut refusals = links(REQUESTS, "Refusal");
    for (request, doc) in &requests {
        let Answers { reply, refused, heard_by } = answers(request, doc);
        let replies = links(reply, "Response");
        assert!(!replies.is_empty(), "{request} names no reply");
        let nobody = heard_by.trim_start().starts_with("nobody");
        let heard = links(heard_by, "Notification");
        assert_ne!(nobody, !heard.is_empty(), "{request} is heard by nobody, or as something");
        for part in [reply, heard_by] {
            assert_eq!(links(part, "Refusal"), BTreeSet::new(), "{request} refuses elsewhere");
        }
        refusals.extend(links(refused, "Refusal"));
    }
    assert_eq!(refusals, answered.variants_of("Refusal").into_iter().collect());
}

#[test]
fn each_response_names_the_requests_that_name_it() {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let requests = documented(REQUESTS, "Request");
    for (request, doc) in &requests {
        for response in links(answers(request, doc).reply, "Response") {
            named.entry(response).or_default().insert(request);
        }
    }
    let responses = documented(RESPONSES, "Response");
    let says = responses.iter().map(|(response, doc)| (*response, links(doc, "Request"))).collect();
    assert_eq!(named, says);
}
