//! The log: a channel separate from the console, decoded by `defmt-print`.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use tern_tests::{argument, firmware, folder, stdout_of, tern, trained};

#[test]
fn the_log_is_separate_from_the_console_and_contains_no_text() {
    let log = folder("log").join("log.bin");
    let mut command = tern();
    command.args(["console", argument(&trained().file), "--qemu", "--firmware", argument(firmware())]);
    command.arg("--log").arg(&log).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let secret = "moonbeam";
    let line = format!("{secret} {}\nselftest\n", secret.repeat(40));
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut print = Command::new("defmt-print");
    print.arg("-e").arg(firmware()).stdin(File::open(&log).unwrap());
    let decoded = stdout_of(&mut print);
    for expected in ["model accepted", "selftest", "refused"] {
        assert!(decoded.contains(expected), "no `{expected}` in\n{decoded}");
    }
    assert!(!decoded.contains(secret), "{decoded}");
    let console = String::from_utf8_lossy(&output.stdout);
    assert!(!console.contains("model accepted"), "the log is in the console:\n{console}");
}
