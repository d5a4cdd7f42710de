//! Trainings with a full disk, with a loss that is not a number, and resumed with other data or settings.

use super::*;

#[test]
fn a_full_disk_keeps_the_checkpoint_before_and_the_training_goes_on() {
    for training in [TEXTS, LANGUAGE, FORECAST] {
        fill_the_disk(&training);
    }
}

fn fill_the_disk(training: &Training) {
    let folder = folder_with_data();
    // Wide enough that the checkpoint is the largest file.
    let wide = "--hidden-size 64 --epochs 6 --threads 1 --checkpoint-seconds 0";
    let line = |target: &str| format!("train {} -o {target} {wide}", training.args);
    folder.run(&line("whole/spam"));

    kill_after(&folder, "epoch   2/6", "full/spam", &line("full/spam"));
    let checkpoint = "full/spam.partial/checkpoint.safetensors";
    let before = folder.bytes(checkpoint);
    let lengths = folder.names("whole/spam").into_iter().map(|name| folder.bytes(&format!("whole/spam/{name}")).len());
    let largest = lengths.max().unwrap();
    assert!(before.len() > largest + 2048, "{} {largest}", before.len());

    // A limit of the file size (in blocks of 512 bytes) imitates a full disk: writing fails in the middle of the file.
    // The signal that comes with it is ignored, so that the program gets an error.
    let run_limited = |blocks: usize| {
        let tern = env!("CARGO_BIN_EXE_tern");
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec '{tern}' train --resume full/spam --checkpoint-seconds 0");
        Command::new("sh").current_dir(folder.path(".")).args(["-c", &script]).output().unwrap()
    };
    // No room for anything.
    let output = run_limited(8);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("the previous checkpoint is kept and the training goes on"), "{message}");
    let expected = "error: the model could not be written; continue with `tern train --resume full/spam`";
    assert!(message.contains(expected), "{message}");
    assert!(folder.bytes(checkpoint) == before, "the checkpoint has changed");
    assert!(!folder.path("full/spam").exists());
    // Room for the model, and none for a checkpoint.
    let output = run_limited(before.len() / 512 - 1);
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    assert_eq!(message.matches("spam.partial/checkpoint.safetensors: File too large").count(), 1, "{message}");
    assert_same(&folder, "full/spam", "whole/spam");
}

/// Options that make the loss infinite within a few steps.
const DIVERGE: &str = "--learning-rate 100 --clip-norm 0";

/// Runs a training that must diverge, with all of `parts` in its messages.
fn assert_diverges(folder: &Folder, line: &str, parts: &[&str]) {
    let message = folder.fails(line, 1, "the training diverged");
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in {message}");
    }
}

#[test]
fn a_loss_that_is_no_number_stops_it_and_the_best_epoch_is_kept() {
    let folder = folder_with_data();
    let network = "--cell rnn_relu --optimizer sgd --schedule constant";
    // In the first epoch: nothing is left behind.
    let parts = [
        "epoch 1, batch ",
        " of 18: the ",
        "the training diverged; lower the learning rate (it is 100)",
        "examples of the batch, such as messages.csv: line ",
    ];
    assert_diverges(&folder, &format!("train messages.csv -o new/spam {OPTIONS} {network} {DIVERGE}"), &parts);
    assert!(folder.names("new").is_empty());

    // In a fold of a cross-validation, which has no checkpoints.
    let line = format!("train messages.csv -o folds/spam {OPTIONS} {network} {DIVERGE} --folds 3");
    assert_diverges(&folder, &line, &["in the cross-validation: epoch 1, batch ", "such as messages.csv: line "]);
    assert!(folder.names("folds").is_empty());

    // Later: the best epoch so far becomes the model, and the training can go on with other settings.
    let stable = "--learning-rate 0.01 --clip-norm 1";
    let line = format!("train messages.csv -o late/spam {OPTIONS} {network} {stable} --checkpoint-seconds 0");
    kill_after(&folder, "epoch   2/12", "late/spam", &line);
    let parts = [
        "from here on [training] learning_rate is 100.0, was 0.01",
        "error: late/spam holds the best epoch before the training failed, epoch ",
    ];
    assert_diverges(&folder, &format!("train --resume late/spam {DIVERGE}"), &parts);
    folder.run("predict late/spam 'a free prize'");
    folder.run(&format!("train --resume late/spam {stable}"));
}

#[test]
fn every_task_keeps_its_best_epoch_and_names_the_rows_where_it_blows_up() {
    let folder = folder_with_data();
    let network = "--cell rnn_relu --optimizer sgd --schedule constant";
    // Messages name lines of the table or of the text, which an editor shows.
    for (training, target, place) in [
        (LANGUAGE, "language/m", "examples of the batch, such as novel.txt: lines "),
        (FORECAST, "forecast/m", "examples of the batch, such as months.csv: lines "),
        (SEQUENCES, "sequences/m", "examples of the batch, such as ramps.csv: lines "),
    ] {
        let line = training.line(target, &format!("{network} {DIVERGE}"));
        assert_diverges(&folder, &line, &["epoch 1, batch ", place]);
        assert!(!folder.path(target).exists());

        let line = training.line(target, &format!("{network} --learning-rate 0.01 --checkpoint-seconds 0"));
        kill_after(&folder, "epoch   2/8", target, &line);
        let kept = format!("error: {target} holds the best epoch before the training failed, epoch ");
        let line = format!("train --resume {target} {DIVERGE} --epochs 40");
        assert_diverges(&folder, &line, &[&kept, ", batch "]);
        training.check_use(&folder, target);
    }
}

#[test]
fn only_the_same_training_is_resumed() {
    let folder = folder_with_data();
    let train = format!("train messages.csv -o m/spam {OPTIONS}");
    kill_after(&folder, "epoch   1/12", "m/spam", &format!("{train} --checkpoint-seconds 0"));
    let resume = "train --resume m/spam";
    let expected = "another recipe: [model] hidden_size is 13, was 12";
    folder.fails(&format!("{resume} --hidden-size 13"), 1, expected);
    let table = folder.text("messages.csv");
    folder.write("messages.csv", format!("{table}\"more text\",ham\n"));
    folder.fails(resume, 1, "the data have changed since this training began");
    folder.write("messages.csv", table);
    let foreign = "m/spam.partial/precious.txt";
    folder.write(foreign, "");
    folder.fails(resume, 1, "holds \"precious.txt\", which is not part of a training");
    fs::remove_file(folder.path(foreign)).unwrap();

    // Without --resume a warning is printed, and the training starts anew.
    let log = folder.run(&train).stderr;
    assert!(log.contains("warning: m/spam.partial: deleted an interrupted training and started anew"), "{log}");
    assert_eq!(folder.names("m"), ["spam"]);
}
