//! `cargo xtask imports`: prints the size of each package and the number of comment lines to reword, and checks the
//! direction of imports between the files of a package.
//!
//! `module_tree` reads the modules of a crate, `circles` finds files that import each other, and `order` compares
//! the imports with the order of folders in `docs/architecture.md`.

mod circles;
mod module_tree;
mod order;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::process::{capture_quietly, program};
use crate::repo;
use module_tree::ModuleTree;
use order::Order;

/// The size and the imports of one package.
struct Package {
    /// The folder, relative to the root of the repository.
    folder: String,
    files: usize,
    lines: usize,
    /// Groups of files that import each other, directly or through others.
    circles: Vec<Vec<String>>,
    /// Imports against the order of folders, and files that are not in the order; `None` if `docs/architecture.md`
    /// gives no order for this package.
    violations: Option<Vec<String>>,
}

/// Prints one line for each package, and the number of comment lines to reword. Fails for a circle, an import against
/// the order of folders, or a file that is not in the order. `root`: the root of another repository to read.
pub fn run(root: Option<&Path>, json: bool) -> Result<()> {
    let root = root.map_or_else(repo::root, Path::to_owned);
    let packages = measure(&root)?;
    let total = |count: fn(&Package) -> usize| packages.iter().map(count).sum::<usize>();
    let (lines, files) = (total(|package| package.lines), total(|package| package.files));
    let (lines_with_what, lines_with_of) = (count_doc_lines(&root, "What")?, count_doc_lines(&root, "Of")?);
    if json {
        let objects: Vec<Value> = packages.iter().map(Package::json).collect();
        let object = json!({
            "lines": lines, "files": files, "docs_begin_with_what": lines_with_what,
            "docs_begin_with_of": lines_with_of, "packages": objects,
        });
        println!("{object:#}");
    } else {
        println!("{:<18}{:>8}{:>7}  circles (files in each)", "package", "lines", "files");
        for package in &packages {
            print!("{}", package.text());
        }
        println!("{:<18}{lines:>8}{files:>7}", "all");
        println!("doc lines to reword: {lines_with_what} begin with \"What\", {lines_with_of} with \"Of\"");
    }
    let errors = errors(&packages);
    if !errors.is_empty() {
        bail!(
            "{}\nthe allowed direction is in docs/architecture.md, section \"Direction of imports\"",
            errors.join("\n")
        );
    }
    Ok(())
}

impl Package {
    /// Returns a row of the table, and below it a line for each circle and each violation.
    fn text(&self) -> String {
        let Package { folder, files, lines, circles, violations } = self;
        let sizes: Vec<_> = circles.iter().map(|circle| circle.len().to_string()).collect();
        let sizes = if sizes.is_empty() { "none".to_owned() } else { sizes.join(", ") };
        let mut text = format!("{folder:<18}{lines:>8}{files:>7}  {sizes}\n");
        for circle in circles {
            text += &format!("    files import each other: {}\n", circle.join(", "));
        }
        let violations = violations.as_deref().unwrap_or_default();
        text.extend(violations.iter().map(|violation| format!("    {violation}\n")));
        text
    }

    /// Returns the package as a JSON object.
    fn json(&self) -> Value {
        let Package { folder, files, lines, circles, violations } = self;
        json!({ "package": folder, "lines": lines, "files": files, "circles": circles, "against_order": violations })
    }
}

/// Returns the faults that make the check fail.
fn errors(packages: &[Package]) -> Vec<String> {
    let mut errors = Vec::new();
    for Package { folder, circles, violations, .. } in packages {
        errors.extend(circles.iter().map(|circle| format!("{folder}: files import each other: {}", circle.join(", "))));
        errors.extend(violations.iter().flatten().map(|violation| format!("{folder}: {violation}")));
    }
    errors
}

/// Reads all packages of the repository at `root`.
fn measure(root: &Path) -> Result<Vec<Package>> {
    let tracked = tracked_sources(root)?;
    let folders: BTreeSet<String> =
        tracked.iter().filter_map(|path| path.strip_suffix("/Cargo.toml")).map(str::to_owned).collect();
    let orders = Order::read_all(root)?;
    // Folders of packages can be nested: a file belongs to the innermost one.
    let package_of = |file: &str| {
        let parents = folders.iter().filter(|folder| Path::new(file).starts_with(folder));
        parents.max_by_key(|folder| folder.len())
    };
    let mut packages = Vec::new();
    for folder in &folders {
        let (mut files, mut lines) = (0, 0);
        for path in &tracked {
            if path.ends_with(".rs") && package_of(path) == Some(folder) {
                files += 1;
                lines += repo::read(&root.join(path))?.lines().count();
            }
        }
        let tree = ModuleTree::read(&root.join(folder).join("src"))?;
        let order = orders.iter().find(|order| order.package == *folder);
        let violations = order.map(|order| order.violations(&tree));
        packages.push(Package { folder: folder.clone(), files, lines, circles: circles::find(&tree), violations });
    }
    Ok(packages)
}

/// Returns the number of `///` lines that begin with `word`, the second and later lines of comments included.
///
/// [`run`] prints it for "What" and "Of": comments such as "What the slot holds." are hard to read.
fn count_doc_lines(root: &Path, word: &str) -> Result<usize> {
    let mut count = 0;
    for path in tracked_sources(root)?.iter().filter(|path| path.ends_with(".rs")) {
        let text = repo::read(&root.join(path))?;
        let docs = text.lines().filter_map(|line| line.trim_start().strip_prefix("/// "));
        count += docs.filter(|doc| doc.split_whitespace().next() == Some(word)).count();
    }
    Ok(count)
}

/// Returns the paths of the Rust sources and manifests that git tracks and that exist, relative to `root`.
pub fn tracked_sources(root: &Path) -> Result<Vec<String>> {
    let verbose = false;
    let list =
        capture_quietly(program("git").current_dir(root).args(["ls-files", "--", "*.rs", "*Cargo.toml"]), verbose)?;
    Ok(list.lines().filter(|path| root.join(path).is_file()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_an_error() {
        let circles = vec![vec!["a.rs".to_owned(), "b.rs".to_owned()]];
        let package = |folder: &str| Package {
            folder: folder.to_owned(),
            files: 2,
            lines: 9,
            circles: circles.clone(),
            violations: None,
        };
        assert_eq!(errors(&[package("boards")]), ["boards: files import each other: a.rs, b.rs"]);
    }
}
