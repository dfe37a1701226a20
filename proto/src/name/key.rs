//! When two names are the same.

use std::borrow::Cow;
use std::sync::Arc;

use caseless::Caseless;
use precis_core::profile::Rules;
use precis_profiles::UsernameCaseMapped;
use unicode_normalization::UnicodeNormalization;

use super::is_drawn_as_nothing;

/// How often the fold is applied at most. It is stable after two for every character there is (a
/// test says so), and RFC 8264 (section 7) asks for four at most.
const ROUNDS_MAX: usize = 4;

/// What identifies a name: the name after folding. Compare these, show the names.
///
/// The fold is the PRECIS profile `UsernameCaseMapped` (RFC 8265, section 3.3) applied until
/// nothing changes, on top of canonical caseless matching (definition D145 of the Unicode Standard,
/// chapter 3.13), of what can be seen. The first makes full-width letters and their like equal to
/// the usual ones, the second knows more of case ("straße" is "STRASSE"). The profile's mappings
/// are used, not its list of allowed characters: a name may have an emoji in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// The folded text, for ordering and searching; never shown to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(name: &Arc<str>) -> NameKey {
        // Most names are of this kind, and every message has one to look up.
        if name.is_ascii() {
            let folds_to_itself = !name.bytes().any(|byte| byte.is_ascii_uppercase());
            return NameKey(if folds_to_itself {
                Arc::clone(name)
            } else {
                name.to_ascii_lowercase().into()
            });
        }
        NameKey(fold(name).into())
    }
}

/// Folds a text until nothing changes. The caseless fold comes first, so that what it makes equal
/// stays equal.
pub(super) fn fold(text: &str) -> String {
    let mut folded = caseless(text.chars().filter(|&c| !is_drawn_as_nothing(c)));
    for _ in 1..ROUNDS_MAX {
        let mapped = precis(&folded);
        if mapped == folded {
            break;
        }
        let again = caseless(mapped.chars());
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn caseless(text: impl Iterator<Item = char>) -> String {
    text.nfd().default_case_fold().nfc().collect()
}

/// The mappings of the profile, in its order: width, case, normalization. They can't fail on a
/// text; if one did, the text would be as it was.
fn precis(text: &str) -> Cow<'_, str> {
    let profile = UsernameCaseMapped::new();
    let mapped = profile
        .width_mapping_rule(text)
        .and_then(|text| profile.case_mapping_rule(text))
        .and_then(|text| profile.normalization_rule(text));
    mapped.unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use precis_core::profile::{Profile, stabilize};
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

    use super::*;
    use crate::UserName;
    use crate::chance::Chance;

    /// How many random names each rule is tried with.
    const NAMES: u32 = 500;

    fn same(a: &str, b: &str) -> bool {
        UserName::parse(a).unwrap().key() == UserName::parse(b).unwrap().key()
    }

    #[test]
    fn case_and_composition_make_no_difference() {
        assert!(same("Jim", "jim"));
        assert!(same("STRASSE", "straße"));
        assert!(same("e\u{301}", "É"));
        assert!(same("ΣΊΣΥΦΟΣ", "σίσυφος"));
        assert!(!same("Jim", "Jlm"));
        assert!(!same("علی", "على"));
    }

    #[test]
    fn what_is_drawn_as_nothing_makes_no_difference() {
        for hidden in [
            "Jim\u{FE0F}",
            "J\u{034F}im",
            "J\u{200C}im",
            "J\u{200D}im",
            "Ji\u{E0100}m",
            "Ji\u{180B}m",
        ] {
            assert!(same("jim", hidden), "{}", hidden.escape_unicode());
        }
        assert!(same("می‌خواهم", "میخواهم"));
        assert!(!same("👩‍🚀", "👩"));
    }

    #[test]
    fn width_makes_no_difference() {
        assert!(same("Jim", "Ｊｉｍ"));
        assert!(same("Ｊｉｍ🙂", "jim🙂"), "where the profile would not allow a character, too");
        assert!(same("カナ", "ｶﾅ"));
        assert!(same("ガ", "ｶﾞ"));
    }

    /// The fold as it was before there was PRECIS in it.
    fn older(text: &str) -> String {
        caseless(text.chars().filter(|&c| !is_drawn_as_nothing(c)))
    }

    #[test]
    fn every_character_is_stable_after_two_rounds() {
        let assigned = ('\0'..=char::MAX)
            .filter(|c| c.general_category_group() != GeneralCategoryGroup::Other);
        for c in assigned {
            let text = c.to_string();
            let twice = caseless(precis(&caseless(precis(&older(&text)).chars())).chars());
            assert_eq!(fold(&text), twice, "U+{:04X}", u32::from(c));
            assert_eq!(fold(&twice), twice, "U+{:04X}", u32::from(c));
        }
    }

    /// A name of these letters, or of any characters.
    fn name(chance: &mut Chance) -> UserName {
        const QUARRELSOME: &str = "AzÅåßſKıİΑώᎠᏴꭰＡｚｦﾝﾞﾟ\u{301}\u{307}\u{345}\u{3099}\u{200C}🙂";
        crate::name::tests::any_name(chance, QUARRELSOME, 12)
    }

    #[test]
    fn a_key_folds_to_itself() {
        let mut chance = Chance::new(1);
        for name in (0..NAMES).map(|_| name(&mut chance)) {
            let key = name.key();
            assert_eq!(fold(key.as_str()), key.as_str(), "{name:?}");
        }
    }

    #[test]
    fn what_was_equal_is_equal() {
        let mut chance = Chance::new(2);
        for name in (0..NAMES).map(|_| name(&mut chance)) {
            assert_eq!(fold(&older(name.as_str())), fold(name.as_str()), "{name:?}");
            for variant in [name.as_str().to_uppercase(), name.as_str().to_lowercase()] {
                if older(&variant) == older(name.as_str()) {
                    assert_eq!(fold(&variant), fold(name.as_str()), "{name:?}");
                }
            }
        }
    }

    /// What the profile as a whole makes equal, is equal.
    #[test]
    fn names_that_precis_allows_are_equal_to_what_it_makes_of_them() {
        let (mut chance, profile) = (Chance::new(3), UsernameCaseMapped::new());
        for name in (0..NAMES).map(|_| name(&mut chance)) {
            if let Ok(enforced) = stabilize(name.as_str(), |text| profile.enforce(text)) {
                assert_eq!(fold(&enforced), fold(name.as_str()), "{name:?}");
            }
        }
    }
}
