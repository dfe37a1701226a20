//! What stands behind a command's name.

use std::num::NonZeroU32;

use chatroom_proto::{
    BanTarget, Body, BodyError, Code, Conversation, GroupName, LineError, Moderation, NAME_MARK,
    Operation, Reason, Request, SearchQuery, SearchQueryError, Seq, Topic, UserName,
};

use super::row::TypedCommand::{self, Ask};
use super::row::{HISTORY_COUNT, HISTORY_COUNT_MAX, Mistake, PasswordCommand, Row};

/// The first word, and what follows it and one run of white space.
pub fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// A command that is told nothing.
pub(super) fn alone(
    row: &'static Row,
    rest: &str,
    request: Request,
) -> Result<TypedCommand, Mistake> {
    nothing(row, rest).map(|()| Ask(request))
}

/// A command that passwords are asked for.
pub(super) fn with_passwords(
    row: &'static Row,
    rest: &str,
    command: PasswordCommand,
) -> Result<TypedCommand, Mistake> {
    nothing(row, rest).map(|()| TypedCommand::AskWithPasswords(command))
}

pub(super) fn nothing(row: &'static Row, rest: &str) -> Result<(), Mistake> {
    if rest.is_empty() { Ok(()) } else { Err(Mistake::TooMuch { row }) }
}

pub(super) fn group(row: &'static Row, rest: &str) -> Result<GroupName, Mistake> {
    let (name, more) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a group" });
    }
    nothing(row, more)?;
    parse_group(row, name)
}

pub(super) fn parse_group(row: &'static Row, name: &str) -> Result<GroupName, Mistake> {
    GroupName::parse(name).map_err(|error| Mistake::BadName { row, name: name.to_owned(), error })
}

pub(super) fn parse_user(row: &'static Row, name: &str) -> Result<UserName, Mistake> {
    UserName::parse(name).map_err(|error| Mistake::BadName { row, name: name.to_owned(), error })
}

pub(super) fn name_and_message<'a>(
    row: &'static Row,
    rest: &'a str,
    whose: &'static str,
) -> Result<(&'a str, Body), Mistake> {
    let (name, message) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: whose });
    }
    match Body::parse(&normalize(message)) {
        Ok(body) => Ok((name, body)),
        Err(BodyError::Empty) => Err(Mistake::Missing { row, what: "a message" }),
        Err(error) => Err(Mistake::BadMessage { error }),
    }
}

pub(super) fn history(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (place, rest) = first_word(rest);
    let (count, more) = first_word(rest);
    if place.is_empty() {
        return Err(Mistake::Missing {
            row,
            what: "the name of a group, or @ and the name of a user",
        });
    }
    let of = conversation(row, place)?;
    nothing(row, more)?;
    let count = match count.parse() {
        _ if count.is_empty() => HISTORY_COUNT,
        Ok(number @ 1..=HISTORY_COUNT_MAX) => number,
        _ => return Err(Mistake::BadCount { row, count: count.to_owned() }),
    };
    Ok(Ask(Request::History { of, before: Seq::ZERO, count }))
}

/// The word for what one has said last.
pub const LAST: &str = "last";

/// What stands before the number of a message where it is shown; it may be typed, too.
pub const POST_MARK: char = '#';

/// What one has said last, or a message by the number that it is shown with.
pub(super) fn delete(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (post, more) = first_word(rest);
    nothing(row, more)?;
    if post.is_empty() {
        let what = "'last', or the number of a message, which history shows";
        return Err(Mistake::Missing { row, what });
    }
    if post.eq_ignore_ascii_case(LAST) {
        return Ok(TypedCommand::DeleteLast);
    }
    let number = post.strip_prefix(POST_MARK).unwrap_or(post);
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(number @ 1..) if is_number => Ok(Ask(Request::Delete { post: Seq(number) })),
        _ => Err(Mistake::BadPost { row, post: post.to_owned() }),
    }
}

