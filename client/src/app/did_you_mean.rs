//! What somebody may have meant who typed a name that is none.

/// The one that may have been meant: a third of the letters wrong at most, swapped neighbours
/// counting as one.
pub(crate) fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let wrong_max = (length / 3).max(1);
    names
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(wrong, _)| *wrong <= wrong_max && *wrong < length)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_letters_may_be_wrong_and_not_all() {
        assert_eq!(closest("jion", ["exit", "join"].into_iter()), Some("join"));
        assert_eq!(closest("G2", ["G1", "x"].into_iter()), Some("G1"));
        assert_eq!(closest("y", ["x"].into_iter()), None);
    }
}
