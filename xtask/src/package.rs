//! `cargo xtask package`: makes the packages that are published, and compiles each from its own files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::process::{cargo, program, run as run_command, run_quietly};
use crate::repo;

/// The published packages; each comes after those that it depends on.
const PACKAGES: [&str; 5] = ["tern-format", "tern-boards", "tern-runtime", "tern-nn", "tern-trainer"];

/// The files that every package contains.
const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Options of `package`.
#[derive(Debug, Default, Args)]
pub struct PackageOptions {
    /// Compile the packages as cargo does before it publishes them: every dependency again, for some minutes.
    #[arg(long)]
    pub verify: bool,
    /// Check that this tag, such as v0.1.0, may be released: the version, the changelog, the address of the repository.
    #[arg(long, value_name = "TAG")]
    pub release: Option<String>,
}

/// Runs `cargo xtask package`.
pub fn run(options: &PackageOptions) -> Result<()> {
    if let Some(tag) = &options.release {
        let (manifest, changelog) = (manifest()?, repo::read(&repo::root().join("CHANGELOG.md"))?);
        check_release(tag, &manifest, &changelog)?;
    }
    let packages = PACKAGES.iter().flat_map(|name| ["-p", *name]);
    let mut command = cargo(&repo::root());
    command.args(["package", "--quiet", "--allow-dirty", "--target-dir"]).arg(target()).args(packages);
    if !options.verify {
        command.arg("--no-verify");
    }
    run_command(&mut command)?;
    let version = version(&manifest()?)?.to_owned();
    let folder = unpack(&version)?;
    for name in PACKAGES {
        check_files(name, &folder.join(format!("{name}-{version}")))?;
    }
    if !options.verify {
        compile(&folder, &version)?;
    }
    for name in PACKAGES {
        let archive = format!("{name}-{version}.crate");
        let bytes = fs::metadata(target().join("package").join(&archive))?.len();
        println!("target/package/{archive:<28} {:>4} KB", bytes.div_ceil(1000));
    }
    Ok(())
}

/// Returns the folder of the results of cargo.
fn target() -> PathBuf {
    repo::root().join("target")
}

/// Reads the manifest of the workspace.
fn manifest() -> Result<String> {
    repo::read(&repo::root().join("Cargo.toml"))
}

/// Returns the value of the first line `KEY = "…"` of a manifest. The manifest of the workspace has it in
/// `[workspace.package]`.
fn value<'a>(manifest: &'a str, key: &str) -> Result<&'a str> {
    let start = format!("{key} = \"");
    let line = manifest.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'));
    line.with_context(|| format!("Cargo.toml: expected a line `{key} = \"…\"`"))
}

/// Returns the version of all packages.
pub fn version(manifest: &str) -> Result<&str> {
    value(manifest, "version")
}

/// Checks that the version, the changelog and the address of the repository are ready for a release with this tag.
fn check_release(tag: &str, manifest: &str, changelog: &str) -> Result<()> {
    let version = version(manifest)?;
    ensure!(tag == format!("v{version}"), "the tag is {tag}, expected v{version}, the version in Cargo.toml");
    let heading = format!("## {version} ");
    ensure!(
        changelog.lines().any(|line| line.starts_with(&heading)),
        "CHANGELOG.md has no heading `{heading}- DATE`; rename `## Unreleased`"
    );
    ensure!(
        value(manifest, "repository")?.starts_with("https://"),
        "Cargo.toml: `repository` is empty; write the address of the public repository there"
    );
    Ok(())
}

/// Unpacks the packages into a folder, which it returns.
fn unpack(version: &str) -> Result<PathBuf> {
    let folder = target().join("package").join("unpacked");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let verbose = false;
    for name in PACKAGES {
        let archive = target().join("package").join(format!("{name}-{version}.crate"));
        run_quietly(program("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder), verbose)?;
    }
    Ok(folder)
}

/// Checks that a package has the licences of the repository and a README.
fn check_files(name: &str, folder: &Path) -> Result<()> {
    for file in FILES {
        let path = folder.join(file);
        let contents = fs::read(&path).with_context(|| format!("the package {name} has no {file}"))?;
        if file.starts_with("LICENSE") && contents != fs::read(repo::root().join(file))? {
            bail!("the package {name}: {file} is not that of the repository; make it a symbolic link to ../{file}");
        }
    }
    Ok(())
}

/// Compiles each package from its unpacked files only. Dependencies between the packages are replaced by the unpacked
/// packages, since the registry may not have this version. The profiles of the workspace are used, so that dependencies
/// that another check has compiled are not compiled again.
fn compile(folder: &Path, version: &str) -> Result<()> {
    let folders: Vec<String> = PACKAGES.iter().map(|name| format!("{name}-{version}")).collect();
    let mut patches = String::new();
    for (name, folder) in PACKAGES.iter().zip(&folders) {
        patches += &format!("{name} = {{ path = \"{folder}\" }}\n");
    }
    let manifest = manifest()?;
    // The profiles are the last sections of the manifest, with an empty line between two of them.
    let all_profiles = manifest.find("[profile.").map_or("", |start| &manifest[start..]);
    let profiles: Vec<&str> =
        all_profiles.split("\n\n").filter(|profile| !is_of_unpublished_package(profile)).collect();
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = {folders:?}\n\n[patch.crates-io]\n{patches}\n{}",
        profiles.join("\n\n")
    );
    repo::write(&folder.join("Cargo.toml"), workspace)?;
    fs::copy(repo::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    for name in PACKAGES {
        let mut command = cargo(folder);
        command.args(["check", "--quiet", "-p", name, "--lib", "--bins", "--examples", "--target-dir"]).arg(target());
        run_command(&mut command).with_context(|| format!("{name} does not compile from its package alone"))?;
    }
    Ok(())
}

/// Returns true for the profile of a package of the repository that is not published.
fn is_of_unpublished_package(profile: &str) -> bool {
    ["tern-messages", "tern-tests", "xtask"].iter().any(|name| profile.contains(&format!("package.{name}]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_needs_its_version_its_changes_and_an_address() {
        let manifest = |repository: &str| format!("version = \"1.2.3\"\nrepository = \"{repository}\"\n");
        let (complete, changes) = (manifest("https://example.com/tern"), "## Unreleased\n\n## 1.2.3 - 2026-01-01\n");
        check_release("v1.2.3", &complete, changes).unwrap();
        for (tag, manifest, changelog, expected) in [
            ("v1.2.4", complete.clone(), changes, "expected v1.2.3"),
            ("1.2.3", complete.clone(), changes, "expected v1.2.3"),
            ("v1.2.3", complete, "## Unreleased\n", "no heading `## 1.2.3 "),
            ("v1.2.3", manifest(""), changes, "`repository` is empty"),
        ] {
            let error = check_release(tag, &manifest, changelog).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_package_that_may_be_published_is_in_the_list() {
        let members = fs::read_dir(repo::root()).unwrap().filter_map(|entry| {
            let text = fs::read_to_string(entry.unwrap().path().join("Cargo.toml")).ok()?;
            let is_published = text.contains("version.workspace") && !text.contains("publish = false");
            is_published.then(|| value(&text, "name").unwrap().to_owned())
        });
        let mut members: Vec<String> = members.collect();
        let mut expected = PACKAGES.map(str::to_owned);
        members.sort();
        expected.sort();
        assert_eq!(members, expected);
    }
}
