//! `tern train` as a process that is killed, interrupted, or out of room, and goes on from there.
#![cfg(unix)]

#[path = "resume/faults.rs"]
mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// Small, with every kind of randomness, and several batches an epoch.
const OPTIONS: [&str; 14] = [
    "--embedding-dim",
    "8",
    "--hidden-size",
    "12",
    "--epochs",
    "12",
    "--batch-size",
    "4",
    "--threads",
    "1",
    "--patience",
    "12",
    "--valid-fraction",
    "0.1",
];

/// A training of each task, and how often it is killed.
struct Training {
    /// The data, and what the task asks for.
    args: &'static [&'static str],
    /// The arguments of a command that uses the model, to see that it works.
    ask: &'static [&'static str],
    kills: usize,
}

const SMALL: [&str; 8] = ["--hidden-size", "12", "--epochs", "8", "--threads", "1", "--patience", "8"];

const TEXTS: Training = Training {
    args: &["messages.csv", "--no-baselines", "--valid-fraction", "0.1"],
    ask: &["predict", "DIR", "a free prize"],
    kills: 12,
};
/// Vectors of a file that stay as they are: each step undoes what was done to them.
const FROZEN: Training = Training {
    args: &[
        "messages.csv",
        "--no-baselines",
        "--valid-fraction",
        "0.1",
        "--embeddings",
        "vectors.txt",
        "--freeze-embeddings",
    ],
    ask: TEXTS.ask,
    kills: 4,
};
const LANGUAGE: Training = Training {
    args: &["novel.txt", "--embedding-dim", "8", "--window", "12", "--batch-size", "4"],
    ask: &["generate", "DIR", "--length", "5"],
    kills: 6,
};
const FORECAST: Training = Training {
    args: &["months.csv", "--task", "forecast", "--season", "6", "--horizon", "2", "--batch-size", "8"],
    ask: &["predict", "DIR", "months.csv"],
    kills: 6,
};
const SEQUENCES: Training = Training {
    args: &["ramps.csv", "--input", "values", "--batch-size", "4", "--valid-fraction", "0.1"],
    ask: &["predict", "DIR", "ramps.csv"],
    kills: 6,
};

/// A folder with data for every task.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut table, mut novel) = ("text,label\n".to_owned(), String::new());
    for index in 0..80 {
        let (text, label) = match index % 2 {
            0 => (format!("win a free prize now, offer {}!!", index % 7), "spam"),
            _ => (format!("see you at lunch, table {}", index % 5), "ham"),
        };
        table += &format!("\"{text} {index}\",{label}\n");
        novel += &format!("the {} drinks {} .\n", ["cat", "dog", "bird"][index % 3], ["milk", "rain"][index * 7 % 2]);
    }
    let (mut months, mut ramps) = ("sales,noise\n".to_owned(), "sequence,label,level\n".to_owned());
    for index in 0..120 {
        let season = [0.0, 5.0, 9.0, 4.0, -3.0, -8.0][index % 6];
        months += &format!("{},{}\n", 50.0 + 0.2 * index as f64 + season, index * 37 % 11);
    }
    for index in 0..320 {
        let (label, slope) = [("up", 1), ("down", -1)][index / 8 % 2];
        ramps += &format!("s{},{label},{}\n", index / 8, (index / 19) as i64 + slope * (index % 8) as i64);
    }
    let vectors = "free 1 0 0 .5\nprize 1 .5 0 0\nlunch -1 0 .5 0\ntable -1 .5 0 .5\n";
    for (name, text) in [
        ("messages.csv", table.as_str()),
        ("novel.txt", &novel),
        ("months.csv", &months),
        ("ramps.csv", &ramps),
        ("vectors.txt", vectors),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

impl Training {
    fn command(&self, folder: &Path, target: &str, more: &[&str]) -> Command {
        tern(folder, &[&["train"][..], self.args, &["-o", target], &SMALL, more].concat())
    }

    /// Sees that the model at `target` can be used.
    fn use_it(&self, folder: &Path, target: &str) {
        let args: Vec<&str> = self.ask.iter().map(|arg| if *arg == "DIR" { target } else { arg }).collect();
        succeed(&mut tern(folder, &args));
    }
}

fn tern(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tern"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn train(folder: &Path, target: &str, more: &[&str]) -> Command {
    tern(folder, &[&["train", "messages.csv", "-o", target][..], &OPTIONS, more].concat())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", stderr(&output));
    stderr(&output)
}

/// The files of a model directory.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_same(found: &Path, expected: &Path) {
    let (found, expected) = (files(found), files(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs from that of an uninterrupted training");
    }
}

/// Random numbers that are the same on every run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        limit.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for a line of stderr that has `text` in it.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) {
    let mut seen = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if line.contains(text) {
            return;
        }
        seen.push(line);
    }
    panic!("no line with {text:?}:\n{}", seen.join("\n"));
}

