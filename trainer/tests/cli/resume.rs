//! `tern train` that is killed, interrupted or out of disk space, and resumed.

mod faults;

use crate::folder::{Folder, novel, stderr};
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// Options of a small training with every kind of randomness and several batches an epoch.
const OPTIONS: &str = "--embedding-dim 8 --hidden-size 12 --epochs 12 --batch-size 4 --threads 1 --patience 12 \
                       --valid-fraction 0.1";

/// Options of the trainings below.
const SMALL: &str = "--hidden-size 12 --epochs 8 --threads 1 --patience 8";

/// A training of one of the tasks.
struct Training {
    /// The data and the options of the task.
    args: &'static str,
    /// A command that uses the model DIR.
    use_model: &'static str,
    /// The number of times that it is killed.
    kills: usize,
}

const TEXTS: Training = Training {
    args: "messages.csv --no-baselines --valid-fraction 0.1",
    use_model: "predict DIR 'a free prize'",
    kills: 12,
};
/// Embeddings from a file that stay as they are: each step must undo its change of them.
const FROZEN: Training = Training {
    args: "messages.csv --no-baselines --valid-fraction 0.1 --embeddings vectors.txt --freeze-embeddings",
    kills: 4,
    ..TEXTS
};
const LANGUAGE: Training = Training {
    args: "novel.txt --embedding-dim 8 --window 12 --batch-size 4",
    use_model: "generate DIR --length 5",
    kills: 6,
};
const FORECAST: Training = Training {
    args: "months.csv --task forecast --season 6 --horizon 2 --batch-size 8",
    use_model: "predict DIR months.csv",
    kills: 6,
};
const SEQUENCES: Training = Training {
    args: "ramps.csv --input values --batch-size 4 --valid-fraction 0.1 --jitter 0.1 --scaling 0.1",
    use_model: "predict DIR ramps.csv",
    kills: 6,
};

impl Training {
    /// The arguments of `tern` that train the model `target`.
    fn line(&self, target: &str, more: &str) -> String {
        format!("train {} -o {target} {SMALL} {more}", self.args)
    }

    /// Checks that the model at `target` can be used.
    fn check_use(&self, folder: &Folder, target: &str) {
        folder.run(&self.use_model.replace("DIR", target));
    }
}

/// A folder with data for every task.
fn folder_with_data() -> Folder {
    let folder = Folder::new();
    let (mut table, mut months) = ("text,label\n".to_owned(), "sales,noise\n".to_owned());
    let mut ramps = "sequence,label,level\n".to_owned();
    for index in 0..80 {
        let (text, label) = match index % 2 {
            0 => (format!("win a free prize now, offer {}!!", index % 7), "spam"),
            _ => (format!("see you at lunch, table {}", index % 5), "ham"),
        };
        table += &format!("\"{text} {index}\",{label}\n");
    }
    for index in 0..120 {
        let season = [0.0, 5.0, 9.0, 4.0, -3.0, -8.0][index % 6];
        months += &format!("{},{}\n", 50.0 + 0.2 * index as f64 + season, index * 37 % 11);
    }
    for index in 0..320 {
        let (label, slope) = [("up", 1), ("down", -1)][index / 8 % 2];
        ramps += &format!("s{},{label},{}\n", index / 8, (index / 19) as i64 + slope * (index % 8) as i64);
    }
    folder.write("messages.csv", table);
    folder.write("novel.txt", novel(80));
    folder.write("months.csv", months);
    folder.write("ramps.csv", ramps);
    folder.write("vectors.txt", "free 1 0 0 .5\nprize 1 .5 0 0\nlunch -1 0 .5 0\ntable -1 .5 0 .5\n");
    folder
}

