//! `tern train` and `tern fit` in several processes, which the `mpirun` of Open MPI starts.

#[path = "cli/folder.rs"]
#[allow(dead_code)] // The tests of one process use all of it.
mod folder;

use folder::{Folder, novel, stderr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SMALL: &str = "--embedding-dim 4 --hidden-size 6 --learning-rate 0.02 --threads 1";

/// `mpirun` with `count` processes of `tern`. Some machines have fewer cores, and tests may run as root.
fn mpirun(folder: &Folder, count: usize, options: &str, line: &str) -> Command {
    let tern = folder.tern(line);
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "-n", &count.to_string()]).args(options.split_whitespace());
    command.arg(tern.get_program()).args(tern.get_args()).current_dir(folder.path("."));
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(folder: &Folder, count: usize, line: &str) -> Output {
    let output = mpirun(folder, count, "", line).output().expect("mpirun is installed");
    assert!(output.status.success(), "{line}\n{}", stderr(&output));
    output
}

/// Starts `mpirun` and waits until `path` exists in the folder.
fn start(folder: &Folder, count: usize, options: &str, line: &str, path: &str) -> Child {
    let child = mpirun(folder, count, options, line).process_group(0).spawn().expect("mpirun is installed");
    let start = Instant::now();
    while !folder.path(path).exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "{path} was not written");
        sleep(Duration::from_millis(20));
    }
    child
}

/// Returns the process identifiers of the children of a process, in ascending order.
fn children(parent: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("Linux has this file");
    let mut found: Vec<u32> = list.split_whitespace().map(|process| process.parse().unwrap()).collect();
    found.sort_unstable();
    found
}

fn signal(process: u32, signal: &str) {
    let line = format!("kill -{signal} {process}");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
}

/// Fails unless a training gives the same bytes in 1, 2 and 4 processes as without MPI.
fn same_bytes(folder: &Folder, line: &str) {
    let names = ["model.safetensors", "metrics.json", "log.jsonl", "tokenizer.json"];
    let read = |directory: &str| {
        let found = names.iter().map(|name| folder.path(&format!("{directory}/{name}")));
        found.map(|path| std::fs::read(path).ok()).collect::<Vec<_>>()
    };
    folder.run(&format!("train {line} -o alone/model"));
    let alone = read("alone/model");
    assert!(alone[0].is_some() && alone[1].is_some());
    for count in [1, 2, 4] {
        run(folder, count, &format!("train {line} -o of{count}/model"));
        assert!(read(&format!("of{count}/model")) == alone, "{count} processes: {line}");
    }
}

#[test]
fn a_classifier_has_the_same_bytes_in_1_2_and_4_processes() {
    let folder = Folder::with_messages();
    let regularised = "--dropout 0.1 --embedding-dropout 0.1 --word-dropout 0.1 --ngram-buckets 64";
    same_bytes(&folder, &format!("messages.csv --epochs 3 {SMALL} {regularised} --valid-fraction 0.2"));
    // With as many shards as processes and with more; with a cross-validation.
    same_bytes(&folder, &format!("messages.csv --epochs 2 {SMALL} --shards 5 --cell gru --no-baselines"));
}

#[test]
fn a_language_model_has_the_same_bytes_in_1_2_and_4_processes() {
    let folder = Folder::new();
    folder.write("novel.txt", novel(120));
    same_bytes(&folder, &format!("novel.txt --epochs 2 {SMALL}"));
}

#[test]
fn a_forecast_has_the_same_bytes_in_1_2_and_4_processes() {
    let folder = Folder::new();
    let rows: String = (0..200).map(|step| format!("{step},{}\n", (step as f64 * 0.3).sin())).collect();
    folder.write("wave.csv", format!("time,level\n{rows}"));
    let options = "--task forecast --window 12 --horizon 3 --hidden-size 6 --threads 1";
    same_bytes(&folder, &format!("wave.csv {options} --epochs 2"));
}

#[test]
fn only_rank_0_prints_and_a_wrong_command_line_is_reported_once() {
    let folder = Folder::with_messages();
    let output = run(&folder, 2, &format!("train messages.csv -o model --json --epochs 1 {SMALL}"));
    let figures = folder::parse(&String::from_utf8(output.stdout).unwrap());
    assert!(figures["validation"]["accuracy"].is_number(), "{figures}");
    for (line, status, expected) in [
        ("train messages.csv -o model --shards 2", 2, "error: 3 processes cannot share the 2 shards of a batch"),
        ("train nothing.csv -o model", 1, "error: nothing.csv: No such file"),
        ("fit nothing.csv -o model --flash 8KB", 1, "error: nothing.csv: No such file"),
    ] {
        let output = mpirun(&folder, 3, "", line).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{line}: {message}");
        assert_eq!(message.matches(expected).count(), 1, "{line}: {message}");
    }
}

