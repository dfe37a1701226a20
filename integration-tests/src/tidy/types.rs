//! Names of types: one that is visible outside its file stands for one thing in all packages.

use std::collections::BTreeMap;
use std::fmt;

use syn::spanned::Spanned;
use syn::{Item, Visibility};

use super::modules::{Modules, is_test, made, makers, parsed};
use super::names::attributes;
use super::tree::Tree;

/// A definition of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// Whether others than its file see it.
    pub is_visible: bool,
}

/// A name that stands for more than one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub definitions: Vec<Definition>,
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is", self.name)?;
        for (n, Definition { file, line, is_visible }) in self.definitions.iter().enumerate() {
            let (and, private) =
                (if n == 0 { "" } else { " and" }, if *is_visible { "" } else { " (private)" });
            write!(f, "{and} {file}:{line}{private}")?;
        }
        Ok(())
    }
}

/// All types by their names, tests left out.
pub fn types(tree: &Tree, modules: &Modules) -> BTreeMap<String, Vec<Definition>> {
    let mut types = BTreeMap::new();
    for file in modules.files() {
        add(file, &parsed(file, tree.text(file).unwrap_or_default()), &mut types);
    }
    types
}

/// Names that are defined twice, once at least for others to see.
pub fn twice(tree: &Tree, modules: &Modules) -> Vec<Twice> {
    let is_twice = |definitions: &Vec<Definition>| {
        definitions.len() > 1 && definitions.iter().any(|definition| definition.is_visible)
    };
    let named = types(tree, modules).into_iter().filter(|(_, definitions)| is_twice(definitions));
    named.map(|(name, definitions)| Twice { name, definitions }).collect()
}

fn add(file: &str, items: &[Item], types: &mut BTreeMap<String, Vec<Definition>>) {
    let makers = makers(items);
    for item in items.iter().filter(|item| !is_test(attributes(item))) {
        let mut define = |name: String, is_visible: bool, line: usize| {
            let definition = Definition { file: file.to_owned(), line, is_visible };
            types.entry(name).or_default().push(definition);
        };
        let (ident, visibility) = match item {
            Item::Enum(item) => (&item.ident, &item.vis),
            Item::Struct(item) => (&item.ident, &item.vis),
            Item::Trait(item) => (&item.ident, &item.vis),
            Item::Type(item) => (&item.ident, &item.vis),
            Item::Union(item) => (&item.ident, &item.vis),
            Item::Macro(item) => {
                if item.ident.is_none() {
                    let line = item.mac.path.span().start().line;
                    made(item, &makers).into_iter().for_each(|name| define(name, true, line));
                }
                continue;
            }
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    add(file, items, types);
                }
                continue;
            }
            _ => continue,
        };
        define(ident.to_string(), is_visible(visibility), ident.span().start().line);
    }
}

/// `pub(self)` is as private as nothing.
fn is_visible(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Public(_) => true,
        Visibility::Restricted(restricted) => !restricted.path.is_ident("self"),
        Visibility::Inherited => false,
    }
}
