//! Which command may have been meant by a word that is none.

use crate::app::did_you_mean::closest;

/// What other chats call their commands, and which one does that here. Nothing, where none does: no
/// suggestion is better than a wrong one.
pub(super) const ELSEWHERE: &[(&str, Option<&str>)] = &[
    ("bye", Some("exit")),
    ("channels", Some("groups")),
    ("dm", Some("private")),
    ("list", Some("groups")),
    ("logout", Some("exit")),
    ("me", None),
    ("msg", Some("private")),
    ("names", Some("users")),
    ("nick", None),
    ("online", Some("users")),
    ("oper", Some("operator")),
    ("part", Some("leave")),
    ("pass", Some("passwd")),
    ("password", Some("passwd")),
    ("pm", Some("private")),
    ("q", Some("exit")),
    ("query", Some("open")),
    ("quit", Some("exit")),
    ("rooms", Some("groups")),
    ("say", Some("public")),
    ("tell", Some("private")),
    ("w", Some("users")),
    ("whisper", Some("private")),
    ("whois", Some("who")),
];

/// The shortest beginning of a command's name that is taken for it, in letters.
const BEGINNING_LETTERS_MIN: usize = 2;

/// The one of these commands, if there is one: by another program's word, by how it begins if only
/// one command does, or by its letters.
pub(super) fn meant(
    word: &str,
    names: impl Iterator<Item = &'static str> + Clone,
) -> Option<&'static str> {
    let word = word.trim_start_matches('/').to_lowercase();
    if let Some((_, here)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == word) {
        return *here;
    }
    let mut begun = names.clone().filter(|name| name.starts_with(&word));
    match (begun.next(), begun.next()) {
        (Some(name), None) if word.chars().count() >= BEGINNING_LETTERS_MIN => Some(name),
        _ => closest(&word, names),
    }
}
