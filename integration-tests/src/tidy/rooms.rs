//! Rooms: groups of files, and what each may import. What is not allowed is forbidden.

use std::collections::BTreeSet;

use super::arrows::{Arrow, dotted};
use super::modules::{Modules, PACKAGES};

/// Files that may import the same. Names are of modules (`server::chat`) or of what others offer
/// (`tokio::sync`), and stand for everything below them. The longest name that fits decides.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The modules that are in it. A file is in the room that names it most exactly.
    pub modules: &'static [&'static str],
    /// What it may import beside its own modules and [`EVERYBODY`].
    pub may: &'static [&'static str],
    /// What it may not, of what it might.
    pub but_not: &'static [&'static str],
    /// Why.
    pub because: &'static str,
}

/// What every room may import, if it does not say otherwise.
pub const EVERYBODY: &[&str] = &["std", "core"];

/// Imports that no room allows, and files that are in no room.
pub fn breaches(rooms: &[Room], modules: &Modules, arrows: &[Arrow]) -> Vec<String> {
    let files = modules.files();
    let homeless = files.iter().filter(|file| room_of(rooms, &dotted(file)).is_none());
    let mut found: Vec<String> = homeless.map(|file| format!("{file} is in no room")).collect();
    for arrow in arrows {
        let Arrow { from, line, name, .. } = arrow;
        if let Some(room) = room_of(rooms, &dotted(from)).filter(|room| !room.allows(name)) {
            found.push(format!("{from}:{line} imports {name}: {}", room.because));
        }
    }
    found
}

/// Names of ours in the table that stand for nothing: they allow or forbid nothing.
pub fn idle_names(rooms: &[Room], modules: &Modules) -> Vec<String> {
    let mut known = BTreeSet::new();
    for (_, module) in modules.iter() {
        let file = dotted(&module.file);
        known.extend(module.items.iter().map(|item| format!("{file}::{item}")));
        known.insert(file);
    }
    let is_ours = |name: &str| PACKAGES.iter().any(|package| is_below(name, package.folder));
    let names = rooms.iter().flat_map(|room| [room.modules, room.may, room.but_not].concat());
    let is_idle = |name: &&str| is_ours(name) && !known.iter().any(|known| is_below(known, name));
    let idle: BTreeSet<&str> = names.filter(is_idle).collect();
    idle.into_iter().map(str::to_owned).collect()
}

impl Room {
    /// Whether this may be imported.
    pub fn allows(&self, name: &str) -> bool {
        let allowed = [self.modules, self.may, EVERYBODY].concat();
        longest(&allowed, name) > longest(self.but_not, name)
    }
}

/// The room that names a module most exactly.
fn room_of<'a>(rooms: &'a [Room], module: &str) -> Option<&'a Room> {
    let exactness = |room: &&Room| longest(room.modules, module);
    rooms.iter().max_by_key(exactness).filter(|room| exactness(room).is_some())
}

/// How long the longest of these names is that the other is or is below.
fn longest(names: &[&str], of: &str) -> Option<usize> {
    names.iter().filter(|name| is_below(of, name)).map(|name| name.len()).max()
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
