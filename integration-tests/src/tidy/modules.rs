//! The modules of a package: which file defines each, and what it defines and names.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, ItemMacro, ItemMod, Meta};

use super::names::{self, Import, Named};
use super::tree::Tree;

/// A package of ours: how others call its library, and its folder.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The library's name in paths.
    pub library: &'static str,
    /// Its folder, which is its name in the table of rooms, too.
    pub folder: &'static str,
}

/// The packages that are shipped.
pub const PACKAGES: [Package; 3] = [
    Package { library: "chatroom_proto", folder: "proto" },
    Package { library: "chatroom_server", folder: "server" },
    Package { library: "chatroom_client", folder: "client" },
];

/// A module's place in [`Modules`].
pub type ModuleId = usize;

/// One module. An inline module has its parent's file.
#[derive(Debug)]
pub struct Module {
    /// The file that defines it.
    pub file: String,
    /// The crate's root above it, or itself.
    pub root: ModuleId,
    /// The module around it.
    pub parent: Option<ModuleId>,
    /// Modules in it.
    pub children: BTreeMap<String, ModuleId>,
    /// What it defines: types, functions, constants, macros.
    pub items: BTreeSet<String>,
    /// Its `use` declarations.
    pub imports: Vec<Import>,
    /// Paths in its code.
    pub named: Vec<Named>,
}

/// All modules of the packages, without those of tests.
#[derive(Debug, Default)]
pub struct Modules {
    modules: Vec<Module>,
    libraries: BTreeMap<&'static str, ModuleId>,
    /// The files that are parts of tests only.
    pub tests: BTreeSet<String>,
}

impl Modules {
    /// Parses the libraries and the programs of these packages.
    ///
    /// # Panics
    /// When a source can't be parsed, or a module has no file.
    pub fn parse(tree: &Tree, packages: &[Package]) -> Modules {
        let mut modules = Modules::default();
        for package in packages {
            for root in ["lib", "main"] {
                let file = format!("{}/src/{root}.rs", package.folder);
                if let Some(text) = tree.text(&file) {
                    let id = modules.add(file.clone(), None);
                    let folder = format!("{}/src", package.folder);
                    modules.fill(tree, id, &parsed(&file, text), &folder);
                    if root == "lib" {
                        modules.libraries.insert(package.library, id);
                    }
                }
            }
        }
        modules
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        self.modules.iter().enumerate()
    }

    /// One of them.
    pub fn get(&self, id: ModuleId) -> &Module {
        &self.modules[id]
    }

    /// The root of a library of ours.
    pub fn library(&self, name: &str) -> Option<ModuleId> {
        self.libraries.get(name).copied()
    }

    /// The files that hold more than tests.
    pub fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    fn add(&mut self, file: String, parent: Option<ModuleId>) -> ModuleId {
        let id = self.modules.len();
        let root = parent.map_or(id, |parent| self.modules[parent].root);
        let (children, items) = (BTreeMap::new(), BTreeSet::new());
        let (imports, named) = (Vec::new(), Vec::new());
        self.modules.push(Module { file, root, parent, children, items, imports, named });
        id
    }

    /// Takes in what a module consists of. `folder` is where the files of its children are.
    fn fill(&mut self, tree: &Tree, id: ModuleId, items: &[Item], folder: &str) {
        let makers = makers(items);
        for item in items {
            match item {
                Item::Mod(child) if is_test(&child.attrs) => {
                    if child.content.is_none() {
                        self.add_tests(tree, &child_file(tree, folder, &child.ident.to_string()));
                    }
                }
                Item::Mod(child) => self.fill_child(tree, id, child, folder),
                item => {
                    let module = &mut self.modules[id];
                    module.items.extend(defined(item, &makers));
                    names::collect(item, &mut module.imports, &mut module.named);
                }
            }
        }
    }

