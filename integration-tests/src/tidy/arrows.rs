//! Which file imports from which: every `use` and every path, followed to what defines it.

use std::collections::BTreeMap;

use super::modules::{ModuleId, Modules, PACKAGES};

/// How many re-exports are followed, one from another.
const STEPS_MAX: usize = 16;

/// Types that have no module, and are written like one.
const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];

/// One import.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The file that imports.
    pub from: String,
    /// Where in it.
    pub line: usize,
    /// What is imported, by the file that defines it: `server::chat::entry::Entry`, `tokio::time`.
    pub name: String,
    /// That file, if it is ours.
    pub to: Option<String>,
}

/// All imports of all files, but those of a file from itself; each where it is first named.
pub fn arrows(modules: &Modules) -> Vec<Arrow> {
    let mut found = BTreeMap::new();
    for (id, module) in modules.iter() {
        let imports = module.imports.iter().map(|import| (&import.path, import.line));
        let named = module.named.iter().map(|named| (&named.path, named.line));
        for (path, line) in imports.chain(named) {
            let Some(target) = resolve(modules, id, path, STEPS_MAX) else { continue };
            if target.file.as_deref() != Some(&module.file) {
                let place = (module.file.clone(), target.name);
                let (first, _) = found.entry(place).or_insert((line, target.file));
                *first = line.min(*first);
            }
        }
    }
    let arrow = |((from, name), (line, to))| Arrow { from, line, name, to };
    let mut arrows: Vec<Arrow> = found.into_iter().map(arrow).collect();
    arrows.sort();
    arrows
}

/// A file's name in the table of rooms: `server/src/chat/entry.rs` is `server::chat::entry`.
pub fn dotted(file: &str) -> String {
    file.trim_end_matches(".rs").replacen("/src/", "/", 1).replace('/', "::")
}

#[derive(Debug)]
struct Target {
    name: String,
    file: Option<String>,
}

impl Target {
    fn outside(path: &[String]) -> Target {
        Target { name: path.join("::"), file: None }
    }

    fn inside(modules: &Modules, module: ModuleId, item: Option<&str>) -> Target {
        let file = modules.get(module).file.clone();
        let mut name = dotted(&file);
        if let Some(item) = item {
            name = format!("{name}::{item}");
        }
        Target { name, file: Some(file) }
    }
}

/// What a path means that stands in this module. Nothing for what no `use` has brought.
fn resolve(modules: &Modules, at: ModuleId, path: &[String], steps: usize) -> Option<Target> {
    let (first, rest) = path.split_first()?;
    let module = modules.get(at);
    let (start, rest) = match first.as_str() {
        "crate" => (module.root, rest),
        "self" => (at, rest),
        "super" => {
            let mut above = module.parent?;
            let mut rest = rest;
            while let Some(("super", further)) =
                rest.split_first().map(|(it, rest)| (it.as_str(), rest))
            {
                above = modules.get(above).parent?;
                rest = further;
            }
            (above, rest)
        }
        _ => return resolve_plain(modules, at, path, steps),
    };
    let found = walk(modules, start, rest, steps);
    Some(found.unwrap_or_else(|| last_resort(modules, start, rest)))
}

/// A path that begins with something that is known here, or with a crate.
fn resolve_plain(modules: &Modules, at: ModuleId, path: &[String], steps: usize) -> Option<Target> {
    if let Some(found) = walk(modules, at, path, steps) {
        return Some(found);
    }
    let (first, rest) = path.split_first()?;
    if let Some(library) = modules.library(first) {
        let found = walk(modules, library, rest, steps);
        return Some(found.unwrap_or_else(|| last_resort(modules, library, rest)));
    }
    if let Some(package) = PACKAGES.iter().find(|package| package.library == first) {
        return Some(Target { name: format!("{}::lib", package.folder), file: None });
    }
    let is_crate = first.starts_with(|c: char| c.is_lowercase() || c == '_');
    (is_crate && !PRIMITIVES.contains(&first.as_str())).then(|| Target::outside(path))
}

/// Goes down from a module: through its children, to what it defines, or to what it has imported.
fn walk(modules: &Modules, at: ModuleId, path: &[String], steps: usize) -> Option<Target> {
    let Some((first, rest)) = path.split_first() else {
        return Some(Target::inside(modules, at, None));
    };
    let steps = steps.checked_sub(1)?;
    let module = modules.get(at);
    if let Some(child) = module.children.get(first) {
        let found = walk(modules, *child, rest, steps);
        return Some(found.unwrap_or_else(|| last_resort(modules, *child, rest)));
    }
    if module.items.contains(first) {
        return Some(Target::inside(modules, at, Some(first)));
    }
    let brought = module.imports.iter().find(|import| import.name.as_ref() == Some(first));
    if let Some(import) = brought.filter(|import| import.path != [first.clone()]) {
        let whole: Vec<String> = import.path.iter().chain(rest).cloned().collect();
        return resolve(modules, at, &whole, steps);
    }
    let mut all = module.imports.iter().filter(|import| import.name.is_none() && !import.is_local);
    all.find_map(|import| walk(modules, module_at(modules, at, &import.path)?, path, steps))
}

/// The module of ours that a path leads to, child by child.
fn module_at(modules: &Modules, at: ModuleId, path: &[String]) -> Option<ModuleId> {
    path.iter().enumerate().try_fold(at, |at, (n, part)| match part.as_str() {
        "crate" => Some(modules.get(at).root),
        "self" => Some(at),
        "super" => modules.get(at).parent,
        name => {
            let child = modules.get(at).children.get(name).copied();
            child.or_else(|| modules.library(name).filter(|_| n == 0))
        }
    })
}

/// What is not found by its name is what a macro has made: it belongs to the module.
fn last_resort(modules: &Modules, at: ModuleId, path: &[String]) -> Target {
    Target::inside(modules, at, path.first().map(String::as_str))
}
