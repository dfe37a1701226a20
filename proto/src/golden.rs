//! Golden bytes for tests: examples of everything that a type can be, kept as bytes.
//!
//! A snapshot is the list of the examples. Each has two lines: what it means, as JSON, and its
//! bytes in hexadecimal. A test decodes the bytes that the snapshot has, and says anew what they
//! mean and what they are: so neither can change unseen, and no code has to name an example.
//!
//! [`Shape`] knows which variants there are. It comes from random values, as [`crate::chance`]
//! makes them, so it needs no list either. For a variant that the snapshot has no example of, the
//! shortest random value with it is added to the text, and the test fails until somebody has looked
//! at it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use arbitrary::Arbitrary;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_reflection::{ContainerFormat, Registry, Samples, Tracer, TracerConfig};

use crate::chance::Chance;
use crate::codec::{decode, pack};

/// How many random values show what a type can be. The rarest variant is in one of some thousand.
const VALUES: u32 = 20_000;

/// A type whose examples are kept.
pub trait Kept: Serialize + DeserializeOwned + for<'a> Arbitrary<'a> {}

impl<T: Serialize + DeserializeOwned + for<'a> Arbitrary<'a>> Kept for T {}

/// The layout of a type, and of every type in it, as serde sees it.
#[derive(Debug)]
pub struct Shape(Registry);

impl Shape {
    /// The whole layout of a type.
    pub fn whole<T: Kept>() -> Shape {
        let mut chance = Chance::new(0);
        Shape::of((0..VALUES).map(|_| chance.any::<T>()))
    }

    /// The part of the layout that these values show.
    ///
    /// # Panics
    /// When one type has the name of another.
    pub fn of<T: Serialize>(values: impl IntoIterator<Item = T>) -> Shape {
        let mut tracer = Tracer::new(TracerConfig::default().is_human_readable(false));
        let mut samples = Samples::new();
        for value in values {
            tracer.trace_value(&mut samples, &value).expect("types with names of their own");
        }
        Shape(tracer.registry_unchecked())
    }

    /// Each variant with the name of its type.
    pub fn variants(&self) -> BTreeSet<(&str, &str)> {
        let enums = self.0.iter().filter_map(|(name, format)| match format {
            ContainerFormat::Enum(variants) => Some((name, variants)),
            _ => None,
        });
        enums
            .flat_map(|(name, variants)| {
                variants.values().map(move |variant| (name.as_str(), variant.name.as_str()))
            })
            .collect()
    }

    /// The names of an enum's variants, in the order of their numbers.
    pub fn variants_of(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(ContainerFormat::Enum(variants)) => {
                variants.values().map(|variant| variant.name.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The layout as text: a line for each type that is no enum, and for each variant of one that
    /// is, with its number.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, format) in &self.0 {
            match format {
                ContainerFormat::Enum(variants) => {
                    for (number, variant) in variants {
                        let (variant, value) = (&variant.name, &variant.value);
                        line(&mut text, &format!("{name} {number} {variant}: {value:?}"));
                    }
                }
                other => line(&mut text, &format!("{name}: {other:?}")),
            }
        }
        text
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The bytes of the examples that a snapshot has.
///
/// # Panics
/// When a line of hexadecimal digits has an odd number of them.
pub fn bytes_of(snapshot: &str) -> Vec<Vec<u8>> {
    let is_hex = |line: &&str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = |hex: &str, at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits a byte");
    let lines = snapshot.lines().filter(is_hex);
    lines.map(|hex| (0..hex.len()).step_by(2).map(|at| byte(hex, at)).collect()).collect()
}

/// What a snapshot of examples should be: it is what it is, if nothing has changed and nothing of
/// the whole shape is missing.
pub fn examples<T: Kept>(whole: &Shape, snapshot: &str) -> String {
    let kept = bytes_of(snapshot);
    let decoded: Vec<_> = kept.iter().map(|bytes| (bytes, decode::<T>(bytes))).collect();
    let mut text = String::new();
    for (bytes, value) in &decoded {
        match value {
            Ok(value) => example(&mut text, value),
            Err(error) => line(&mut text, &format!("{error}\n{}\n", hex(bytes))),
        }
    }
    let values: Vec<&T> = decoded.iter().filter_map(|(_, value)| value.as_ref().ok()).collect();
    missing(whole, &values).iter().for_each(|value| example(&mut text, value));
    text
}

fn example<T: Serialize>(text: &mut String, value: &T) {
    let meaning = serde_json::to_string(value).expect("the protocol can be written as JSON");
    let bytes = pack(value).expect("the protocol can be encoded");
    line(text, &format!("{meaning}\n{}\n", hex(&bytes)));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text takes all that is written");
        hex
    })
}

/// Short values with the variants that these values leave out.
fn missing<T: Kept>(whole: &Shape, values: &[&T]) -> Vec<T> {
    let shown = Shape::of(values);
    let mut missing: BTreeSet<_> = whole.variants();
    shown.variants().iter().for_each(|variant| {
        missing.remove(variant);
    });
    if missing.is_empty() {
        return Vec::new();
    }
    let mut chance = Chance::new(0);
    let mut candidates: Vec<T> = (0..VALUES).map(|_| chance.any()).collect();
    candidates.sort_by_key(|value| pack(value).map_or(usize::MAX, |bytes| bytes.len()));
    candidates.retain(|value| {
        let shape = Shape::of([value]);
        let shows = shape.variants();
        let before = missing.len();
        missing.retain(|variant| !shows.contains(variant));
        missing.len() < before
    });
    candidates
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
    enum Fruit {
        Apple,
        Pear { ripe: bool },
        Fig(Option<Stone>),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
    enum Stone {
        Hard,
        Soft,
    }

    #[test]
    fn what_is_kept_stays_and_what_is_missing_is_added() {
        let kept = "\"Apple\"\n00000000\n\n{\"Pear\":{\"ripe\":true}}\n0100000001\n\n";
        let shape = Shape::whole::<Fruit>();
        let whole = examples::<Fruit>(&shape, kept);
        let added = whole.strip_prefix(kept).expect("what was there");
        for bytes in ["020000000100000000", "020000000101000000"] {
            assert!(added.contains(bytes), "{added}");
        }
        assert_eq!(examples::<Fruit>(&shape, &whole), whole);
    }

    #[test]
    fn bytes_that_mean_nothing_any_more_are_shown() {
        let text = examples::<Fruit>(&Shape::whole::<Fruit>(), "\"Plum\"\n03000000\n");
        assert!(text.starts_with("an invalid value"), "{text}");
    }

    #[test]
    fn a_layout_has_the_numbers_and_the_fields_of_all_variants() {
        let shape = Shape::whole::<Fruit>();
        assert_eq!(shape.variants_of("Fruit"), ["Apple", "Pear", "Fig"]);
        let text = shape.text();
        assert!(text.contains("Fruit 1 Pear: Struct([Named { name: \"ripe\", value: Bool }])"));
        assert!(text.contains("Stone 1 Soft: Unit"), "{text}");
    }
}
