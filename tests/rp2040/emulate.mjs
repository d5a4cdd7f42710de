// Runs a firmware for the RP2040 in the emulator rp2040js, with its UART0 or its USB serial port at a TCP port.
//
//     node emulate.mjs PACKAGES uart|usb PORT FILE@ADDRESS …
//
// PACKAGES: the folder in which npm has installed rp2040js, which also has the host's side of USB. The files are put into the flash: the firmware as an image that begins
// with the 256 bytes of the second boot stage, and a device file at the first model slot. The chip starts once the port is connected.
// The package has no boot ROM, so the program starts from the vector table behind the boot stage.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const [packages, connection, port, ...files] = process.argv.slice(2);
const { ConsoleLogger, LogLevel, Simulator, USBCDC } = createRequire(`${packages}/package.json`)("rp2040js");

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

/** Bytes for the chip, and the time at which the next one arrives at the UART. */
const received = [];
let arrival = 0;

const usb = chip.usbCtrl;
/** The length of the packet that the chip's serial port at USB has room for, 0 if it has none. */
let room = 0;

/** The bit of an endpoint's buffer that the chip sets and the controller clears when a packet has arrived. */
const AVAILABLE = 1 << 10;
const FIRST_OUT_BUFFER = 0x84;

function setAvailable(endpoint, isAvailable) {
    const address = FIRST_OUT_BUFFER + 8 * endpoint;
    const control = chip.usbDPRAMView.getUint32(address, true);
    chip.usbDPRAMView.setUint32(address, isAvailable ? control | AVAILABLE : control & ~AVAILABLE, true);
}

/**
 * Returns the host's side of the serial port at USB, which sends a packet only if it has bytes. The emulator clears the bit AVAILABLE
 * at once, the chip when the packet has arrived, which embassy's driver waits for.
 */
function usbHost() {
    const host = new USBCDC(usb);
    const readOther = usb.onEndpointRead;
    usb.onEndpointRead = (endpoint, size) => {
        if (endpoint === host.outEndpoint) {
            setAvailable(endpoint, true);
            room = size;
        } else {
            readOther(endpoint, size);
        }
    };
    return host;
}
const host = connection === "usb" ? usbHost() : undefined;

/** Passes bytes to the chip, if the time has come and there is room. */
function feed() {
    if (host !== undefined) {
        if (room > 0) {
            setAvailable(host.outEndpoint, false);
            usb.finishRead(host.outEndpoint, Uint8Array.from(received.splice(0, room)));
            room = 0;
        }
    } else if (clock.nanos >= arrival && !chip.uart[0].rxFIFO.full) {
        chip.uart[0].feedByte(received.shift());
        arrival = clock.nanos + BYTE_NS;
    }
}

function run() {
    for (let step = 0; step < 20_000; step++) {
        if (received.length > 0) {
            feed();
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
    if (host !== undefined) {
        host.onSerialData = (bytes) => socket.write(bytes);
    } else {
        chip.uart[0].onByte = (byte) => socket.write(Uint8Array.of(byte));
    }
    run();
}).listen(Number(port), "127.0.0.1");