/// Kills a training at random moments and resumes it, until it was killed often enough.
fn kill_and_resume(training: &Training, seed: u64) {
    let folder = folder();
    let start = Instant::now();
    succeed(&mut training.command(folder.path(), "whole/m", &[]));
    let time = start.elapsed();
    let whole = folder.path().join("whole/m");

    let mut random = Random(0x7e12_2026 ^ seed);
    let (mut kills, mut round) = (0, 0);
    while kills < training.kills {
        round += 1;
        let target = format!("round{round}/m");
        // Every other round keeps to the usual, rarer checkpoints.
        let often: &[&str] = if round % 2 == 0 { &[] } else { &["--checkpoint-seconds", "0"] };
        let mut finished: Option<ExitStatus> = None;
        for attempt in 0.. {
            let mut command = training.command(folder.path(), &target, &[&["--resume"], often].concat());
            // A few kills a round, at any moment from the start of the process to its end; then it may finish.
            if attempt == 6 || kills == training.kills {
                succeed(&mut command);
                break;
            }
            let mut child = command.stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(random.below(time));
            signal_kill(&mut child);
            let status = child.wait().unwrap();
            if status.code().is_some() {
                finished = Some(status);
                break;
            }
            kills += 1;
        }
        assert!(finished.is_none_or(|status| status.success()), "{finished:?}");
        assert_same(&folder.path().join(&target), &whole);
        assert_eq!(names(&folder.path().join(format!("round{round}"))), ["m"], "something was left behind");
    }
}

#[test]
fn killed_at_any_moment_and_resumed_it_ends_in_the_same_bytes() {
    kill_and_resume(&TEXTS, 1);
}

#[test]
fn frozen_vectors_are_the_same_after_kills() {
    kill_and_resume(&FROZEN, 2);
}

#[test]
fn a_language_model_ends_in_the_same_bytes_after_kills() {
    kill_and_resume(&LANGUAGE, 3);
}

#[test]
fn a_forecast_ends_in_the_same_bytes_after_kills() {
    kill_and_resume(&FORECAST, 4);
}

#[test]
fn a_classifier_of_sequences_ends_in_the_same_bytes_after_kills() {
    kill_and_resume(&SEQUENCES, 5);
}

/// Largest number of times that a training is begun again because it ended before it could be killed.
const TRIES: usize = 20;

/// Begins a training of the model at `target` and kills it once a line has `text` in it.
fn kill_after(text: &str, target: &Path, command: impl Fn() -> Command) {
    let killed = (0..TRIES).any(|_| {
        let mut child = command().spawn().unwrap();
        wait_for(&mut BufReader::new(child.stderr.take().unwrap()).lines(), text);
        signal_kill(&mut child);
        let killed = child.wait().unwrap().code().is_none();
        if !killed || target.exists() {
            let _ = fs::remove_dir_all(target);
        }
        killed
    });
    assert!(killed, "every time it ended before it was killed");
}

fn signal_kill(child: &mut Child) {
    // SIGKILL; that it has ended already is no failure.
    let _ = child.kill();
}

#[test]
fn the_first_signal_ends_a_training_with_a_model_and_its_exit_code_and_it_can_be_resumed() {
    let folder = folder();
    for (training, name, code, target) in [
        (TEXTS, "-INT", 130, "texts/m"),
        (LANGUAGE, "-TERM", 143, "language/m"),
        (FORECAST, "-INT", 130, "forecast/m"),
        (SEQUENCES, "-TERM", 143, "sequences/m"),
    ] {
        let whole = format!("whole-{target}");
        succeed(&mut training.command(folder.path(), &whole, &[]));
        // On a busy computer the training may end before the signal comes.
        let interrupted = (0..TRIES).any(|_| {
            let mut child = training.command(folder.path(), target, &[]).spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            wait_for(&mut lines, "epoch   1/8");
            signal(&child, name);
            let log: Vec<String> = lines.map(Result::unwrap).collect();
            let status = child.wait().unwrap().code();
            let advice = format!("continue with `tern train --resume {target}`");
            let usable = format!("interrupted: {target} holds the best epoch so far and can be used");
            let is_interrupted = log.ends_with(&[usable, advice]);
            assert_eq!(status, Some(if is_interrupted { code } else { 0 }), "{log:?}");
            is_interrupted
        });
        assert!(interrupted, "the training ended before the signal came every time");
        training.use_it(folder.path(), target);

        let log = succeed(&mut tern(folder.path(), &["train", "--resume", target]));
        assert!(log.contains("resumed in epoch"), "{log}");
        assert_same(&folder.path().join(target), &folder.path().join(whole));
        let output = tern(folder.path(), &["train", "--resume", target]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("nothing to resume"), "{}", stderr(&output));
    }
}

#[test]
fn a_second_interrupt_ends_a_training_at_once() {
    let folder = folder();
    // One batch takes longer than anybody waits for: that the process ends is due to the signal alone.
    let long = "one two three four five six seven eight nine ten ".repeat(300);
    let table: String = (0..32).map(|row| format!("{long} {row},{}\n", ["a", "b"][row % 2])).collect();
    fs::write(folder.path().join("long.csv"), format!("text,label\n{table}")).unwrap();
    let options = [
        "--valid-fraction",
        "0.1",
        "--hidden-size",
        "2048",
        "--batch-tokens",
        "1000000",
        "--threads",
        "1",
        "--no-baselines",
    ];
    let mut child = tern(folder.path(), &[&["train", "long.csv", "-o", "m"][..], &options].concat()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_for(&mut lines, "tokens in the vocabulary");
    // The signal handler is installed right after that line.
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    wait_for(&mut lines, "interrupted: ending after this batch (again: at once, without a model)");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!folder.path().join("m").exists());
}
