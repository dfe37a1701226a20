//! What the environment says, read as people mean it.
//!
//! The command line knows a variable for each option, and clap reads it. It takes an empty one for
//! a value, and of a switch anything for being there: `CHATROOM_IN_MEMORY=false` would be a
//! contradiction to `--data`.

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{Arg, ArgAction, Command};

/// What the names of our own variables begin with.
const OURS: &str = "CHATROOM_";

/// The command line with the variables that count: an empty one is as if it was not there, and a
/// switch that says no is not given.
pub(super) fn heed(command: Command) -> Command {
    command.mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        heed_one(arg, value)
    })
}

fn heed_one(arg: Arg, value: Option<OsString>) -> Arg {
    let Some(variable) = arg.get_env().map(OsStr::to_owned) else { return arg };
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_no = |value: &OsStr| is_switch && yes_or_no(value) == Some(false);
    let is_none = value.is_some_and(|value| value.is_empty() || is_no(&value));
    let arg = if is_switch { arg.value_parser(switch(&variable)) } else { arg };
    if is_none { arg.env(None::<&str>) } else { arg }
}

/// Reads what the variable of a switch says.
fn switch(variable: &OsStr) -> impl Fn(&str) -> Result<bool, String> + Clone + use<> {
    let variable = variable.to_string_lossy().into_owned();
    move |text| {
        let wrong = || format!("{variable} takes yes or no (or true, false, on, off, 1, 0)");
        yes_or_no(OsStr::new(text)).ok_or_else(wrong)
    }
}

fn yes_or_no(value: &OsStr) -> Option<bool> {
    BoolishValueParser::new().parse_ref(&Command::default(), None, value).ok()
}

/// A variable that begins like ours, and is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownVariable {
    name: String,
    /// The one that was perhaps meant.
    nearest: Option<String>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnknownVariable { name, nearest } = self;
        write!(f, "the environment has {name}, which means nothing to this server")?;
        nearest.as_ref().map_or(Ok(()), |nearest| write!(f, "; is it {nearest}?"))
    }
}

/// The variables of this environment that begin like ours and that the command line does not know,
/// in the order of their names.
pub(super) fn unknown_variables(command: &Command) -> Vec<UnknownVariable> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let known = command.get_arguments().filter_map(Arg::get_env);
    let known: Vec<_> = known.map(|name| name.to_string_lossy().into_owned()).collect();
    unknown_among(names, &known)
}

fn unknown_among(names: impl Iterator<Item = String>, known: &[String]) -> Vec<UnknownVariable> {
    let mut unknown: Vec<_> =
        names.filter(|name| name.starts_with(OURS) && !known.contains(name)).collect();
    unknown.sort();
    let with_nearest = |name: String| UnknownVariable { nearest: nearest(&name, known), name };
    unknown.into_iter().map(with_nearest).collect()
}

/// The known name that is nearest, where a third of its own letters are wrong at most.
fn nearest(name: &str, known: &[String]) -> Option<String> {
    let own = name.strip_prefix(OURS)?;
    let wrong_max = (own.chars().count() / 3).max(1);
    let distance = |known: &String| {
        let wrong = strsim::damerau_levenshtein(own, known.strip_prefix(OURS)?);
        (wrong <= wrong_max).then(|| (wrong, known.clone()))
    };
    known.iter().filter_map(distance).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_says_yes_or_no_in_any_usual_way_and_in_any_case() {
        for yes in ["1", "yes", "true", "on", "YES", "True", "On"] {
            assert_eq!(yes_or_no(OsStr::new(yes)), Some(true), "{yes}");
        }
        for no in ["0", "no", "false", "off", "NO", "False", "Off"] {
            assert_eq!(yes_or_no(OsStr::new(no)), Some(false), "{no}");
        }
        for neither in ["", "maybe", "2", " "] {
            assert_eq!(yes_or_no(OsStr::new(neither)), None, "{neither}");
        }
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_one_that_was_perhaps_meant() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let known = names(&["CHATROOM_DATA", "CHATROOM_KEEP_DAYS", "RUST_LOG"]);
        let found = ["HOME", "CHATROOM_SERVICE_HOST", "CHATROOM_DATA", "CHATROOM_KEEPDAYS"];
        let said: Vec<String> = unknown_among(names(&found).into_iter(), &known)
            .iter()
            .map(UnknownVariable::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "the environment has CHATROOM_KEEPDAYS, which means nothing to this server; is it \
                 CHATROOM_KEEP_DAYS?",
                "the environment has CHATROOM_SERVICE_HOST, which means nothing to this server",
            ]
        );
    }
}