    fn fill_child(&mut self, tree: &Tree, parent: ModuleId, child: &ItemMod, folder: &str) {
        let name = child.ident.to_string();
        let below = format!("{folder}/{name}");
        let file = match child.content {
            Some(_) => self.modules[parent].file.clone(),
            None => child_file(tree, folder, &name),
        };
        let id = self.add(file.clone(), Some(parent));
        self.modules[parent].children.insert(name, id);
        match &child.content {
            Some((_, items)) => self.fill(tree, id, items, &below),
            None => {
                let items = parsed(&file, tree.text(&file).unwrap_or_default());
                self.fill(tree, id, &items, &below);
            }
        }
    }

    /// A module of tests, and everything below it.
    fn add_tests(&mut self, tree: &Tree, file: &str) {
        let below = format!("{}/", file.trim_end_matches(".rs"));
        let is_in = |path: &&str| *path == file || path.starts_with(&below);
        self.tests.extend(tree.texts().map(|(path, _)| path).filter(is_in).map(str::to_owned));
    }
}

/// The items of a source.
///
/// # Panics
/// When it can't be parsed.
pub fn parsed(file: &str, text: &str) -> Vec<Item> {
    match syn::parse_file(text) {
        Ok(parsed) => parsed.items,
        Err(error) => panic!("{file}:{}: {error}", error.span().start().line),
    }
}

/// Whether something is there in tests only: for `test`, or for the feature `test-util`.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| is_for(attribute, "cfg", is_test_condition))
}

/// Whether something is not there in a build: it is for tests or for links in the documentation.
pub fn is_left_out(attributes: &[Attribute]) -> bool {
    let is_doc = |condition: &str| condition == "doc";
    is_test(attributes) || attributes.iter().any(|attribute| is_for(attribute, "cfg", is_doc))
}

/// Whether it is an attribute in tests only.
pub fn is_test_attribute(attribute: &Attribute) -> bool {
    is_for(attribute, "cfg_attr", is_test_condition)
}

fn is_test_condition(condition: &str) -> bool {
    condition == "test" || condition == r#"feature = "test-util""#
}

fn is_for(attribute: &Attribute, name: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let tokens = list.tokens.to_string();
    let condition = tokens.split(',').next().unwrap_or_default().trim();
    list.path.is_ident(name) && is_it(condition)
}

/// What an item is called, and what the macros of its file make of it.
fn defined(item: &Item, makers: &BTreeSet<String>) -> Vec<String> {
    let (attributes, ident) = match item {
        Item::Const(item) => (&item.attrs, &item.ident),
        Item::Enum(item) => (&item.attrs, &item.ident),
        Item::Fn(item) => (&item.attrs, &item.sig.ident),
        Item::Static(item) => (&item.attrs, &item.ident),
        Item::Struct(item) => (&item.attrs, &item.ident),
        Item::Trait(item) => (&item.attrs, &item.ident),
        Item::Type(item) => (&item.attrs, &item.ident),
        Item::Union(item) => (&item.attrs, &item.ident),
        Item::Macro(item) => return made(item, makers),
        _ => return Vec::new(),
    };
    if is_left_out(attributes) { Vec::new() } else { vec![ident.to_string()] }
}

/// The macros of a file that define types of a name that they are given.
pub fn makers(items: &[Item]) -> BTreeSet<String> {
    let is_maker = |tokens: &str| ["struct $", "enum $"].iter().any(|way| tokens.contains(way));
    let maker = |item: &Item| match item {
        Item::Macro(item) if is_maker(&item.mac.tokens.to_string()) => item.ident.clone(),
        _ => None,
    };
    items.iter().filter_map(maker).map(|ident| ident.to_string()).collect()
}

/// The types that a macro of the same file makes here.
pub fn made(item: &ItemMacro, makers: &BTreeSet<String>) -> Vec<String> {
    let is_maker = item.mac.path.get_ident().is_some_and(|it| makers.contains(&it.to_string()));
    if let Some(ident) = &item.ident {
        return vec![ident.to_string()];
    }
    if is_maker { names::capitalized(item.mac.tokens.clone()) } else { Vec::new() }
}

fn child_file(tree: &Tree, folder: &str, name: &str) -> String {
    let places = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
    let found = places.into_iter().find(|path| tree.text(path).is_some());
    found.unwrap_or_else(|| panic!("the module {name} in {folder} has no file"))
}
