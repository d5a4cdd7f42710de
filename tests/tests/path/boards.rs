//! Every board that an emulator has; and what a board does when its firmware hangs or breaks.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tern_boards::{BOARDS, Board};
use tern_tests::{argument, emulator, firmware, firmware_of, folder, json, text_of, trained};

/// Rows that each board classifies.
const ROWS: usize = 40;

fn classify(board: &Board, data: &Path) -> Value {
    let elf = firmware_of(board);
    let (file, data, elf) = (argument(&trained().file), argument(data), argument(&elf));
    json(&["classify", file, "--data", data, "--qemu", "--board", board.name, "--firmware", elf, "--json"])
}

#[test]
fn every_emulated_board_gives_the_hosts_bits() {
    let data = folder("boards").join("rows.csv");
    let rows = fs::read_to_string(&trained().validation).unwrap();
    fs::write(&data, rows.lines().take(1 + ROWS).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let mut instructions = Vec::new();
    for board in BOARDS.iter().filter(|board| board.emulator.is_some()) {
        let seen = classify(board, &data);
        assert_eq!((&seen["board"], &seen["examples"]), (&Value::from(board.name), &Value::from(ROWS)), "{seen}");
        assert_eq!((&seen["disagreements"], &seen["refused"]), (&Value::from(0), &Value::from(0)), "{seen}");
        instructions.push((board.name, seen["instructions_per_token"].as_f64().unwrap()));
    }
    let of = |name| instructions.iter().find(|(board, _)| *board == name).unwrap().1;
    // Two boards with the same core, by clocks of 25 MHz and of 1 GHz; their receive interrupts, which count too, differ.
    let ratio = of("netduinoplus2") / of("mps2-an386");
    assert!((0.95..1.05).contains(&ratio), "{instructions:?}");
    // A step has 6,144 multiply-accumulates, and none takes less than half an instruction.
    assert!(instructions.iter().all(|(_, each)| *each > 3_072.0), "{instructions:?}");
}

/// An emulator with a debugger's port.
struct Debugged {
    child: Child,
    gdb: TcpStream,
    console: Receiver<u8>,
    log: PathBuf,
}

impl Drop for Debugged {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Debugged {
    fn start(name: &str) -> Debugged {
        let log = folder(name).join("log.bin");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = emulator();
        command.args(["-icount", "shift=6", "-gdb", &format!("tcp:127.0.0.1:{port}"), "-serial", "stdio"]);
        command.args(["-serial", &format!("file:{}", argument(&log)), "-kernel", argument(firmware())]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("qemu-system-arm starts");
        let (sender, console) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            BufReader::new(stdout).bytes().map_while(Result::ok).all(|byte| sender.send(byte).is_ok())
        });
        let patience = Instant::now() + Duration::from_secs(20);
        let gdb = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(gdb) => break gdb,
                Err(error) if Instant::now() > patience => panic!("no debugger's port: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        let mut debugged = Debugged { child, gdb, console, log };
        // The connection has stopped it.
        debugged.tell("c");
        debugged
    }

    /// What the console says up to and with `end`.
    fn read_to(&self, end: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            match self.console.recv_timeout(Duration::from_secs(60)) {
                Ok(byte) => seen.push(byte),
                Err(_) => panic!("no `{end}` comes after {:?}", String::from_utf8_lossy(&seen)),
            }
        }
        String::from_utf8(seen).unwrap()
    }

    /// Sends a packet of gdb's remote protocol.
    fn tell(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.gdb, "${packet}#{sum:02x}").unwrap();
    }

    /// The answer to a packet.
    fn ask(&mut self, packet: &str) -> String {
        self.tell(packet);
        loop {
            let answer = self.receive();
            // It also says when it has stopped.
            if !answer.starts_with('T') {
                return answer;
            }
        }
    }

    fn receive(&mut self) -> String {
        let mut packet = Vec::new();
        // The end of a packet is `#` and two digits; before its beginning, `+` acknowledges ours.
        while packet.len() < 3 || packet[packet.len() - 3] != b'#' {
            let mut byte = [0];
            self.gdb.read_exact(&mut byte).unwrap();
            packet.extend(byte);
        }
        let start = packet.iter().position(|byte| *byte == b'$').expect("a packet begins") + 1;
        let answer = packet[start..packet.len() - 3].to_vec();
        self.gdb.write_all(b"+").unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Stops the processor and puts `instruction` where it stands.
    fn patch(&mut self, instruction: [u8; 2]) {
        self.gdb.write_all(&[3]).unwrap();
        // The program counter is the sixteenth register; each is eight hexadecimal digits, little-endian.
        let registers = self.ask("g");
        let counter = u32::from_str_radix(&registers[15 * 8..16 * 8], 16).expect("a register").swap_bytes();
        let [a, b] = instruction;
        assert_eq!(self.ask(&format!("M{counter:x},2:{a:02x}{b:02x}")), "OK");
        self.tell("c");
    }

    fn log(&self) -> String {
        let mut print = Command::new("defmt-print");
        print.arg("-e").arg(firmware()).stdin(File::open(&self.log).unwrap());
        text_of(&mut print).1
    }
}

#[test]
fn a_firmware_that_hangs_is_reset_by_the_watchdog_and_says_so() {
    let mut device = Debugged::start("watchdog");
    device.read_to("> ");
    // A branch to itself.
    device.patch([0xfe, 0xe7]);
    device.read_to("> ");
    assert!(device.log().contains("reset: power-on") && device.log().contains("reset: watchdog"), "{}", device.log());
}

#[test]
fn a_firmware_that_breaks_says_why_and_begins_anew() {
    let mut device = Debugged::start("fault");
    device.read_to("> ");
    // An instruction that is none.
    device.patch([0x00, 0xde]);
    let seen = device.read_to("> ");
    assert!(seen.contains("firmware stopped: hard fault at 0x") && seen.contains("tern 0"), "{seen}");
    assert!(device.log().contains("reset: panic"), "{}", device.log());
}
