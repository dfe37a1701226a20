//! What keeps the sources tidy: they are parsed, and what is found is held against rules.
//!
//! - [`tree`]: the files of the repository, from a disk or from memory.
//! - [`modules`]: the crates' modules, and what each of them defines and names. Tests are left out.
//! - [`names`](mod@names): reads `use` trees and paths out of the syntax.
//! - [`arrows`]: which file imports from which. Re-exports are followed to the file that defines.
//! - [`rooms`]: who may import whom, and what breaks that. [`table`]: the rooms of this repository.
//! - [`circles`]: files that import each other.
//! - [`types`]: names of types that are defined twice.
//! - [`lines`](mod@lines): lines that are too long; which lines are production, tests, benches.
//! - [`links`]: links in documents that lead nowhere.
//! - [`prose`]: how long sentences and paragraphs are. [`counts`]: everything in one table.

pub mod arrows;
pub mod circles;
pub mod counts;
pub mod lines;
pub mod links;
pub mod modules;
pub mod names;
pub mod prose;
pub mod rooms;
pub mod table;
pub mod tree;
pub mod types;
