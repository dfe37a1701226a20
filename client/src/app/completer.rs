//! What the line editor asks about the line being typed: completions, hints, colours. It runs on
//! the editor's thread and looks at a snapshot; it never waits for anything.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, GraphemeClusterMode, Helper};
use tokio::sync::mpsc;

use crate::app::command::{Completes, Row, first_word, row};
use crate::app::directory::Directory;
use crate::app::gate::Gate;
use crate::app::line_rows::LineRows;
use crate::app::open_conversation::OpenConversation;
use crate::app::terminal;
use crate::app::view::{Kind, Paint, more_names};

/// The most names that are offered at once: with the longest names two columns of a usual screen.
pub const OFFERED_MAX: usize = 40;

/// Between two names that are offered, as the line editor has it.
const COLUMN_GAP: usize = 2;

/// What stands for names that are not shown is not wider than this.
const MORE_COLUMNS: usize = 20;

/// The rows of the window that the names don't get: for the line above them and the one below.
const ROWS_BESIDE: usize = 2;

/// A window that does not tell its size.
const COLUMNS_USUAL: usize = 80;
const ROWS_USUAL: usize = 24;

/// What the line being typed will need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListRequest {
    /// The groups.
    Groups,
    /// Who is online.
    Users,
}

/// Helps the line editor.
pub struct EditorHelper {
    /// Who and what is there: a snapshot that the chat loop publishes.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Where it asks for a newer list.
    pub list_requests: mpsc::Sender<ListRequest>,
    /// Closed while nothing may be printed above the line.
    pub gate: Arc<Gate>,
    /// In which colours hints are shown.
    pub paint: Paint,
    /// Whether the line being typed is a command, rather than a name.
    pub knows_commands: bool,
    /// How it lies on the screen.
    pub rows: LineRows,
    /// Whether a line is a command, or is said in a conversation.
    pub open: OpenConversation,
}

/// The part of a line that is being typed.
#[derive(Debug, PartialEq, Eq)]
struct Position<'a> {
    /// Where the word begins.
    start: usize,
    word: &'a str,
    completes: Completes,
    /// The command that it belongs to, and its how manieth word behind it this is; nothing when it
    /// is the command.
    place: Option<(&'static Row, usize)>,
}

impl Position<'_> {
    /// Whether nothing follows when this name is put here.
    fn is_last(&self, name: &str) -> bool {
        match self.place {
            Some((row, number)) => {
                let goes_on = ["message", "text"].iter().any(|more| row.arguments.contains(more));
                !goes_on && number + 1 >= row.completes.len()
            }
            None => row(name).is_some_and(|row| row.arguments.is_empty()),
        }
    }
}

impl EditorHelper {
    /// Where a command begins in this line, if it is one.
    fn command_at(&self, line: &str) -> Option<usize> {
        self.open.command_at(line).filter(|_| self.knows_commands)
    }

    /// Asks for what this position needs. When too much is asked already, the answer to that is
    /// under way.
    fn request_lists(&self, completes: Completes) {
        let needed: &[ListRequest] = match completes {
            Completes::OtherGroups | Completes::OwnGroups | Completes::AllGroups => {
                &[ListRequest::Groups]
            }
            Completes::OtherUsers | Completes::AllUsers => &[ListRequest::Users],
            Completes::Conversations => &[ListRequest::Groups, ListRequest::Users],
            Completes::Commands
            | Completes::Topics
            | Completes::Words(_)
            | Completes::NewestPost => &[],
        };
        for list in needed {
            let _ = self.list_requests.try_send(*list);
        }
    }
}

/// Where in a command the cursor is; nothing where nothing can be completed.
fn position(before_cursor: &str) -> Option<Position<'_>> {
    let line = before_cursor.trim_start();
    let Some((name, rest)) = line.split_once(char::is_whitespace) else {
        let start = before_cursor.len() - line.len();
        return Some(Position { start, word: line, completes: Completes::Commands, place: None });
    };
    let row = row(name)?;
    // All words before this one are complete.
    let word = rest.rsplit(char::is_whitespace).next().unwrap_or_default();
    let before = rest[..rest.len() - word.len()].split_whitespace();
    let number = before.clone().count();
    let is_within = number > 1
        && row.arguments.ends_with("[in group-name]")
        && before.last().is_some_and(|word| word.eq_ignore_ascii_case("in"));
    let completes = if is_within { Completes::OwnGroups } else { *row.completes.get(number)? };
    let start = before_cursor.len() - word.len();
    Some(Position { start, word, completes, place: Some((row, number)) })
}

