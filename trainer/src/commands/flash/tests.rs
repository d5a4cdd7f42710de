use tern_runtime::testing::{Sizes, random_file};

use super::image::Image;
use super::*;
use crate::checksum::crc32_hex;

fn board(name: &str) -> &'static Board {
    Board::named(name).unwrap()
}

#[test]
fn a_file_is_a_firmware_or_a_model_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let open = |bytes: &[u8], name| {
        std::fs::write(&path, bytes).unwrap();
        Image::open(&path, board(name)).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(open(b"\x7fELF...", "pico2"), Ok(Image::Firmware));
    let model = random_file(1, Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 }, "2");
    let expected = Image::Model { slot: board("pico2").slot, bytes: model.len(), crc32: crc32_hex(&model) };
    assert_eq!(open(&model, "pico2"), Ok(expected));
    for stranger in [&b""[..], b"text,label\n", &model[..model.len() - 1]] {
        let error = open(stranger, "pico2").unwrap_err();
        assert!(error.contains("expected a firmware (an ELF file) or a device file"), "{error}");
    }
    let error = open(&[&model[..], b"more"].concat(), "pico2").unwrap_err();
    assert!(error.contains("4 bytes") || error.contains("ends after"), "{error}");
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let signed = crate::package::sign(&model, 3, &key);
    let expected = Image::Model { slot: board("pico2").slot, bytes: model.len(), crc32: crc32_hex(&model) };
    assert_eq!(open(&signed, "pico2"), Ok(expected));
    let sizes = Sizes { embedding_dim: 128, hidden_size: 256, classes: 3 };
    let error = open(&random_file(1, sizes, "2"), "netduinoplus2").unwrap_err();
    assert!(error.contains("the model slot of netduinoplus2 has 262144"), "{error}");
}

#[test]
fn a_board_that_exists_only_in_the_emulator_is_not_flashed() {
    let args = Args { file: "m".into(), board: "mps2-an386".to_owned(), qemu: false, firmware: None, probe: None };
    let error = run(&args).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Failure::Usage(_))), "{error:?}");
    assert_eq!(error.to_string(), "mps2-an386 exists only in the emulator; add --qemu");
}
