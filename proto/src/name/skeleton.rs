//! When two names look alike: skeletons as in Unicode Technical Standard 39, section 4.
//!
//! Its table knows that Cyrillic і is drawn as Latin i, that either yeh and either kaf look alike,
//! and that ZERO WIDTH NON-JOINER shows nothing. What it leaves to its users is done here: names
//! differ in more than case, and marks can be hidden.

use std::sync::LazyLock;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::key::fold;

/// How often table and fold are applied at most: two are enough for nearly all characters, and the
/// rest is as good a skeleton.
const ROUNDS_MAX: usize = 6;

/// Stretches an Arabic letter, and is none.
const TATWEEL: char = '\u{640}';

const DOT_ABOVE: char = '\u{307}';

/// What a name looks like, whatever it is written with: names that share one can be mistaken for
/// each other. For comparing only; nobody could read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Skeleton(String);

impl Skeleton {
    /// That of the name as it is shown, and that of its small letters where that is another one:
    /// Greek Ν looks like N and ν like v.
    pub(super) fn of(name: &str) -> impl Iterator<Item = Skeleton> + use<> {
        let shown = skeleton(name);
        // Of plain letters it is the same, which is what skeletons are folded for.
        let small = if name.is_ascii() { None } else { Some(skeleton(&fold(name))) };
        let small = small.filter(|small| *small != shown);
        [Some(shown), small].into_iter().flatten().map(Skeleton)
    }
}

/// Whether two names share a skeleton.
pub(super) fn meet(one: &str, other: &str) -> bool {
    Skeleton::of(one).any(|skeleton| Skeleton::of(other).any(|theirs| theirs == skeleton))
}

/// The skeleton of each ASCII character: in a text of these, none has to do with its neighbours.
static ASCII: LazyLock<[String; 128]> =
    LazyLock::new(|| std::array::from_fn(|code| bare(&char::from(code as u8).to_string())));

fn skeleton(text: &str) -> String {
    // Most names are of this kind, and many may come at once.
    if text.is_ascii() {
        // Room is made once, for nearly all names: of a letter at most two are made.
        let mut skeleton = String::with_capacity(2 * text.len());
        text.bytes().for_each(|byte| skeleton.push_str(&ASCII[usize::from(byte)]));
        return skeleton;
    }
    bare(text)
}

/// The table turns I into l and m into rn, the fold turns M into m: so they take turns until
/// nothing changes.
fn bare(text: &str) -> String {
    let mut bare = text.to_owned();
    for _ in 0..ROUNDS_MAX {
        let again = fold(&plain(unicode_security::skeleton(&without_tatweel(&bare))));
        if again == bare {
            break;
        }
        bare = again;
    }
    bare
}

fn without_tatweel(text: &str) -> String {
    text.chars().filter(|&c| c != TATWEEL).collect()
}

/// Takes away what makes no difference to the eye in a decomposed text: a dot on a letter that has
/// one, and a mark that lies on one of its kind. Letters with the look of capitals become the
/// letters that they look like.
fn plain(text: impl Iterator<Item = char>) -> String {
    let mut plain = String::new();
    let mut base = None;
    for c in text {
        let is_mark = c.general_category() == GeneralCategory::NonspacingMark;
        let is_dot_on_dot = c == DOT_ABOVE && matches!(base, Some('l' | 'j'));
        let is_doubled = is_mark && plain.ends_with(c);
        if is_dot_on_dot || is_doubled {
            continue;
        }
        let c = without_case(c);
        if !is_mark {
            base = Some(c);
        }
        plain.push(c);
    }
    plain
}

/// The small letter that a small capital is a picture of: the table has Cyrillic В as B and в as ʙ,
/// but B and b are one letter. And as it has I as l, so is i.
fn without_case(c: char) -> char {
    match c {
        'ᴀ' => 'a',
        'ʙ' => 'b',
        'ᴄ' => 'c',
        'ᴅ' => 'd',
        'ᴇ' => 'e',
        'ꜰ' => 'f',
        'ɢ' => 'g',
        'ʜ' => 'h',
        'i' | 'ɪ' | 'ʟ' => 'l',
        'ᴊ' => 'j',
        'ᴋ' | 'ĸ' => 'k',
        'ᴍ' | 'ʍ' => 'm',
        'ɴ' => 'n',
        'ᴏ' => 'o',
        'ᴘ' => 'p',
        'ʀ' => 'r',
        'ꜱ' => 's',
        'ᴛ' => 't',
        'ᴜ' => 'u',
        'ᴠ' => 'v',
        'ᴡ' => 'w',
        'ʏ' => 'y',
        'ᴢ' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use unicode_properties::GeneralCategoryGroup;

    use super::*;
    use crate::UserName;
    use crate::chance::Chance;

    /// How many random names each rule is tried with.
    const NAMES: u32 = 500;

    #[test]
    fn every_character_has_a_stable_skeleton() {
        let assigned = ('\0'..=char::MAX)
            .filter(|c| c.general_category_group() != GeneralCategoryGroup::Other);
        let unstable: Vec<char> = assigned
            .filter(|c| {
                let once = skeleton(&c.to_string());
                skeleton(&once) != once
            })
            .collect();
        assert_eq!(unstable, []);
    }

    #[test]
    fn case_makes_no_difference_to_a_plain_skeleton() {
        for c in '!'..='~' {
            let (small, capital) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
            assert_eq!(skeleton(&small.to_string()), skeleton(&capital.to_string()), "{c}");
        }
    }

    /// A name of letters that look alike, or of any characters.
    fn name(chance: &mut Chance) -> UserName {
        const ALIKE: &str = "IiLlJjMmrn0Oo1іІјЈмМвВνΝΗηاهیيكک\u{301}\u{307}\u{640}\u{200C}";
        crate::name::tests::any_name(chance, ALIKE, 3)
    }

    #[test]
    fn a_plain_text_has_the_skeletons_of_its_characters() {
        let mut chance = Chance::new(1);
        for _ in 0..NAMES {
            let length = chance.between(1, 32);
            let text: String =
                (0..length).map(|_| char::from(chance.between(b'!', b'~'))).collect();
            assert_eq!(skeleton(&text), bare(&text), "{text}");
        }
    }

    #[test]
    fn who_keeps_names_by_their_skeletons_finds_all_that_look_alike() {
        let mut chance = Chance::new(2);
        let mut alike = 0;
        for _ in 0..4 * NAMES {
            let (a, b) = (name(&mut chance), name(&mut chance));
            let theirs: Vec<_> = b.skeletons().collect();
            let shares = a.skeletons().any(|skeleton| theirs.contains(&skeleton));
            assert_eq!(a.looks_like(&b), b.looks_like(&a), "{a:?} {b:?}");
            assert!(shares || !a.looks_like(&b), "{a:?} {b:?}");
            alike += u32::from(a.looks_like(&b));
        }
        assert!(alike > 0, "some look alike");
    }

    #[test]
    fn a_name_is_no_look_alike_of_itself_and_has_one_skeleton_or_two() {
        let mut chance = Chance::new(3);
        for name in (0..NAMES).map(|_| name(&mut chance)) {
            assert!(!name.looks_like(&name), "{name:?}");
            assert!((1..=2).contains(&name.skeletons().count()), "{name:?}");
        }
    }
}
