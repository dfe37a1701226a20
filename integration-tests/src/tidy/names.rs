//! The names in a piece of syntax: what it imports, and the paths that it goes.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Macro, Meta, Stmt, TraitItem, UseTree, Visibility};

use super::modules::{is_left_out, is_test_attribute};

/// Attributes that name lints.
const LINTS: &[&str] = &["allow", "deny", "expect", "forbid", "warn"];

/// One name that a `use` declaration brings.
#[derive(Debug, Clone)]
pub struct Import {
    /// What is imported.
    pub path: Vec<String>,
    /// What it is called here; everything below the path when there is no name.
    pub name: Option<String>,
    /// Whether it stands in a function, where nobody else sees it.
    pub is_local: bool,
    /// The line of its last part.
    pub line: usize,
}

/// A path of two parts at least in the code.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its parts.
    pub path: Vec<String>,
    /// The line of its first part.
    pub line: usize,
}

/// Collects what an item imports and names.
pub fn collect(item: &Item, imports: &mut Vec<Import>, named: &mut Vec<Named>) {
    let mut collector = Collector { imports, named, depth: 0 };
    collector.visit_item(item);
}

/// The idents that begin with a capital letter, outside of all brackets.
pub fn capitalized(tokens: TokenStream) -> Vec<String> {
    let ident = |token| match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    };
    let is_capitalized = |name: &String| name.starts_with(char::is_uppercase);
    tokens.into_iter().filter_map(ident).filter(is_capitalized).collect()
}

struct Collector<'a> {
    imports: &'a mut Vec<Import>,
    named: &'a mut Vec<Named>,
    /// How many functions and blocks there are around.
    depth: usize,
}

impl Collector<'_> {
    fn add_use(&mut self, tree: &UseTree, before: &[String]) {
        let mut path = before.to_vec();
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.add_use(&part.tree, &path);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_use(tree, before));
            }
            UseTree::Name(name) => {
                self.add_import(path, &name.ident, name.ident.to_string());
            }
            UseTree::Rename(rename) => {
                self.add_import(path, &rename.ident, rename.rename.to_string());
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                let is_local = self.depth > 0;
                self.imports.push(Import { path, name: None, is_local, line });
            }
        }
    }

    /// `a::{self}` is `a`, and called `a`.
    fn add_import(&mut self, mut path: Vec<String>, last: &syn::Ident, name: String) {
        let name = match path.last() {
            Some(parent) if name == "self" => parent.clone(),
            _ => name,
        };
        if last != "self" || path.is_empty() {
            path.push(last.to_string());
        }
        let is_local = self.depth > 0;
        let line = last.span().start().line;
        self.imports.push(Import { path, name: Some(name), is_local, line });
    }

    /// Macros are not parsed: what looks like a path in them is one.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let path = path_at(&tokens[at..]);
                    let is_metavariable = at > 0 && is_mark(tokens.get(at - 1), '$');
                    at += 3 * (path.len() - 1);
                    if path.len() > 1 && (!is_metavariable || path[0] == "crate") {
                        self.named.push(Named { path, line: first.span().start().line });
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// The path that begins here, of one part at least: each further one is two colons and an ident.
fn path_at(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(TokenTree::Ident(part)) = tokens.get(at) {
        path.push(part.to_string());
        if !is_mark(tokens.get(at + 1), ':') || !is_mark(tokens.get(at + 2), ':') {
            break;
        }
        at += 3;
    }
    path
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == mark)
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_left_out(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_left_out(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let is_out = matches!(item, TraitItem::Fn(item) if is_left_out(&item.attrs));
        if !is_out {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let is_out = matches!(statement, Stmt::Local(local) if is_left_out(&local.attrs));
        if !is_out {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.depth += 1;
        visit::visit_block(self, block);
        self.depth -= 1;
    }

    /// `pub(in path)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// `#[expect(clippy::lint)]` imports nothing, and what is an attribute in tests neither.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is_lint = LINTS.iter().any(|lint| attribute.path().is_ident(lint));
        if is_lint || is_test_attribute(attribute) {
            return;
        }
        visit::visit_attribute(self, attribute);
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        visit::visit_macro(self, mac);
        self.add_tokens(mac.tokens.clone());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            let path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.named.push(Named { path, line });
        }
        visit::visit_path(self, path);
    }
}

/// What stands above an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
