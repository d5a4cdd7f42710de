//! `cargo xtask test`: runs all tests, on the host and on the emulator.

use anyhow::{Result, bail, ensure};

use crate::bench::device::{self, DeviceOptions};
use crate::process::{cargo, tee};
use crate::repo;
use crate::setup::{self, Purpose, toolchain};
use crate::stage::Stages;
use crate::{firmware, process, proof, python};

/// Runs `cargo xtask test`. The last line of its output gives the counts of all suites in the form of Rust's test
/// harness.
pub fn run() -> Result<()> {
    let mut stages = Stages::default();
    let mut tally = Tally::default();
    stages.run("set-up", || setup::run(Purpose::Test))?;
    stages.run("firmware", || firmware::build(tern_boards::DEFAULT))?;
    let host = toolchain::host()?;
    stages.check("tests of the firmware and of the board `host`", || {
        let packages = ["-p", "tern-firmware", "-p", "tern-host", "--lib", "--tests", "--target", &host];
        tally.run(cargo(&repo::firmware()).args(["test", "--no-fail-fast"]).args(packages))
    });
    stages.check("tests of the workspace", || {
        tally.run(cargo(&repo::root()).args(["test", "--no-fail-fast", "--workspace"]))
    });
    stages.check("tests with MPI and with the hub", || {
        // The features add code to the library of the trainer only, so the other tests need not run again.
        for tests in [&["--test", "mpi"][..], &["--lib", "hub::"]] {
            let mut command = cargo(&repo::root());
            command.args(["test", "--no-fail-fast", "--workspace", "--features", repo::EXTRA_FEATURES]);
            tally.run(command.args(tests))?;
        }
        Ok(())
    });
    stages.check("tests of a runtime with few features", || {
        let features = "errors,interleaved4,html_words,wordpiece";
        let mut command = cargo(&repo::root());
        command.args(["test", "-p", "tern-runtime", "--lib", "--no-default-features", "--features", features]);
        // These features change the dependencies, so all are compiled again, without optimisation, which suits a few
        // short tests.
        command.args(["--config", "profile.dev.opt-level=0"]);
        command.args(["--config", "profile.dev.package.tern-runtime.opt-level=0", "missing_features"]);
        let passed_before = tally.passed;
        tally.run(&mut command)?;
        ensure!(tally.passed > passed_before, "no test of the runtime is called `missing_features`");
        Ok(())
    });
    stages.check("corpus of the fuzz targets", || {
        tally.run(cargo(&repo::fuzz()).args(["test", "--no-fail-fast", "--no-default-features"]))
    });
    stages.check("C programs", || tally.run(cargo(&repo::c()).args(["test", "--no-fail-fast"])));
    stages.check("Python package", || python::test_quickly(|line| tally.read_pytest(line)));
    stages.check("a panic or an allocation fails the proof", proof::can_fail);
    let options = DeviceOptions { check: true, ..DeviceOptions::default() };
    stages.check("instructions of a step", || device::run(options));
    print!("\n{}", stages.table());
    for name in &tally.failures {
        println!("failed: {name}");
    }
    let failed_stages = stages.failed();
    println!("{}", tally.closing_line(failed_stages.is_empty(), stages.seconds()));
    if !failed_stages.is_empty() {
        bail!("failed: {}", failed_stages.join("; "));
    }
    Ok(())
}

/// The counts of all test suites.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    suites: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
    /// The names of the failed Rust tests.
    failures: Vec<String>,
}

impl Tally {
    /// Runs a command and adds the counts that Rust's test harness prints. Fails if the command fails.
    fn run(&mut self, command: &mut process::Command) -> Result<()> {
        tee(command, |line| self.read_rust(line))
    }

    /// Adds the contents of a line `test NAME ... FAILED` or `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn read_rust(&mut self, line: &str) {
        let Some(after_test) = line.strip_prefix("test ") else { return };
        if let Some(name) = after_test.strip_suffix(" ... FAILED") {
            self.failures.push(name.to_owned());
        }
        let Some(result) = after_test.strip_prefix("result: ") else { return };
        let Some((_verdict, counts)) = result.split_once(". ") else { return };
        self.suites += 1;
        for count in counts.split("; ") {
            self.add_count(count);
        }
    }

    /// Adds the counts in the last line of pytest, such as `3 passed, 1 failed in 0.50s`. Does nothing for other lines.
    fn read_pytest(&mut self, line: &str) {
        let Some((counts, time)) = line.split_once(" in ") else { return };
        let is_time = time.split_once('s').is_some_and(|(seconds, _)| seconds.parse::<f64>().is_ok());
        let is_count = |text: &str| text.split_once(' ').is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if !is_time || !counts.split(", ").all(is_count) {
            return;
        }
        self.suites += 1;
        for count in counts.split(", ") {
            self.add_count(count);
        }
    }

    /// Adds a count such as `3 passed`. Tests that pytest deselects count as ignored; counts of other kinds are
    /// skipped.
    fn add_count(&mut self, count: &str) {
        if let Some((number, kind)) = count.split_once(' ') {
            let number: u32 = number.parse().unwrap_or(0);
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "deselected" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Returns the line that sums up all suites. The verdict is also `FAILED` if a stage failed without a failed test,
    /// for example because a suite did not compile.
    fn closing_line(&self, all_stages_passed: bool, seconds: f64) -> String {
        let verdict = if all_stages_passed && self.failed == 0 { "ok" } else { "FAILED" };
        let Tally { suites, passed, failed, ignored, .. } = self;
        format!(
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; {suites} suites; finished \
             in {seconds:.2}s"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_suites_are_added() {
        let mut tally = Tally::default();
        for line in [
            "running 2 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: ok. 4 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            tally.read_rust(line);
        }
        let failures = vec!["a::c".to_owned()];
        assert_eq!(tally, Tally { suites: 2, passed: 5, failed: 1, ignored: 2, failures });
        let line = tally.closing_line(false, 1.5);
        assert_eq!(line, "test result: FAILED. 5 passed; 1 failed; 2 ignored; 2 suites; finished in 1.50s");
    }

    #[test]
    fn the_counts_of_pytest_are_added() {
        let mut tally = Tally::default();
        for line in ["tests/test_a.py .F. [100%]", "1 failed in test_a", "41 passed, 1 failed, 9 deselected in 12.34s"]
        {
            tally.read_pytest(line);
        }
        assert_eq!((tally.suites, tally.passed, tally.failed, tally.ignored), (1, 41, 1, 9));
    }

    #[test]
    fn a_suite_that_does_not_compile_is_a_failure() {
        assert!(Tally::default().closing_line(false, 0.0).starts_with("test result: FAILED. 0 passed;"));
    }
}
