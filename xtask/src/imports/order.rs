//! The order of the folders of each crate, as `docs/architecture.md` lists it.
//!
//! The page has one line for each crate, such as `runtime: lib > session > model > layers, text`. A file may import
//! from its own folder and from every folder to the right of it; folders with a comma between them do not import each
//! other.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::module_tree::ModuleTree;

/// The page that lists the orders, below the heading "Direction of imports".
const PAGE: &str = "docs/architecture.md";
/// The first line of the block.
const FENCE: &str = "```imports";

/// The order of the folders and root files of one package.
#[derive(Debug)]
pub struct Order {
    /// The package's folder.
    pub package: String,
    /// The position of each folder or root file: the first may import all others.
    positions: BTreeMap<String, usize>,
}

impl Order {
    /// Reads the orders of all packages; none if the page has no such block.
    pub fn read_all(root: &Path) -> Result<Vec<Self>> {
        let page = std::fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
        let Some((_, block)) = page.split_once(FENCE) else { return Ok(Vec::new()) };
        let block = block.split("```").next().unwrap_or(block);
        // A line that begins with a space continues the line above.
        block.replace("\n ", " ").lines().filter(|line| !line.trim().is_empty()).map(Order::parse).collect()
    }

    /// Parses the line of one package.
    fn parse(line: &str) -> Result<Self> {
        let (package, order) = line.split_once(':').with_context(|| format!("{PAGE}: `{line}` has no `:`"))?;
        let mut positions = BTreeMap::new();
        for (position, group) in order.split('>').enumerate() {
            for name in group.split(',').map(str::trim) {
                if positions.insert(name.to_owned(), position).is_some() {
                    bail!("{PAGE}: {package}: `{name}` is listed twice");
                }
            }
        }
        Ok(Order { package: package.trim().to_owned(), positions })
    }

    /// Returns one line for each import against the order, and one for each file whose folder is not listed.
    pub fn violations(&self, tree: &ModuleTree) -> Vec<String> {
        let mut violations = Vec::new();
        for file in tree.files.iter().filter(|file| file.has_code) {
            let name = &file.name;
            let Some((from, from_position)) = self.position(name) else {
                violations.push(format!("{name} is not in the order of {PAGE}"));
                continue;
            };
            for (&index, path) in &file.imports {
                let imported = &tree.files[index].name;
                let Some((to, to_position)) = self.position(imported) else { continue };
                if from != to && to_position <= from_position {
                    violations.push(format!("{name} imports `{path}` of {imported}: {to} is not right of {from}"));
                }
            }
        }
        violations
    }

    /// Returns the listed name of a file or of the folder that it is in, with its position; `None` if neither is
    /// listed. The longest listed path is used.
    fn position(&self, file: &str) -> Option<(&str, usize)> {
        let module = Path::new(file.trim_end_matches(".rs").trim_end_matches("/mod"));
        let listed = self.positions.iter().filter(|(name, _)| module.starts_with(name));
        let (name, position) = listed.max_by_key(|(name, _)| name.len())?;
        Some((name.as_str(), *position))
    }
}

#[cfg(test)]
mod tests {
    use super::super::module_tree::SourceFile;
    use super::*;

    #[test]
    fn an_import_to_the_left_is_named() {
        let order = Order::parse("nn: lib > train > layers, ops").unwrap();
        let file = |name: &str, imports: &[usize]| SourceFile {
            name: name.to_owned(),
            has_code: true,
            imports: imports.iter().map(|import| (*import, format!("path{import}"))).collect(),
        };
        let tree = |files| ModuleTree::of_files(files);
        let good = tree(vec![
            file("lib.rs", &[1, 2]),
            file("train.rs", &[2]),
            file("layers/lstm.rs", &[3]),
            file("layers/mod.rs", &[2]),
        ]);
        assert_eq!(order.violations(&good), [""; 0]);
        let bad =
            tree(vec![file("layers/lstm.rs", &[1]), file("train.rs", &[]), file("ops.rs", &[0]), file("new.rs", &[])]);
        assert_eq!(
            order.violations(&bad),
            [
                "layers/lstm.rs imports `path1` of train.rs: train is not right of layers",
                "ops.rs imports `path0` of layers/lstm.rs: layers is not right of ops",
                "new.rs is not in the order of docs/architecture.md",
            ]
        );
    }
}
