//! Reads the modules of one crate, from its root file along `mod` declarations, and the imports between their files:
//! the paths in `use` lines and in code that lead to another file.
//!
//! Code under `#[cfg(test)]` is left out. A name that a module only re-exports is followed to the file that defines it,
//! so `use crate::Model` is an import of `model.rs`, not of `lib.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, ItemUse, Macro, Token, UseTree, punctuated::Punctuated};

use crate::repo;

/// The largest number of re-exports that are followed from one path, in case they lead in a circle.
const MAX_DEPTH: usize = 8;

/// One source file and the files that it imports.
#[derive(Default)]
pub struct SourceFile {
    /// The path below `src/`, such as `model/load.rs`.
    pub name: String,
    /// True if the file contains more than `mod` declarations and `use` lines.
    pub has_code: bool,
    /// The index of each imported file, with the first path that imports it.
    pub imports: BTreeMap<usize, String>,
}

/// One module: a file, or a block `mod name { … }` in a file.
#[derive(Default)]
struct Module {
    /// Index in [`ModuleTree::files`].
    file: usize,
    /// Index in [`ModuleTree::modules`], as in `children`. The root is its own parent.
    parent: usize,
    children: BTreeMap<String, usize>,
    /// Names of the items that the module defines.
    items: BTreeSet<String>,
    /// Names that `use` brings into the module, with their paths.
    uses: BTreeMap<String, Vec<String>>,
    /// Paths of `use path::*`.
    globs: Vec<Vec<String>>,
    /// All paths that the module mentions.
    mentioned: Vec<Vec<String>>,
}

/// All files and modules of one crate.
#[derive(Default)]
pub struct ModuleTree {
    /// The files, the root file first.
    pub files: Vec<SourceFile>,
    modules: Vec<Module>,
}

impl ModuleTree {
    /// Reads the crate whose `lib.rs` or `main.rs` is in `src`. A folder without either gives an empty tree.
    pub fn read(src: &Path) -> Result<Self> {
        let mut tree = ModuleTree::default();
        let Some(root) = ["lib.rs", "main.rs"].map(|name| src.join(name)).into_iter().find(|path| path.is_file())
        else {
            return Ok(tree);
        };
        tree.read_file(src, &root, 0, true)?;
        tree.resolve_imports();
        Ok(tree)
    }

    /// Returns a tree of the given files, without modules.
    #[cfg(test)]
    pub fn of_files(files: Vec<SourceFile>) -> Self {
        ModuleTree { files, modules: Vec::new() }
    }

    /// Reads one file and the files of its child modules; returns the index of its module. `src`: the folder that the
    /// names of files are relative to. `parent`: the index of the parent module. `owns_folder` is true for a root file
    /// and for `mod.rs`, whose child modules have their files in the same folder.
    fn read_file(&mut self, src: &Path, path: &Path, parent: usize, owns_folder: bool) -> Result<usize> {
        let syntax = syn::parse_file(&repo::read(path)?).with_context(|| format!("cannot parse {}", path.display()))?;
        let name = path.strip_prefix(src).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let has_code = syntax.items.iter().any(|item| !matches!(item, Item::Mod(_) | Item::Use(_)));
        self.files.push(SourceFile { name, has_code, ..SourceFile::default() });
        let folder = path.parent().context("a source file is in a folder")?;
        let folder = if owns_folder { folder.to_owned() } else { path.with_extension("") };
        self.read_module(src, &folder, self.files.len() - 1, parent, &syntax.items)
    }

    /// Reads the items of one module and its child modules; returns its index. `folder`: where the files of its child
    /// modules are. `file`: the index of its own file. `parent`: the index of the parent module.
    fn read_module(&mut self, src: &Path, folder: &Path, file: usize, parent: usize, items: &[Item]) -> Result<usize> {
        let index = self.modules.len();
        let mut module = Module { file, parent, ..Module::default() };
        for item in items {
            module.visit_item(item);
        }
        self.modules.push(module);
        for item in items {
            let Item::Mod(declaration) = item else { continue };
            if is_test(&declaration.attrs) {
                continue;
            }
            let name = declaration.ident.to_string();
            let child = match &declaration.content {
                // A block `mod name { … }`.
                Some((_, items)) => self.read_module(src, &folder.join(&name), file, index, items)?,
                // A line `mod name;`.
                None => {
                    let Some(path) = child_file(folder, &name, &declaration.attrs) else { continue };
                    self.read_file(src, &path, index, path.ends_with("mod.rs"))?
                }
            };
            self.modules[index].children.insert(name, child);
        }
        Ok(index)
    }

    /// Resolves all mentioned paths, and records those that lead to another file as imports.
    fn resolve_imports(&mut self) {
        for index in 0..self.modules.len() {
            let file = self.modules[index].file;
            for path in std::mem::take(&mut self.modules[index].mentioned) {
                let Some(target) = self.resolve(index, &path, 0) else { continue };
                let target_file = self.modules[target].file;
                if target_file != file {
                    self.files[file].imports.entry(target_file).or_insert_with(|| path.join("::"));
                }
            }
        }
    }

