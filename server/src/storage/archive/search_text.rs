//! What the index is given of a post, and what it is asked for.
//!
//! The index is given words that are folded and separated already. So what is the same word is
//! decided by us alone (`search_words`), for texts and queries alike, and no syntax of the index
//! can be in a query.

use chatroom_proto::SearchQuery;

use super::search_words::{SearchPiece, bigrams, pieces};
use crate::chat::effect::ConversationId;
use crate::chat::entry::{GroupId, PersonId};

/// Begins the tokens that say where something was said. No word has it in it, and to the index it
/// is a letter.
const PLACE: char = '§';

/// From so many characters on, what has all bigrams of a run need not have the run: `乒乓球` is not
/// in `球乒乓 乓球`. Such a match is checked against the text.
const CHECKED_CHARS: usize = 3;

/// What the index is given of a post: its words, and where it was said. Made again from the row
/// when it is deleted from the index, so a change of what comes out of it is a change of the
/// schema.
pub(super) fn text(conversation: ConversationId, body: &str) -> String {
    let mut text = String::new();
    for piece in pieces(body) {
        match piece {
            SearchPiece::Word(word) | SearchPiece::Symbol(word) => add(&mut text, &word),
            SearchPiece::Run(run) => {
                bigrams(&run).for_each(|bigram| add(&mut text, bigram));
                // So each of its characters begins a token, and is found alone.
                add(&mut text, last_char(&run));
            }
        }
    }
    match conversation {
        ConversationId::Group(group) => add(&mut text, &group_token(group)),
        ConversationId::Pair(one, other) => {
            add(&mut text, &person_token(one));
            add(&mut text, &person_token(other));
        }
    }
    text
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexQuery {
    /// What the index is asked.
    pub(super) expression: String,
    /// The runs that a text must have, which the index can't tell.
    runs: Vec<String>,
}

/// Why there is nothing to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoQuery {
    /// There is no word and no symbol in it.
    NoWords,
    /// The reader may read nothing.
    NoPlaces,
}

/// Asks the index for what has all of these words and was said in one of these groups, or to or by
/// this reader alone.
pub(super) fn query(
    words: &SearchQuery,
    groups: &[GroupId],
    in_private: Option<PersonId>,
) -> Result<IndexQuery, NoQuery> {
    let pieces = pieces(words.as_str());
    if pieces.is_empty() {
        return Err(NoQuery::NoWords);
    }
    let places: Vec<String> =
        groups.iter().copied().map(group_token).chain(in_private.map(person_token)).collect();
    if places.is_empty() {
        return Err(NoQuery::NoPlaces);
    }
    let terms: Vec<String> = pieces.iter().flat_map(terms).collect();
    let expression = format!("{} AND (\"{}\")", terms.join(" AND "), places.join("\" OR \""));
    let runs = pieces.into_iter().filter_map(|piece| match piece {
        SearchPiece::Run(run) if run.chars().nth(CHECKED_CHARS - 1).is_some() => Some(run),
        _ => None,
    });
    Ok(IndexQuery { expression, runs: runs.collect() })
}

impl IndexQuery {
    /// Whether a text that the index has found is what was looked for.
    pub(super) fn matches(&self, body: &str) -> bool {
        if self.runs.is_empty() {
            return true;
        }
        let pieces = pieces(body);
        let has = |run: &String| {
            pieces.iter().any(|piece| matches!(piece, SearchPiece::Run(text) if text.contains(run)))
        };
        self.runs.iter().all(has)
    }
}

/// What a piece of a query is to the index. One character of a run is the beginning of a token.
fn terms(piece: &SearchPiece) -> Vec<String> {
    match piece {
        SearchPiece::Word(word) | SearchPiece::Symbol(word) => vec![format!("\"{word}\"")],
        SearchPiece::Run(run) if run == last_char(run) => vec![format!("\"{run}\" *")],
        SearchPiece::Run(run) => bigrams(run).map(|bigram| format!("\"{bigram}\"")).collect(),
    }
}

fn add(text: &mut String, token: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(token);
}

fn last_char(run: &str) -> &str {
    let start = run.char_indices().next_back().map_or(0, |(start, _)| start);
    &run[start..]
}

fn group_token(group: GroupId) -> String {
    format!("{PLACE}g{}", group.0)
}

fn person_token(person: PersonId) -> String {
    format!("{PLACE}p{}", person.0)
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Seq;

    use super::*;

    fn ask(words: &str) -> Result<IndexQuery, NoQuery> {
        query(&SearchQuery::parse(words).unwrap(), &[GroupId(Seq(3))], Some(PersonId(Seq(7))))
    }

    fn expression(words: &str) -> String {
        ask(words).unwrap().expression
    }

    #[test]
    fn a_query_has_no_syntax_but_ours() {
        assert_eq!(expression("a"), "\"a\" AND (\"§g3\" OR \"§p7\")");
        let hostile = expression("\" OR NEAR(x*) :text -y ^z §g9");
        let words = "\"or\" AND \"near\" AND \"x\" AND \"text\" AND \"y\" AND \"z\" AND \"g9\"";
        assert_eq!(hostile, format!("{words} AND (\"§g3\" OR \"§p7\")"));
        assert_eq!(ask("?! \"*\""), Err(NoQuery::NoWords));
    }

    #[test]
    fn who_may_read_nothing_asks_for_nothing() {
        assert_eq!(query(&SearchQuery::parse("a").unwrap(), &[], None), Err(NoQuery::NoPlaces));
    }

    #[test]
    fn a_run_is_its_bigrams_and_its_last_character() {
        let group = ConversationId::Group(GroupId(Seq(3)));
        assert_eq!(text(group, "我好想 ok🎉"), "我好 好想 想 ok 🎉 §g3");
        assert_eq!(text(group, "..."), "§g3");
        assert!(expression("好想要").starts_with("\"好想\" AND \"想要\" AND ("));
        assert!(expression("好 ok").starts_with("\"好\" * AND \"ok\" AND ("));
    }

    #[test]
    fn what_has_all_bigrams_of_a_run_may_not_have_the_run() {
        let asked = ask("乒乓球").unwrap();
        assert!(asked.matches("買乒乓球拍") && !asked.matches("球乒乓 乓球"));
        assert!(ask("乒乓").unwrap().matches("whatever the index has found"));
        let both = ask("乒乓球 東京都").unwrap();
        assert!(!both.matches("乒乓球") && both.matches("東京都 乒乓球"));
    }
}