#[test]
fn a_training_that_is_interrupted_or_killed_is_resumed_by_another_number_of_processes() {
    let folder = Folder::with_messages();
    let line = format!("train messages.csv --epochs 30 --patience 30 {SMALL} --no-baselines --checkpoint-seconds 0");
    folder.run(&format!("{line} -o alone/model"));
    let expected = folder.bytes("alone/model/model.safetensors");

    let checkpoint = "killed/model.partial/checkpoint.safetensors";
    let mut child = start(&folder, 2, "", &format!("{line} -o killed/model"), checkpoint);
    signal(*children(child.id()).last().expect("mpirun has children"), "KILL");
    assert!(!child.wait().unwrap().success());
    assert!(!folder.path("killed/model").exists());
    run(&folder, 4, "train --resume killed/model");
    assert!(folder.bytes("killed/model/model.safetensors") == expected);

    // mpirun passes SIGUSR1 on to all processes, which end after the same batch and keep the model.
    let checkpoint = "stopped/model.partial/checkpoint.safetensors";
    let child = start(&folder, 2, "", &format!("{line} -o stopped/model"), checkpoint);
    signal(child.id(), "USR1");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 10), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped/model holds the best epoch so far"), "{}", stderr(&output));
    assert!(folder.path("stopped/model/model.safetensors").is_file());
    run(&folder, 3, "train --resume stopped/model");
    assert!(folder.bytes("stopped/model/model.safetensors") == expected);
}

#[test]
fn data_that_differ_between_processes_are_refused() {
    let folder = Folder::with_messages();
    let other = folder.text("messages.csv").replace("prize", "price");
    for name in ["0/data.csv", "1/data.csv"] {
        std::fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
        folder.write(name, if name.starts_with('0') { folder.text("messages.csv") } else { other.clone() });
    }
    // Each process reads the data of its own computer.
    let script = "cd $OMPI_COMM_WORLD_RANK && exec \"$0\" \"$@\"";
    let line = format!("train data.csv -o model --epochs 1 {SMALL}");
    let command = mpirun(&folder, 2, "sh -c SCRIPT", &line);
    let arguments = command.get_args().map(|argument| if argument == "SCRIPT" { script.as_ref() } else { argument });
    let mut started = Command::new("mpirun");
    started.args(arguments).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    started.current_dir(folder.path("."));
    let output = started.output().unwrap();
    let message = stderr(&output);
    assert!(
        !output.status.success() && message.contains("the processes do not have the same recipe and data"),
        "{message}"
    );
    assert!(!folder.path("0/model").exists());
}

#[test]
fn a_search_finds_the_same_model_in_1_2_and_4_processes_and_after_the_death_of_one() {
    let folder = Folder::with_messages();
    let line = "fit messages.csv --flash 12KB --trials 5 --epochs 60 --valid-fraction 0.2 --threads 1";
    let read = |directory: &str| {
        [format!("{directory}/fit.safetensors"), format!("{directory}/fit/metrics.json")]
            .map(|name| folder.bytes(&name))
    };
    for directory in ["alone", "of2", "of4", "killed"] {
        std::fs::create_dir(folder.path(directory)).unwrap();
    }
    folder.run(&format!("{line} -o alone/fit"));
    let alone = read("alone");
    for count in [2, 4] {
        let output = run(&folder, count, &format!("{line} -o of{count}/fit"));
        assert!(read(&format!("of{count}")) == alone, "{count} processes\n{}", stderr(&output));
        assert_eq!(stderr(&output).matches("round 1: 5 candidates").count(), 1);
    }
    let line = format!("{line} -o killed/fit --rank-timeout 2");
    let child = start(&folder, 3, "--enable-recovery", &line, "killed/fit.fit.jsonl");
    // The last process has begun its first candidate, or is about to.
    sleep(Duration::from_millis(300));
    signal(*children(child.id()).last().expect("mpirun has children"), "KILL");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("counts as dead; another process trains its candidate"), "{}", stderr(&output));
    assert!(read("killed") == alone, "{}", stderr(&output));
}
