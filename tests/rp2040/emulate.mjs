// Runs a firmware for the RP2040 in the emulator rp2040js, with its UART0 at a TCP port.
//
//     node emulate.mjs PACKAGES PORT FILE@ADDRESS …
//
// PACKAGES: the folder in which npm has installed rp2040js. The files are put into the flash: the firmware as an image that begins
// with the 256 bytes of the second boot stage, and a device file at the first model slot. The chip starts once the port is connected.
// The package has no boot ROM, so the program starts from the vector table behind the boot stage.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const [packages, port, ...files] = process.argv.slice(2);
const { ConsoleLogger, LogLevel, Simulator } = createRequire(`${packages}/package.json`)("rp2040js");

const FLASH = 0x1000_0000;
const VECTORS = FLASH + 0x100;
const CYCLE_NS = 1e9 / 125e6;
/** The time of a byte at 115,200 baud. */
const BYTE_NS = 1e10 / 115_200;

/** The most time that passes on the chip while it sleeps for a millisecond of the host's time. */
const IDLE_NS = 1e6;

const simulator = new Simulator();
const { rp2040: chip, clock } = simulator;
const { core } = chip;
// Without it, every access to a register that the emulator does not know is reported.
chip.logger = new ConsoleLogger(LogLevel.Error);
for (const file of files) {
    const [path, address] = file.split("@");
    chip.flash.set(readFileSync(path), Number(address) - FLASH);
}
core.VTOR = VECTORS;
core.SP = chip.flashView.getUint32(VECTORS - FLASH, true);
core.PC = chip.flashView.getUint32(VECTORS - FLASH + 4, true) & ~1;

/** Bytes for the chip, and the time at which the next one arrives. */
const received = [];
let arrival = 0;

function run() {
    for (let step = 0; step < 20_000; step++) {
        if (received.length > 0 && clock.nanos >= arrival && !chip.uart[0].rxFIFO.full) {
            chip.uart[0].feedByte(received.shift());
            arrival = clock.nanos + BYTE_NS;
        }
        if (!core.waiting) {
            clock.tick(core.executeInstruction() * CYCLE_NS);
        } else if (received.length > 0) {
            clock.tick(BYTE_NS / 16);
        } else {
            // Nothing happens until the timer wakes the processor or a byte arrives. The time of the chip must not run ahead of
            // that of the host, whose next byte may be seconds away: the watchdog would bite.
            clock.tick(Math.min(clock.nanosToNextAlarm, IDLE_NS));
            setTimeout(run, 1);
            return;
        }
    }
    setImmediate(run);
}

createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("data", (bytes) => received.push(...bytes));
    socket.on("close", () => process.exit());
    socket.on("error", () => process.exit());
    chip.uart[0].onByte = (byte) => socket.write(Uint8Array.of(byte));
    run();
}).listen(Number(port), "127.0.0.1");
