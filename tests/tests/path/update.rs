//! `tern push` to an emulated device: a model is loaded, activated, tried and confirmed.

use tern_tests::{argument, firmware, json, root};

/// A committed model.
fn model() -> std::path::PathBuf {
    root().join("runtime/tests/golden/lstm.safetensors")
}

#[test]
fn tern_push_to_an_emulator_of_its_own() {
    let seen =
        json(&["push", argument(&model()), "--qemu", "--firmware", argument(firmware()), "--json", "--timeout", "60"]);
    assert_eq!((&seen["state"], &seen["serving"]), (&"confirmed".into(), &true.into()), "{seen}");
}
