//! `cargo xtask book`: builds the documentation as a site, and checks every link and anchor in it.
//!
//! `docs/SUMMARY.md` lists the pages. They are copied to `target/book/src` at their places in the repository, so that
//! the same links work in the repository and on the site.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{Event, Parser, Tag};

use crate::process::{program, run_quietly};
use crate::repo;
use crate::setup::programs;

/// The list of pages, below the root of the repository.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Endings of those linked files that are copied to the site.
const COPIED: [&str; 3] = ["png", "svg", "html"];

/// Builds the site, checks its links, and prints its path. Fails if a link is broken.
pub fn run() -> Result<()> {
    let mdbook = programs::ensure_mdbook()?;
    let folder = repo::root().join("target").join("book");
    let (source, site) = (folder.join("src"), folder.join("html"));
    for folder in [&source, &site] {
        if folder.is_dir() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
    }
    let pages = copy_pages(&repo::root(), &source)?;
    let settings = repo::read(&repo::root().join("docs").join("book.toml"))?;
    repo::write(&folder.join("book.toml"), settings)?;
    run_quietly(program(&mdbook.to_string_lossy()).arg("build").arg(&folder).arg("--dest-dir").arg(&site), false)?;
    let broken = broken_links(&site)?;
    if !broken.is_empty() {
        bail!("{}\n{} broken links", broken.join("\n"), broken.len());
    }
    println!("{}: {pages} pages, no broken link or anchor", repo::shown(&site.join("index.html")));
    Ok(())
}

/// Copies the pages of the summary, and the linked files with an ending of [`COPIED`], from the repository at `root` to
/// `folder`. Returns the number of pages.
fn copy_pages(root: &Path, folder: &Path) -> Result<usize> {
    let summary = repo::read(&root.join(SUMMARY))?;
    let docs = Path::new("docs");
    let pages: HashSet<PathBuf> = links(&summary).iter().map(|link| resolve(docs, &link.path)).collect();
    let mut linked_files: Vec<PathBuf> = Vec::new();
    for page in &pages {
        let text = repo::read(&root.join(page)).with_context(|| format!("{SUMMARY} names {}", page.display()))?;
        let base = page.parent().unwrap_or(Path::new(""));
        let text_of_site = rewrite(&text, |link| {
            let target = resolve(base, &link.path);
            if link.path.is_empty() || pages.contains(&target) {
                return Some(link.whole());
            }
            // A link to a folder shows its README.
            if pages.contains(&target.join("README.md")) {
                return Some(format!("{}/README.md{}", link.path.trim_end_matches('/'), link.anchor));
            }
            let is_copied = target.extension().is_some_and(|ending| COPIED.iter().any(|copied| ending == *copied));
            if is_copied && root.join(&target).is_file() {
                linked_files.push(target);
                return Some(link.whole());
            }
            None
        });
        write_with_folder(&folder.join(page), text_of_site.as_bytes())?;
    }
    for file in linked_files {
        let bytes = fs::read(root.join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
        write_with_folder(&folder.join(&file), &bytes)?;
    }
    // The summary moves from docs/ to the folder above, so its links get the prefix `docs/`.
    let summary = rewrite(&summary, |link| Some(with_slashes(&resolve(docs, &link.path))));
    write_with_folder(&folder.join("SUMMARY.md"), summary.as_bytes())?;
    Ok(pages.len())
}

/// Writes a file and creates its folder if it does not exist.
fn write_with_folder(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    repo::write(path, bytes)
}

/// Returns a path with `/` between its parts, as links have, on every operating system.
fn with_slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Returns the path that a relative link leads to from a page in `base`, without `.` and `..`.
fn resolve(base: &Path, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in base.join(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// A relative link of a page.
struct Link {
    /// The byte range of the whole link in the page, from its bracket, or from the exclamation mark of a picture.
    place: std::ops::Range<usize>,
    /// The path; empty for a place on the same page.
    path: String,
    /// The anchor with its `#`, or nothing.
    anchor: String,
}

impl Link {
    /// Returns the target of the link: the path with the anchor.
    fn whole(&self) -> String {
        format!("{}{}", self.path, self.anchor)
    }
}

/// Returns the relative links and pictures of a page in their order; a picture within a link follows the link.
fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (event, place) in Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES).into_offset_iter() {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) = event else {
            continue;
        };
        let (path, anchor) = dest_url.split_at(dest_url.find('#').unwrap_or(dest_url.len()));
        let is_external = path.contains("://") || path.starts_with("mailto:");
        if !is_external {
            links.push(Link { place, path: path.to_owned(), anchor: anchor.to_owned() });
        }
    }
    links
}