/// What is still to be typed after this, as the command's usage says it.
fn hint(line: &str) -> Option<String> {
    let (name, rest) = first_word(line);
    let row = row(name)?;
    let arguments: Vec<_> = row.arguments.split_inclusive(']').map(str::trim).collect();
    let typed = line.trim_start();
    if rest.is_empty() {
        let gap = if typed.ends_with(char::is_whitespace) { "" } else { " " };
        return (!arguments.is_empty()).then(|| format!("{gap}{}", arguments.join(" ")));
    }
    // Some arguments are there; what comes after them is shown once a space says that they are
    // complete.
    let more = arguments.get(rest.split_whitespace().count()..).filter(|more| !more.is_empty())?;
    typed.ends_with(char::is_whitespace).then(|| more.join(" "))
}

impl Completer for EditorHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let at = self.command_at(line).filter(|at| *at <= pos);
        let position = at.and_then(|at| Some((at, position(&line[at..pos])?)));
        let Some((at, position)) = position else { return Ok((pos, Vec::new())) };
        self.request_lists(position.completes);
        let mut names = self.directory.load().complete(position.completes, position.word);
        let more = take_what_fits(&mut names, window());
        let pairs = names.into_iter().map(|name| {
            let replacement =
                if position.is_last(&name) { name.clone() } else { format!("{name} ") };
            Pair { display: name, replacement }
        });
        let more = more
            .map(|More { count, common }| Pair { display: more_names(count), replacement: common });
        Ok((at + position.start, pairs.chain(more).collect()))
    }
}

/// A window's size, in columns and rows.
fn window() -> (usize, usize) {
    let usual = |length: &usize| *length > 0;
    (
        terminal::columns().filter(usual).unwrap_or(COLUMNS_USUAL),
        terminal::rows().filter(usual).unwrap_or(ROWS_USUAL),
    )
}

/// Names that are not shown.
#[derive(Debug, PartialEq, Eq)]
struct More {
    count: usize,
    /// What they have in common with those that are: the line editor types that.
    common: String,
}

/// Leaves no more names than have room in the window with what is said of the others. With more,
/// the line editor would ask, and print nothing that arrives until that is answered.
fn take_what_fits(names: &mut Vec<String>, (columns, rows): (usize, usize)) -> Option<More> {
    let widest = names.iter().map(|name| GraphemeClusterMode::from_env().width(name)).max()?;
    let column = (usize::from(widest) + COLUMN_GAP).max(MORE_COLUMNS).min(columns);
    let room = (columns / column.max(1)) * rows.saturating_sub(ROWS_BESIDE).max(1);
    let room = room.min(OFFERED_MAX);
    if names.len() <= room {
        return None;
    }
    let common = names.iter().skip(1).fold(names[0].as_str(), |common, name| {
        let same = common.chars().zip(name.chars()).take_while(|(a, b)| a == b);
        &common[..same.map(|(c, _)| c.len_utf8()).sum()]
    });
    let common = common.to_owned();
    let shown = room.saturating_sub(1).max(1);
    let count = names.len() - shown;
    names.truncate(shown);
    Some(More { count, common })
}

impl Hinter for EditorHelper {
    type Hint = UsageHint;

    /// Called when a line begins and whenever it changes.
    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<UsageHint> {
        self.rows.measure(line);
        self.gate.open();
        let at = self.command_at(line).filter(|at| *at <= pos)?;
        if let Some(position) = position(&line[at..pos]) {
            self.request_lists(position.completes);
        }
        // Without colours a hint could not be told from what was typed.
        (self.paint.colours && pos == line.len())
            .then(|| hint(&line[at..]))
            .flatten()
            .map(UsageHint)
    }
}

/// A hint that says what to type, and is not taken over by the right arrow.
pub struct UsageHint(String);

impl Hint for UsageHint {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Highlighter for EditorHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        is_own: bool,
    ) -> Cow<'b, str> {
        self.gate.searching(!is_own);
        self.rows.prompt(prompt)
    }

    /// The line itself stays as it is, but for the ends of its rows.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        self.gate.painted();
        self.rows.paint(line)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.paint.paint(Kind::Hint, self.rows.paint(hint)))
    }
}

impl Validator for EditorHelper {
    /// Every line is complete; but this is called when Enter is pressed, before the terminal leaves
    /// raw mode.
    ///
    /// A message, and be it an empty one, has the line painted once more.
    fn validate(&self, line: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.gate.close();
        let paint_again = self.rows.finish(line.input());
        Ok(ValidationResult::Valid(paint_again.then(String::new)))
    }
}

