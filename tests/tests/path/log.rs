//! The log: a channel separate from the console, decoded by `defmt-print`.

use tern_tests::{argument, console_session, decoded_log, folder, trained};

#[test]
fn the_log_is_separate_from_the_console_and_contains_no_text() {
    let log = folder("log").join("log.bin");
    let secret = "moonbeam";
    let lines = format!("{secret} {}\nselftest\n", secret.repeat(40));
    let console = console_session(&trained().file, &["--log", argument(&log)], &lines);
    let decoded = decoded_log(&log);
    for expected in ["model accepted", "selftest", "rejected"] {
        assert!(decoded.contains(expected), "no `{expected}` in\n{decoded}");
    }
    assert!(!decoded.contains(secret), "{decoded}");
    assert!(!console.contains("model accepted"), "the log is in the console:\n{console}");
}
