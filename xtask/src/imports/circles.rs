//! Finds groups of files that import each other.

use std::collections::BTreeSet;

use super::module_tree::ModuleTree;

/// Returns the groups of files that import each other, directly or through others (the strongly connected components of
/// more than one file): the largest group first, the names within a group sorted.
///
/// Files that only declare modules and re-export names are left out.
pub fn find(tree: &ModuleTree) -> Vec<Vec<String>> {
    let count = tree.files.len();
    let reached: Vec<BTreeSet<usize>> = (0..count).map(|start| reachable(tree, start)).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for file in 0..count {
        let group = (0..count).filter(|&other| reached[file].contains(&other) && reached[other].contains(&file));
        let mut names: Vec<String> = group.map(|member| tree.files[member].name.clone()).collect();
        names.sort();
        // Each file of a circle gives the same group.
        if names.len() > 1 && !circles.contains(&names) {
            circles.push(names);
        }
    }
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// Returns the indices of the files with code that the file `start` imports, directly or through others. They include
/// `start` if it is in a circle.
fn reachable(tree: &ModuleTree, start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut to_visit = vec![start];
    while let Some(file) = to_visit.pop() {
        for import in tree.files[file].imports.keys().filter(|import| tree.files[**import].has_code) {
            if reached.insert(*import) {
                to_visit.push(*import);
            }
        }
    }
    reached
}
