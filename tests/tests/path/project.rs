//! Projects of `tern new`, from the sample data to the answers of their firmware in the emulator; and `tern` with its
//! firmware, away from a checkout.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tern_runtime::Model;
use tern_runtime::testing::Aligned;
use tern_tests::{argument, firmware, firmware_of, folder, root, stdout_of, tern, text_of, trained};

/// Makes a project, trains and exports its model, and builds its firmware with the `tern-runtime` of this repository.
/// Returns its folder and the ELF file.
fn project(name: &str, options: &[&str], training: &[&str]) -> (PathBuf, PathBuf) {
    // Each test has a folder of its own: they run at the same time.
    let project = folder(&format!("project-{name}")).join(name);
    stdout_of(tern().arg("new").arg(&project).args(options));
    stdout_of(tern().current_dir(&project).args(["train", "recipe.toml", "-o", "model"]).args(training));
    stdout_of(tern().current_dir(&project).args(["export", "model", "-o", "firmware/model.safetensors"]));
    let manifest = project.join("firmware/Cargo.toml");
    let patch = format!("\n[patch.crates-io]\ntern-runtime = {{ path = {:?} }}\n", root().join("runtime"));
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + &patch).unwrap();
    // All projects share the compiled dependencies.
    let target = root().join("target/projects");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project.join("firmware")).args(["build", "--release", "--quiet"]);
    stdout_of(cargo.env("CARGO_TARGET_DIR", &target));
    let elf = target.join("thumbv7em-none-eabihf/release").join(format!("{name}-firmware"));
    (project, elf)
}

/// Runs a project's firmware as `cargo run` does, with these lines at its serial port, and returns its output.
fn emulate(project: &Path, elf: &Path, lines: &str) -> String {
    let config = fs::read_to_string(project.join("firmware/.cargo/config.toml")).unwrap();
    let runner = config.lines().find_map(|line| line.strip_prefix("runner = \"")?.strip_suffix('"')).unwrap();
    let mut words = runner.split(' ');
    let mut command = Command::new(words.next().unwrap());
    let mut child = command.args(words).arg(elf).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// Reads the device file of a project.
fn device_file(project: &Path) -> Aligned {
    Aligned::new(&fs::read(project.join("firmware/model.safetensors")).unwrap())
}

#[test]
fn a_project_of_texts_runs_in_the_emulator() {
    let (project, elf) = project("starter-text", &[], &["--epochs", "3"]);
    let texts = ["there is a fire in my room", "can we have heat in lab 2 on Friday?", "free prize, call now"];
    let found = emulate(&project, &elf, &format!("{}\n\n", texts.join("\n")));
    let file = device_file(&project);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let expected = texts.map(|text| {
        let logits = session.classify(text.as_bytes());
        let best = logits.best().class;
        format!("{} {} %", model.labels().get(best).unwrap(), logits.probability(best) * 100 / 65_536)
    });
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_project_of_values_runs_in_the_emulator() {
    let (project, elf) = project("starter-values", &["--input", "values"], &[]);
    let stream = fs::read_to_string(project.join("data/stream.csv")).unwrap();
    let found = emulate(&project, &elf, &stream);
    let file = device_file(&project);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.value_session(&mut scratch).unwrap();
    let number = |text: &str| text.parse().unwrap();
    let steps: Vec<Vec<i32>> = stream
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.split(',').map(number).collect())
        .collect();
    let mut expected = Vec::new();
    // The windows of the firmware, each read by itself.
    for end in (64..=steps.len()).step_by(32) {
        session.reset();
        for step in &steps[end - 64..end] {
            let encode = |(index, &number): (usize, &i32)| {
                model.channel(index).unwrap().encode(number, std::num::NonZeroU32::MIN)
            };
            session.feed(&step.iter().enumerate().map(encode).collect::<Vec<_>>());
        }
        let best = session.logits().best().class;
        let percent = session.logits().probability(best) * 100 / 65_536;
        let label = model.labels().get(best).unwrap();
        expected.push(format!("{:3}.{:02} s  {label} {percent} %", end / 50, end % 50 * 2));
    }
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    // Each part of the stream takes eight seconds; the windows that lie within one part should have its label.
    let parts = ["still", "walking", "running", "shaking", "still"];
    let within = |end: &usize| (end - 64) / 400 == (end - 1) / 400;
    let ends: Vec<usize> = (64..=steps.len()).step_by(32).collect();
    let inner = ends.iter().zip(&expected).filter(|(end, _)| within(end));
    let right = inner.clone().filter(|(end, line)| line.contains(parts[(**end - 1) / 400])).count();
    assert!(right * 10 >= inner.count() * 9, "{expected:#?}");
}

#[test]
fn without_a_checkout_the_firmware_beside_the_program_runs() {
    let prefix = std::env::temp_dir().join(format!("tern-installed-{}", std::process::id()));
    let program = prefix.join("bin/tern");
    let elf = prefix.join(tern_boards::DEFAULT.installed_firmware());
    for file in [&program, &elf] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    fs::copy(tern().get_program(), &program).unwrap();
    let session = || {
        let mut command = Command::new(&program);
        command.current_dir(&prefix).env_remove("TERN_FIRMWARE").args(["console", argument(&trained().file), "--qemu"]);
        text_of(command.stdin(Stdio::null()))
    };
    // The error for the firmware of another board names the file that was taken.
    fs::copy(firmware_of(tern_boards::Board::named("mps2-an385").unwrap()), &elf).unwrap();
    let (status, _, error) = session();
    assert!(status == Some(1) && error.contains(&format!("{}: the firmware is for", elf.display())), "{error}");
    fs::copy(firmware(), &elf).unwrap();
    let (status, transcript, error) = session();
    assert!(status == Some(0) && transcript.contains("on mps2-an386"), "{transcript}\n{error}");
    fs::remove_dir_all(&prefix).unwrap();
}