/// Compares all files of two model directories.
fn assert_same(folder: &Folder, found: &str, expected: &str) {
    assert_eq!(folder.names(found), folder.names(expected));
    for name in folder.names(expected) {
        let [found, expected] = [found, expected].map(|directory| folder.bytes(&format!("{directory}/{name}")));
        assert!(found == expected, "{name} differs from that of an uninterrupted training");
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

fn send_signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Kills a process with SIGKILL. Returns false if it had ended before.
fn kill(child: &mut Child) -> bool {
    let _ = child.kill();
    child.wait().unwrap().code().is_none()
}

fn spawn(command: &mut Command) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

/// Waits for a line of stderr that contains `text`.
fn wait_for(lines: &mut Lines<BufReader<ChildStderr>>, text: &str) {
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
    /// Number of kills in a round after which the training may finish.
    const KILLS_PER_ROUND: usize = 6;
    let folder = folder_with_data();
    let start = Instant::now();
    folder.run(&training.line("whole/m", ""));
    let time = start.elapsed();

    let mut random = Random(0x7e12_2026 ^ seed);
    let (mut kills, mut round) = (0, 0);
    while kills < training.kills {
        round += 1;
        let target = format!("round{round}/m");
        // Every other round has the usual, rarer checkpoints.
        let checkpoints = if round % 2 == 0 { "" } else { "--checkpoint-seconds 0" };
        let line = training.line(&target, &format!("--resume {checkpoints}"));
        for attempt in 0.. {
            if attempt == KILLS_PER_ROUND || kills == training.kills {
                folder.run(&line);
                break;
            }
            let mut child = folder.tern(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // The moment may be any from the start of the process to its end.
            std::thread::sleep(random.below(time));
            if !kill(&mut child) {
                assert!(child.wait().unwrap().success());
                break;
            }
            kills += 1;
        }
        assert_same(&folder, &target, "whole/m");
        assert_eq!(folder.names(&format!("round{round}")), ["m"], "something was left behind");
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

/// Largest number of times that a training is started again because it ended before it could be killed.
const TRIES: usize = 20;

/// Starts the training of the model `target` with the arguments in `line`, and kills it after a line that contains
/// `text`.
fn kill_after(folder: &Folder, text: &str, target: &str, line: &str) {
    let is_killed = (0..TRIES).any(|_| {
        let (mut child, mut lines) = spawn(&mut folder.tern(line));
        wait_for(&mut lines, text);
        let is_killed = kill(&mut child);
        let target = folder.path(target);
        if !is_killed || target.exists() {
            let _ = fs::remove_dir_all(target);
        }
        is_killed
    });
    assert!(is_killed, "every time it ended before it was killed");
}

#[test]
fn the_first_signal_ends_a_training_with_a_model_and_its_exit_code_and_it_can_be_resumed() {
    let folder = folder_with_data();
    for (training, signal, code, target) in [
        (TEXTS, "-INT", 130, "texts/m"),
        (LANGUAGE, "-TERM", 143, "language/m"),
        (FORECAST, "-INT", 130, "forecast/m"),
        (SEQUENCES, "-TERM", 143, "sequences/m"),
    ] {
        let whole = format!("whole-{target}");
        folder.run(&training.line(&whole, ""));
        // On a busy computer the training may end before the signal comes.
        let is_interrupted = (0..TRIES).any(|_| {
            let (mut child, mut lines) = spawn(&mut folder.tern(&training.line(target, "")));
            wait_for(&mut lines, "epoch   1/8");
            send_signal(&child, signal);
            let log: Vec<String> = lines.map(Result::unwrap).collect();
            let is_interrupted = log.ends_with(&[
                format!("interrupted: {target} holds the best epoch so far and can be used"),
                format!("continue with `tern train --resume {target}`"),
            ]);
            let expected = if is_interrupted { code } else { 0 };
            assert_eq!(child.wait().unwrap().code(), Some(expected), "{log:?}");
            is_interrupted
        });
        assert!(is_interrupted, "the training ended before the signal came every time");
        training.check_use(&folder, target);

        let resume = format!("train --resume {target}");
        let log = folder.run(&resume).stderr;
        assert!(log.contains("resumed in epoch"), "{log}");
        assert_same(&folder, target, &whole);
        folder.fails(&resume, 1, "nothing to resume");
    }
}

#[test]
fn a_second_interrupt_ends_a_training_at_once() {
    let folder = Folder::new();
    // One batch takes longer than anybody waits for, so that only the signal can end the process.
    let long = "one two three four five six seven eight nine ten ".repeat(300);
    let table: String = (0..32).map(|row| format!("{long} {row},{}\n", ["a", "b"][row % 2])).collect();
    folder.write("long.csv", format!("text,label\n{table}"));
    let options = "--valid-fraction 0.1 --hidden-size 2048 --batch-tokens 1000000 --threads 1 --no-baselines";
    let (mut child, mut lines) = spawn(&mut folder.tern(&format!("train long.csv -o m {options}")));
    wait_for(&mut lines, "tokens in the vocabulary");
    // The signal handler is installed right after that line.
    std::thread::sleep(Duration::from_millis(500));
    send_signal(&child, "-INT");
    wait_for(
        &mut lines,
        "interrupted: ending after this batch; a second signal ends at once, without writing the model",
    );
    send_signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!folder.path("m").exists());
}
