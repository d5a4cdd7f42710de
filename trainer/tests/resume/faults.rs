//! Full disks, losses that are no numbers, and trainings that are not the same.

use super::*;

#[test]
fn a_full_disk_keeps_the_checkpoint_before_and_the_training_goes_on() {
    for training in [TEXTS, LANGUAGE, FORECAST] {
        fill_the_disk(&training);
    }
}

fn fill_the_disk(training: &Training) {
    let folder = folder();
    // Wide enough that the checkpoint is the largest file.
    let options = |target: &'static str| {
        let wide = ["--hidden-size", "64", "--epochs", "6", "--threads", "1", "--checkpoint-seconds", "0"];
        [&["train"][..], training.args, &["-o", target], &wide].concat()
    };
    succeed(&mut tern(folder.path(), &options("whole/spam")));
    let whole = folder.path().join("whole/spam");

    kill_after("epoch   2/6", &folder.path().join("full/spam"), || tern(folder.path(), &options("full/spam")));
    let checkpoint = folder.path().join("full/spam.partial/checkpoint.safetensors");
    let before = fs::read(&checkpoint).unwrap();
    let largest = files(&whole).values().map(Vec::len).max().unwrap();
    assert!(before.len() > largest + 2048, "{} {largest}", before.len());

    // A limit of the file size (in blocks of 512 bytes) stands for a disk that is full: writing fails in the midst of
    // the file. The signal that comes with it is ignored: the program sees an error.
    let limited = |blocks: usize| {
        let tern = env!("CARGO_BIN_EXE_tern");
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec '{tern}' train --resume full/spam --checkpoint-seconds 0");
        Command::new("sh").current_dir(folder.path()).args(["-c", &script]).output().unwrap()
    };
    // No room for anything.
    let output = limited(8);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("the previous checkpoint is kept and the training goes on"), "{message}");
    assert!(
        message.contains("error: the model could not be written; continue with `tern train --resume full/spam`"),
        "{message}"
    );
    assert!(fs::read(&checkpoint).unwrap() == before, "the checkpoint has changed");
    assert!(!folder.path().join("full/spam").exists());
    // Room for the model, and none for a checkpoint.
    let output = limited(before.len() / 512 - 1);
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    assert_eq!(message.matches("spam.partial/checkpoint.safetensors: File too large").count(), 1, "{message}");
    assert_same(&folder.path().join("full/spam"), &whole);
}

#[test]
fn a_loss_that_is_no_number_stops_it_and_the_best_epoch_is_kept() {
    let folder = folder();
    let network = [
        "--cell",
        "rnn_relu",
        "--optimizer",
        "sgd",
        "--learning-rate",
        "0.01",
        "--schedule",
        "constant",
        "--clip-norm",
        "1",
    ];
    let blow = ["--learning-rate", "100", "--clip-norm", "0"];
    // In the first epoch: nothing is left behind.
    let mut command = tern(
        folder.path(),
        &[
            &["train", "messages.csv", "-o", "new/spam"][..],
            &OPTIONS,
            &network[..4],
            &blow,
            &["--schedule", "constant"],
        ]
        .concat(),
    );
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in [
        "epoch 1, batch ",
        " of 18: the ",
        "the training diverged; lower the learning rate (it is 100)",
        "examples give no number, such as messages.csv: line ",
    ] {
        assert!(message.contains(part), "{part:?} is missing in {message}");
    }
    assert!(names(&folder.path().join("new")).is_empty());

    // Later: the best epoch so far becomes the model, and the training can go on with other settings.
    kill_after("epoch   2/12", &folder.path().join("late/spam"), || {
        train(folder.path(), "late/spam", &[&network[..], &["--checkpoint-seconds", "0"]].concat())
    });
    let output = tern(folder.path(), &[&["train", "--resume", "late/spam"][..], &blow].concat()).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("from here on [training] learning_rate is 100.0, was 0.01"), "{message}");
    assert!(message.contains("error: late/spam holds the best epoch before the training failed, epoch "), "{message}");
    assert!(message.contains("the training diverged"), "{message}");
    succeed(&mut tern(folder.path(), &["predict", "late/spam", "a free prize"]));
    succeed(&mut tern(
        folder.path(),
        &["train", "--resume", "late/spam", "--learning-rate", "0.01", "--clip-norm", "1"],
    ));
}

#[test]
fn every_task_keeps_its_best_epoch_and_names_the_rows_where_it_blows_up() {
    let folder = folder();
    let network = ["--cell", "rnn_relu", "--optimizer", "sgd", "--schedule", "constant", "--learning-rate"];
    let fails = |command: &mut Command, parts: &[&str]| {
        let output = command.output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in {message}");
        }
    };
    // Rows of the table or of the text, which one sees in an editor.
    for (training, target, place) in [
        (LANGUAGE, "language/m", "examples give no number, such as novel.txt: lines "),
        (FORECAST, "forecast/m", "examples give no number, such as months.csv: lines "),
        (SEQUENCES, "sequences/m", "examples give no number, such as ramps.csv: lines "),
    ] {
        let blow = [&network[..], &["100", "--clip-norm", "0"]].concat();
        fails(
            &mut training.command(folder.path(), target, &blow),
            &["epoch 1, batch ", "the training diverged", place],
        );
        assert!(!folder.path().join(target).exists());

        let often = [&network[..], &["0.01", "--checkpoint-seconds", "0"]].concat();
        kill_after("epoch   2/8", &folder.path().join(target), || training.command(folder.path(), target, &often));
        let blow = ["train", "--resume", target, "--learning-rate", "100", "--clip-norm", "0", "--epochs", "40"];
        let kept = format!("error: {target} holds the best epoch before the training failed, epoch ");
        fails(&mut tern(folder.path(), &blow), &[&kept, "the training diverged", ", batch "]);
        training.use_it(folder.path(), target);
    }
}

#[test]
fn only_the_same_training_is_resumed() {
    let folder = folder();
    kill_after("epoch   1/12", &folder.path().join("m/spam"), || {
        train(folder.path(), "m/spam", &["--checkpoint-seconds", "0"])
    });
    let refused = |args: &[&str], expected: &str| {
        let output = tern(folder.path(), args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    refused(
        &["train", "--resume", "m/spam", "--hidden-size", "13"],
        "another recipe: [model] hidden_size is 13, was 12",
    );
    let table = fs::read_to_string(folder.path().join("messages.csv")).unwrap();
    fs::write(folder.path().join("messages.csv"), format!("{table}\"more text\",ham\n")).unwrap();
    refused(&["train", "--resume", "m/spam"], "the data have changed since this training began");
    fs::write(folder.path().join("messages.csv"), table).unwrap();
    fs::write(folder.path().join("m/spam.partial/precious.txt"), "").unwrap();
    refused(&["train", "--resume", "m/spam"], "holds \"precious.txt\", which is not part of a training");
    fs::remove_file(folder.path().join("m/spam.partial/precious.txt")).unwrap();

    // Whoever forgets --resume is told so, and the work begins anew.
    let log = succeed(&mut train(folder.path(), "m/spam", &[]));
    assert!(log.contains("warning: m/spam.partial: deleted an interrupted training and started anew"), "{log}");
    assert_eq!(names(&folder.path().join("m")), ["spam"]);
}