/// A conversation, or nothing.
pub(super) fn open(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (place, more) = first_word(rest);
    nothing(row, more)?;
    if place.is_empty() {
        return Ok(TypedCommand::Open(None));
    }
    conversation(row, place).map(|conversation| TypedCommand::Open(Some(conversation)))
}

/// One of these words, in any case, or nothing.
pub(super) fn choice<T, const N: usize>(
    row: &'static Row,
    rest: &str,
    choices: [(&str, T); N],
) -> Result<Option<T>, Mistake> {
    let (word, more) = first_word(rest);
    nothing(row, more)?;
    if word.is_empty() {
        return Ok(None);
    }
    let chosen = choices.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    match chosen {
        Some((_, choice)) => Ok(Some(choice)),
        None => Err(Mistake::BadChoice { row, word: word.to_owned() }),
    }
}

fn conversation(row: &'static Row, place: &str) -> Result<Conversation, Mistake> {
    Ok(match place.strip_prefix(NAME_MARK) {
        Some(user) => Conversation::User(parse_user(row, user)?),
        None => Conversation::Group(parse_group(row, place)?),
    })
}

pub(super) fn search(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let rest = normalize(rest).replace('\n', " ");
    let (words, within) = match split_within(&rest) {
        Some((words, group)) => (words, Some(group)),
        None => (rest.as_str(), None),
    };
    match SearchQuery::parse(words) {
        Ok(words) => {
            Ok(Ask(Request::Search { words, within, before: Seq::ZERO, count: HISTORY_COUNT }))
        }
        Err(SearchQueryError::Empty) => Err(Mistake::Missing { row, what: "words to look for" }),
        Err(error) => Err(Mistake::BadWords { error }),
    }
}

/// Takes `in GROUP` off the end of a text, if something stands before it.
pub(super) fn split_within(text: &str) -> Option<(&str, GroupName)> {
    let (before, group) = text.trim_end().rsplit_once(char::is_whitespace)?;
    let (words, word) = before.trim_end().rsplit_once(char::is_whitespace)?;
    let is_in = word.eq_ignore_ascii_case("in") && !words.trim().is_empty();
    is_in.then(|| GroupName::parse(group).ok()).flatten().map(|group| (words, group))
}

/// A message has one kind of line end, and no tabs: what a tab looks like is the reader's
/// terminal's affair.
pub(super) fn normalize(message: &str) -> String {
    message.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ")
}

/// A group, a person, and what follows.
fn group_and_user<'a>(
    row: &'static Row,
    rest: &'a str,
) -> Result<(GroupName, UserName, &'a str), Mistake> {
    let (group, rest) = first_word(rest);
    if group.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a group" });
    }
    let group = parse_group(row, group)?;
    let (user, rest) = first_word(rest);
    if user.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a user" });
    }
    Ok((group, parse_user(row, user)?, rest))
}

/// Something that is done to somebody in a group, and nothing more is to be said about it.
pub(super) fn act(
    row: &'static Row,
    rest: &str,
    act: fn(UserName) -> Moderation,
) -> Result<TypedCommand, Mistake> {
    let (group, user, more) = group_and_user(row, rest)?;
    nothing(row, more)?;
    Ok(Ask(Request::Moderate { group, act: act(user) }))
}

pub(super) fn someone_and_why(
    row: &'static Row,
    rest: &str,
) -> Result<(GroupName, UserName, Option<Reason>), Mistake> {
    let (group, user, rest) = group_and_user(row, rest)?;
    Ok((group, user, reason(rest)?))
}

/// Something that is done to somebody in a group for so long, or for good; and why.
pub(super) fn act_for_a_time(
    row: &'static Row,
    rest: &str,
    act: fn(UserName, Option<NonZeroU32>, Option<Reason>) -> Moderation,
) -> Result<TypedCommand, Mistake> {
    let (group, user, rest) = group_and_user(row, rest)?;
    let (seconds, rest) = how_long(row, rest)?;
    let act = act(user, seconds, reason(rest)?);
    Ok(Ask(Request::Moderate { group, act }))
}