/// Returns the page with the target of every relative link replaced by the result of `new_target`. If the result is
/// `None`, only the text of the link remains.
fn rewrite(text: &str, mut new_target: impl FnMut(&Link) -> Option<String>) -> String {
    let mut changed = text.to_owned();
    // Links are replaced from the last to the first, so that the places of those before stay right. No page has a
    // picture with a relative path within a link, which would need more.
    for link in links(text).iter().rev() {
        let source = &text[link.place.clone()];
        // A link such as `<https://…>` or `[x][y]` has no target at this place.
        let Some(end_of_text) = source.rfind("](") else { continue };
        let link_text = &source[..end_of_text];
        let replacement = match new_target(link) {
            Some(target) => format!("{link_text}]({target})"),
            None => link_text.trim_start_matches('!').trim_start_matches('[').to_owned(),
        };
        changed.replace_range(link.place.clone(), &replacement);
    }
    changed
}

/// Returns a line for each link of the site to a file or an anchor that does not exist. Links to other sites are not
/// checked.
fn broken_links(site: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    read_pages(site, &mut pages)?;
    ensure!(!pages.is_empty(), "{} has no pages", site.display());
    // Anchors lead to the attributes `id` of a page.
    let anchors: BTreeMap<&Path, HashSet<&str>> =
        pages.iter().map(|(path, html)| (path.as_path(), values(html, "id").into_iter().collect())).collect();
    let mut broken = Vec::new();
    for (path, html) in &pages {
        let base = path.parent().unwrap_or(site);
        for link in [values(html, "href"), values(html, "src")].concat() {
            let is_external = link.contains(':');
            if is_external || link.is_empty() {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { resolve(base, file) };
            let has_anchor =
                anchor.is_empty() || anchors.get(target.as_path()).is_some_and(|known| known.contains(anchor));
            if !target.is_file() || !has_anchor {
                broken.push(format!("{}: {link}", path.strip_prefix(site).unwrap_or(path).display()));
            }
        }
    }
    Ok(broken)
}

/// Reads the HTML pages below a folder into `pages`. The page 404.html is left out: its links begin at the root of a
/// server.
fn read_pages(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_pages(&path, pages)?;
        } else if path.extension().is_some_and(|ending| ending == "html") && !path.ends_with("404.html") {
            let html = repo::read(&path)?;
            pages.insert(path, html);
        }
    }
    Ok(())
}

/// Returns the values of an attribute in a page, such as `x` for the attribute `id` of `<h1 id="x">`.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    let after_starts = html.split(&start).skip(1);
    after_starts.filter_map(|text| text.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_pages_stay_and_others_lose_their_target() {
        let text = "[a](b.md#c), `[x](y)`, [d `e`](f.rs), [g](https://h.org), ![i](j.png)\n\n    [k](l)\n";
        let changed = rewrite(text, |link| (link.path != "f.rs").then(|| format!("at/{}", link.whole())));
        assert_eq!(changed, "[a](at/b.md#c), `[x](y)`, d `e`, [g](https://h.org), ![i](at/j.png)\n\n    [k](l)\n");
        assert_eq!(resolve(Path::new("docs"), "../runtime/./README.md"), Path::new("runtime/README.md"));
    }

    #[test]
    fn broken_links_and_anchors_are_found() {
        let site = repo::root().join("target").join("book-test");
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("a.html"), r##"<h1 id="x"> <a href="#x"> <a href="#y"> <a href="b.html">"##).unwrap();
        fs::write(site.join("b.html"), r##"<a href="a.html#x"> <a href="c.html"> <img src="d.png">"##).unwrap();
        assert_eq!(broken_links(&site).unwrap(), ["a.html: #y", "b.html: c.html", "b.html: d.png"]);
        fs::remove_dir_all(site).unwrap();
    }

    #[test]
    fn the_summary_lists_every_page_of_the_docs() {
        let root = repo::root();
        let summary = fs::read_to_string(root.join(SUMMARY)).unwrap();
        let listed: HashSet<PathBuf> =
            links(&summary).iter().map(|link| resolve(Path::new("docs"), &link.path)).collect();
        for entry in fs::read_dir(root.join("docs")).unwrap() {
            let page = Path::new("docs").join(entry.unwrap().file_name());
            let is_page = page.extension().is_some_and(|ending| ending == "md") && page != Path::new(SUMMARY);
            assert!(!is_page || listed.contains(&page), "{SUMMARY} lacks {}", page.display());
        }
    }
}