impl Helper for EditorHelper {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Option<(usize, &str, Completes)> {
        position(line).map(|position| (position.start, position.word, position.completes))
    }

    #[test]
    fn the_first_word_is_a_command_and_the_second_what_the_command_wants() {
        assert_eq!(at(""), Some((0, "", Completes::Commands)));
        assert_eq!(at(" jo"), Some((1, "jo", Completes::Commands)));
        assert_eq!(at("join "), Some((5, "", Completes::OtherGroups)));
        assert_eq!(at("LEAVE  Ge"), Some((7, "Ge", Completes::OwnGroups)));
        assert_eq!(at("private علی"), Some((8, "علی", Completes::OtherUsers)));
        assert_eq!(at("help pu"), Some((5, "pu", Completes::Topics)));
        assert_eq!(at("kick tea  Ji"), Some((10, "Ji", Completes::OtherUsers)));
        assert_eq!(at("kick tea "), Some((9, "", Completes::OtherUsers)));
        assert_eq!(at("history @J"), Some((8, "@J", Completes::Conversations)));
    }

    #[test]
    fn a_search_may_end_in_a_group() {
        assert_eq!(at("search x in Gen"), Some((12, "Gen", Completes::OwnGroups)));
        assert_eq!(at("search two words IN "), Some((20, "", Completes::OwnGroups)));
        assert_eq!(at("search in Gen"), None, "that is what is looked for");
        assert_eq!(at("search x Gen"), None);
        assert!(position("search x in Gen").unwrap().is_last("General"));
    }

    #[test]
    fn no_more_is_offered_than_has_room_and_the_rest_is_counted() {
        let names = |count| (0..count).map(|n| format!("group{n:03}")).collect::<Vec<_>>();
        let mut few = names(40);
        assert_eq!(take_what_fits(&mut few, (80, 24)), None);
        assert_eq!(few.len(), 40);
        let mut many = names(300);
        many[299] = "grouse".to_owned();
        let more = take_what_fits(&mut many, (80, 24));
        assert_eq!(more, Some(More { count: 261, common: "grou".to_owned() }));
        assert_eq!(many.len(), 39);
        let mut low = names(10);
        assert_eq!(take_what_fits(&mut low, (25, 6)).map(|more| more.count), Some(7));
        assert_eq!(take_what_fits(&mut Vec::new(), (80, 24)), None);
    }

    #[test]
    fn messages_and_unknown_commands_are_not_completed() {
        assert_eq!(at("public General he"), None);
        assert_eq!(at("public General "), None);
        assert_eq!(at("create "), None);
        assert_eq!(at("kick tea Jim sp"), None);
        assert_eq!(at("what "), None);
    }

    #[test]
    fn a_space_follows_where_something_must() {
        let is_last = |line, name| position(line).unwrap().is_last(name);
        assert!(!is_last("j", "join"));
        assert!(is_last("u", "users"));
        assert!(is_last("join G", "G1"));
        assert!(!is_last("public G", "G1"));
        assert!(!is_last("private J", "Jim"));
        assert!(is_last("help j", "join"));
        assert!(!is_last("op t", "tea") && is_last("op tea J", "Jim"));
        assert!(!is_last("topic t", "tea"));
    }

    #[test]
    fn the_hint_is_what_is_still_to_be_typed() {
        assert_eq!(hint("public").as_deref(), Some(" [group-name] [message]"));
        assert_eq!(hint("public ").as_deref(), Some("[group-name] [message]"));
        assert_eq!(hint("public G1"), None);
        assert_eq!(hint("public G1 ").as_deref(), Some("[message]"));
        assert_eq!(hint("public G1 h"), None);
        assert_eq!(hint("public G1 h "), None);
        assert_eq!(hint("join ").as_deref(), Some("[group-name]"));
        assert_eq!(hint("join G1 "), None);
        assert_eq!(hint("users"), None);
        assert_eq!(hint("history ").as_deref(), Some("[group-name|@username] [count]"));
        assert_eq!(hint("history G1 ").as_deref(), Some("[count]"));
        assert_eq!(hint("search tea ").as_deref(), Some("[in group-name]"));
        assert_eq!(hint("kick tea ").as_deref(), Some("[username] [reason]"));
        assert_eq!(hint("kick tea Jim ").as_deref(), Some("[reason]"));
        assert_eq!(hint("pub"), None);
    }
}