    /// Returns the index of the module that defines the last name of `path`, which is written in `module`; `None` for a
    /// path to another crate. `depth`: as for [`descend`](Self::descend).
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(0, rest, depth),
            "self" => self.descend(module, rest, depth),
            // Each of several `super` leads one module up.
            "super" if rest.first().is_some_and(|name| name == "super") => {
                self.resolve(self.modules[module].parent, rest, depth)
            }
            "super" => self.descend(self.modules[module].parent, rest, depth),
            name => {
                let child = self.modules[module].children.get(name)?;
                self.descend(*child, rest, depth)
            }
        }
    }

    /// Returns the index of the module that defines the last name of `path`, whose first name is looked up in `module`.
    /// If a name is not found, returns the module in which it was looked up; `None` if a re-export leads to another
    /// crate. `depth`: the number of re-exports that were followed before.
    fn descend(&self, module: usize, path: &[String], depth: usize) -> Option<usize> {
        let Some((name, rest)) = path.split_first() else { return Some(module) };
        let here = &self.modules[module];
        if let Some(child) = here.children.get(name) {
            return self.descend(*child, rest, depth);
        }
        if here.items.contains(name) || depth == MAX_DEPTH {
            return Some(module);
        }
        if let Some(target) = here.uses.get(name) {
            let target: Vec<String> = target.iter().chain(rest).cloned().collect();
            return self.resolve(module, &target, depth + 1);
        }
        for glob in &here.globs {
            let Some(target) = self.resolve(module, glob, depth + 1) else { continue };
            let Module { items, children, uses, .. } = &self.modules[target];
            let has_name = items.contains(name) || children.contains_key(name) || uses.contains_key(name);
            if target != module && has_name {
                return self.descend(target, path, depth + 1);
            }
        }
        Some(module)
    }
}

/// Returns the file of `mod name;`: that of its `path` attribute, or one of the two usual files in `folder`; `None` if
/// none exists.
fn child_file(folder: &Path, name: &str, attributes: &[Attribute]) -> Option<PathBuf> {
    let mut candidates = vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    for attribute in attributes {
        if attribute.path().is_ident("path")
            && let syn::Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value
        {
            candidates.insert(0, folder.join(path.value()));
        }
    }
    candidates.into_iter().find(|path| path.is_file())
}

/// Returns true if the attributes have `#[cfg(test)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// Returns the attributes of an item, for the kinds of items that `#[cfg(test)]` is written on here; none for others.
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects the names and paths of one module, without those of its child modules.
impl Visit<'_> for Module {
    fn visit_item(&mut self, item: &Item) {
        if is_test(attributes(item)) {
            return;
        }
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            _ => None,
        };
        self.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    /// Skips a child module, which is read as a module of its own.
    fn visit_item_mod(&mut self, _: &ItemMod) {}

    fn visit_item_use(&mut self, item: &ItemUse) {
        if item.leading_colon.is_none() {
            self.visit_use(&mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.mentioned.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    /// Reads the arguments of macros such as `assert!`; other macro bodies are skipped.
    fn visit_macro(&mut self, call: &Macro) {
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
    }
}

impl Module {
    /// Records the names that a `use` tree brings into the module. `prefix`: the path before the tree.
    fn visit_use(&mut self, prefix: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.visit_use(prefix, &path.tree);
                prefix.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.visit_use(prefix, tree)),
            UseTree::Glob(_) => {
                self.mentioned.push(prefix.clone());
                self.globs.push(prefix.clone());
            }
            UseTree::Name(name) => self.add_use(prefix, &name.ident, &name.ident),
            UseTree::Rename(name) => self.add_use(prefix, &name.ident, &name.rename),
        }
    }

    /// Records one name of a `use` tree. `local`: the name in this module, which differs from `name` after `as`.
    fn add_use(&mut self, prefix: &[String], name: &syn::Ident, local: &syn::Ident) {
        let mut path = prefix.to_vec();
        // `use a::b::{self}` imports `a::b` under the name `b`.
        if name == "self" {
            let local = if local == "self" { prefix.last().cloned().unwrap_or_default() } else { local.to_string() };
            self.uses.insert(local, path.clone());
        } else {
            path.push(name.to_string());
            self.uses.insert(local.to_string(), path.clone());
        }
        self.mentioned.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::circles;
    use super::*;

    /// A crate of these files, in a folder of its own.
    fn tree(name: &str, files: &[(&str, &str)]) -> ModuleTree {
        let src = std::env::temp_dir().join(format!("tern-imports-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = src.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tree = ModuleTree::read(&src).unwrap();
        std::fs::remove_dir_all(src).unwrap();
        tree
    }

    #[test]
    fn a_name_is_followed_through_re_exports_to_its_file() {
        let tree = tree(
            "re-exports",
            &[
                ("lib.rs", "pub mod model;\nmod user;\npub use model::Model;"),
                ("model/mod.rs", "mod inner;\npub use inner::*;"),
                ("model/inner.rs", "pub struct Model;\n#[cfg(test)]\nmod tests { use crate::user; }"),
                ("user.rs", "use crate::Model;\nfn f() { assert!(crate::model::Model == Model, \"differs\"); }"),
            ],
        );
        let user = tree.files.iter().find(|file| file.name == "user.rs").unwrap();
        let imported: Vec<_> = user.imports.keys().map(|file| tree.files[*file].name.as_str()).collect();
        assert_eq!(imported, ["model/inner.rs"]);
        assert_eq!(circles::find(&tree), Vec::<Vec<String>>::new());
    }

    #[test]
    fn files_that_import_each_other_are_a_circle() {
        let tree = tree(
            "circle",
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
                ("a.rs", "use crate::b::B;\npub struct A;"),
                ("b.rs", "pub struct B;\nfn f() { super::c::c() }"),
                ("c.rs", "pub fn c() -> super::a::A { todo!() }"),
                ("d.rs", "use super::{a::A, b::B};\nfn d() {}"),
            ],
        );
        assert_eq!(circles::find(&tree), [["a.rs", "b.rs", "c.rs"]]);
    }
}
