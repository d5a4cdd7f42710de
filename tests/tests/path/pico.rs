//! The Raspberry Pi Pico: a UF2 file with firmware and model, which another program reads and the emulator rp2040js
//! runs.

use std::fs;

use tern_boards::Board;
use tern_tests::pico::{Connection, Pico};
use tern_tests::{argument, assert_same_logits, firmware_of, folder, json, stdout_of, tern, trained};

#[test]
fn a_pico_classifies_the_validation_split_with_the_hosts_logits_over_uart_and_usb() {
    let (folder, board) = (folder("pico"), Board::named("pico").unwrap());
    let (elf, uf2, flash) = (firmware_of(board), folder.join("pico.uf2"), folder.join("flash.bin"));
    let (model, data) = (argument(&trained().file), argument(&trained().validation));
    let options = ["--board", "pico", "--uf2", argument(&uf2), "--firmware", argument(&elf)];
    let stdout = stdout_of(tern().args(["flash", model]).args(options));
    assert!(stdout.contains("has the firmware and the model for pico in "), "{stdout}");

    let (image, families) = uf2_decode::convert_from_uf2(&fs::read(&uf2).unwrap()).unwrap();
    assert_eq!(families.into_iter().collect::<Vec<_>>(), [(0xe48b_ff56, 0x1000_0000)]);
    let slot = (board.slot.address - 0x1000_0000) as usize;
    assert!(image[slot..].starts_with(&fs::read(model).unwrap()), "the model is in its slot");
    // The second boot stage ends with its checksum, without which the boot ROM does not run it.
    assert_eq!(crc32_of_boot_rom(&image[..252]).to_le_bytes(), image[252..256]);

    fs::write(&flash, image).unwrap();
    for connection in [Connection::Uart, Connection::Usb] {
        let Some(mut pico) = Pico::start(&flash, connection) else { return };
        let address = pico.address();
        let seen = json(&["classify", model, "--data", data, "--tcp", &address, "--timeout", "120", "--json"]);
        assert_same_logits(&seen);
        assert!(seen["board"] == "pico" && seen["examples"].as_u64().unwrap() > 100, "{connection:?}: {seen}");
    }
}

#[test]
fn a_pico_2_has_a_uf2_file_of_its_own_family() {
    let (folder, board) = (folder("pico2"), Board::named("pico2").unwrap());
    let (elf, uf2) = (firmware_of(board), folder.join("pico2.uf2"));
    let options = ["--board", "pico2", "--uf2", argument(&uf2), "--firmware", argument(&elf)];
    stdout_of(tern().arg("flash").args(options));
    let (image, families) = uf2_decode::convert_from_uf2(&fs::read(&uf2).unwrap()).unwrap();
    assert_eq!(families.into_iter().collect::<Vec<_>>(), [(0xe48b_ff59, 0x1000_0000)]);
    // The marks of the block that describes the image, which the boot ROM looks for in the first 4 KB.
    let words: Vec<_> = image[..4096].as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    assert!(words.contains(&0xffff_ded3) && words.contains(&0xab12_3579));
}

/// The CRC-32 that the boot ROM of the RP2040 computes: polynomial 04c11db7, bits not reflected, no final inversion.
fn crc32_of_boot_rom(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2).checksum(bytes)
}
