use tern_runtime::testing::{Sizes, random_file};

use super::image::Image;
use super::*;

fn board(name: &str) -> &'static Board {
    Board::named(name).unwrap()
}

#[test]
fn files_are_known_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let open = |bytes: &[u8], name| {
        std::fs::write(&path, bytes).unwrap();
        Image::open(&path, board(name)).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(open(b"\x7fELF...", "pico2"), Ok(Image::Firmware));
    let model = random_file(1, Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 }, "2");
    let expected = Image::Model { slot: board("pico2").slot, bytes: model.len(), crc32: crc32fast::hash(&model) };
    assert_eq!(open(&model, "pico2"), Ok(expected));
    for stranger in [&b""[..], b"text,label\n", &model[..model.len() - 1]] {
        let error = open(stranger, "pico2").unwrap_err();
        assert!(error.contains("expected a firmware (ELF) or a device file"), "{error}");
    }
    // What follows a model counts for its slot: a signature, or what does not belong there.
    let long = [&model[..], &vec![0; 256 * 1024]].concat();
    let error = open(&long, "netduinoplus2").unwrap_err();
    assert!(error.contains("the model slot of netduinoplus2 holds 262144"), "{error}");
}

#[test]
fn a_board_of_the_emulators_is_not_flashed() {
    let args = Args { file: "m".into(), board: "mps2-an386".to_owned(), qemu: false, firmware: None, probe: None };
    let Err(Failure::Usage(error)) = run(&args) else { panic!("there is no such board") };
    assert_eq!(error, "mps2-an386 is a board of the emulator's; add --qemu");
}