/// The rest of a line: why, if it says so.
pub(super) fn reason(text: &str) -> Result<Option<Reason>, Mistake> {
    match Reason::parse(text) {
        Ok(reason) => Ok(Some(reason)),
        Err(LineError::Empty) => Ok(None),
        Err(error) => Err(Mistake::BadLine { error }),
    }
}

/// What begins with a digit is meant to be a time: nobody is to be banned for good because of a
/// slip.
pub(super) fn how_long<'a>(
    row: &'static Row,
    rest: &'a str,
) -> Result<(Option<NonZeroU32>, &'a str), Mistake> {
    let (word, more) = first_word(rest);
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((None, rest));
    }
    match duration(word) {
        Some(seconds) => Ok((Some(seconds), more)),
        None => Err(Mistake::BadDuration { row, duration: word.to_owned() }),
    }
}

/// A number and a unit, in seconds.
fn duration(word: &str) -> Option<NonZeroU32> {
    let unit = word.chars().next_back()?;
    let seconds: u32 = match unit.to_ascii_lowercase() {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let number: u32 = word[..word.len() - unit.len_utf8()].parse().ok()?;
    NonZeroU32::new(number.checked_mul(seconds)?)
}

pub(super) fn topic(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (name, text) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a group" });
    }
    let group = parse_group(row, name)?;
    let topic = match Topic::parse(text) {
        Ok(topic) if topic.as_str() == "-" => None,
        Ok(topic) => Some(topic),
        Err(LineError::Empty) => {
            return Err(Mistake::Missing { row, what: "a text, or - to have no topic any more" });
        }
        Err(error) => return Err(Mistake::BadLine { error }),
    };
    Ok(Ask(Request::Moderate { group, act: Moderation::Topic { topic } }))
}

pub(super) fn why(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (name, rest) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a group" });
    }
    let group = parse_group(row, name)?;
    let (user, more) = first_word(rest);
    nothing(row, more)?;
    let user = if user.is_empty() { None } else { Some(parse_user(row, user)?) };
    Ok(Ask(Request::Why { group, user }))
}

pub(super) fn user_or_none(row: &'static Row, rest: &str) -> Result<Option<UserName>, Mistake> {
    let (name, more) = first_word(rest);
    nothing(row, more)?;
    if name.is_empty() { Ok(None) } else { parse_user(row, name).map(Some) }
}

pub(super) fn user(row: &'static Row, rest: &str) -> Result<UserName, Mistake> {
    user_or_none(row, rest)?.ok_or(Mistake::Missing { row, what: "the name of a user" })
}

pub(super) fn user_and_why(
    row: &'static Row,
    rest: &str,
) -> Result<(UserName, Option<Reason>), Mistake> {
    let (name, rest) = first_word(rest);
    Ok((user(row, name)?, reason(rest)?))
}

pub(super) fn code(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    if rest.trim().is_empty() {
        return Err(Mistake::Missing {
            row,
            what: "the code that the server shows to those who run it",
        });
    }
    let code = Code::parse(rest.trim()).map_err(|error| Mistake::BadCode { error })?;
    Ok(Ask(Request::Claim { code }))
}

/// Addresses, or a name; one that looks like an address has an `@` before it. Whether any other `@`
/// is a part of the name, the server knows.
pub(super) fn whom<'a>(row: &'static Row, rest: &'a str) -> Result<(BanTarget, &'a str), Mistake> {
    let (word, rest) = first_word(rest);
    if word.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a user, or an address" });
    }
    if let Some(addresses) = BanTarget::addresses(word) {
        return Ok((addresses, rest));
    }
    let marked = word.strip_prefix(NAME_MARK);
    let name = marked.filter(|name| BanTarget::addresses(name).is_some()).unwrap_or(word);
    let bad = |_| Mistake::BadTarget { row, target: word.to_owned() };
    Ok((BanTarget::User(UserName::parse(name).map_err(bad)?), rest))
}

pub(super) fn server_ban(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (whom, rest) = whom(row, rest)?;
    let (seconds, rest) = how_long(row, rest)?;
    let act = Operation::Ban { whom, seconds, reason: reason(rest)? };
    Ok(Ask(Request::Operate { act }))
}
