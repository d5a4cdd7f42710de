// A board on a serial port: the console's machine mode, and YMODEM for models. docs/console.md specifies both.
"use strict";

const [SOH, STX, ETX, EOT, ACK, DLE, NAK, CAN] = [0x01, 0x02, 0x03, 0x04, 0x06, 0x10, 0x15, 0x18];
const CRC = "C".charCodeAt(0);
const BAUD_RATE = 115200;
/** Milliseconds that the board may take to answer a request, to begin a transfer and to restart. */
const ANSWER_MS = 35000;
const BLOCK_MS = 15000;
const RESTART_MS = 60000;
/** Attempts to send a block. */
const ATTEMPTS = 10;
/** The longest text that is sent as a line. */
const LINE_BYTES = 200;

/** The CRC-32 of zlib, as 8 hexadecimal digits. */
function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
    }
  }
  return ((sum ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

/** The CRC-16 of YMODEM. */
function crc16(bytes) {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      sum = sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1;
    }
  }
  return sum & 0xffff;
}

/** A block of YMODEM: 128 or 1,024 bytes, filled up with `filler`. */
function block(number, bytes, filler) {
  const size = bytes.length <= 128 ? 128 : 1024;
  const data = new Uint8Array(size).fill(filler);
  data.set(bytes);
  const sum = crc16(data);
  return Uint8Array.of(size === 128 ? SOH : STX, number & 255, ~number & 255, ...data, sum >> 8, sum & 255);
}

/** A board in machine mode. */
class Board {
  /** Opens a port of the Web Serial interface and enters machine mode. */
  static async connect(port) {
    await port.open({ baudRate: BAUD_RATE });
    const board = new Board(port);
    await board.enter(ANSWER_MS);
    return board;
  }

  constructor(port) {
    this.writer = port.writable.getWriter();
    /** Bytes that were received and not read yet. */
    this.received = [];
    this.arrived = () => {};
    this.closed = null;
    this.receive(port.readable.getReader());
  }

  async receive(reader) {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          throw new Error("the port was closed");
        }
        this.received.push(...value);
        this.arrived();
      }
    } catch (error) {
      this.closed = error;
      this.arrived();
    }
  }

  send(bytes) {
    return this.writer.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes));
  }

  /** The next byte; null if none arrives before `deadline`. */
  async byte(deadline) {
    while (this.received.length === 0) {
      const left = deadline - performance.now();
      if (this.closed !== null) {
        throw this.closed;
      }
      if (left <= 0) {
        return null;
      }
      await new Promise((resolve) => {
        this.arrived = resolve;
        setTimeout(resolve, left);
      });
    }
    return this.received.shift();
  }

  /** The next line without its end; null if none arrives before `deadline`. `onByte` may take single bytes. */
  async line(deadline, onByte = () => false) {
    const bytes = [];
    for (;;) {
      const byte = await this.byte(deadline);
      if (byte === null) {
        return null;
      }
      if (bytes.length === 0 && onByte(byte)) {
        continue;
      }
      if (byte === 10) {
        return Uint8Array.from(bytes.at(-1) === 13 ? bytes.slice(0, -1) : bytes);
      }
      bytes.push(byte);
    }
  }

  /** Enters machine mode from any state of the console. */
  async enter(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      await this.send([ETX, ETX]);
      await this.send("@mode machine\n");
      const answer = await this.frame(Math.min(end, performance.now() + 3000), (frame) => frame.json.mode === "machine");
      if (answer !== null) {
        this.info = (await this.request("info")).json;
        return;
      }
    }
    throw new Error("no console of Tern answers on this port");
  }

  /** The next valid frame that `isExpected`; null if none arrives before `deadline`. */
  async frame(deadline, isExpected, onByte) {
    for (;;) {
      const line = await this.line(deadline, onByte);
      if (line === null) {
        return null;
      }
      const text = new TextDecoder().decode(line);
      const parts = /^(\d+) (\{.*\}) ([0-9a-f]{8}) ([0-9a-f]{8})$/.exec(text);
      if (parts === null || crc32(line.slice(0, -9)) !== parts[4]) {
        continue;
      }
      const frame = { json: JSON.parse(parts[2]), request: parts[3] };
      if (isExpected(frame)) {
        return frame;
      }
    }
  }

  /** Sends a line and returns the frame that answers it. Throws the board's error. */
  async request(line, milliseconds = ANSWER_MS) {
    const bytes = new TextEncoder().encode(line);
    await this.send(`${line}\n`);
    return this.answerTo(bytes, milliseconds);
  }

  async answerTo(bytes, milliseconds, onByte) {
    const sum = crc32(bytes);
    const answer = await this.frame(performance.now() + milliseconds, (frame) => frame.request === sum, onByte);
    if (answer === null) {
      throw new Error(`the board did not answer within ${milliseconds / 1000} s`);
    }
    if (answer.json.error) {
      throw new Error(answer.json.message);
    }
    return answer;
  }

  /** The board's answer for a text: label, logits, ticks. A long text is streamed. */
  async classify(text) {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length <= LINE_BYTES && !/[\x00-\x1f]/.test(text)) {
      return (await this.request(`classify ${text}`)).json;
    }
    const { json: { window, credit } } = await this.request("stream");
    const isControl = (byte) => [ETX, EOT, DLE, CAN].includes(byte);
    const escaped = [...bytes].flatMap((byte) => (isControl(byte) ? [DLE, byte ^ 0x40] : [byte])).concat(EOT);
    // The board acknowledges each `credit` bytes; at most `window` may be on their way.
    let [sent, acknowledged] = [0, 0];
    while (sent < escaped.length) {
      const room = window - (sent - credit * acknowledged);
      if (room > 0) {
        await this.send(escaped.slice(sent, sent + room));
        sent += Math.min(room, escaped.length - sent);
      } else if ((await this.byte(performance.now() + ANSWER_MS)) === ACK) {
        acknowledged += 1;
      } else {
        throw new Error("the board stopped reading");
      }
    }
    const answer = await this.answerTo(bytes, ANSWER_MS, (byte) => byte === ACK);
    await this.send([ETX]);
    await this.frame(performance.now() + ANSWER_MS, (frame) => frame.json.stream === false, (byte) => byte === ACK);
    return answer.json;
  }

  /** Loads a device file into the spare slot and activates it; the board restarts. `onProgress` gets a share. */
  async push(file, name, onProgress) {
    await this.send("load\n");
    await this.until((byte) => byte === CRC, "begin the transfer");
    const header = new TextEncoder().encode(`${name}\0${file.length}\0`);
    await this.deliver(block(0, header, 0));
    await this.until((byte) => byte === CRC, "ask for the file");
    for (let start = 0, number = 1; start < file.length; start += 1024, number++) {
      await this.deliver(block(number, file.subarray(start, start + 1024), 0x1a));
      onProgress(start / file.length);
    }
    await this.deliver(Uint8Array.of(EOT));
    await this.until((byte) => byte === CRC, "end the transfer");
    await this.deliver(block(0, new Uint8Array(0), 0));
    await this.answerTo(new TextEncoder().encode("load"), ANSWER_MS);
    await this.request("activate", RESTART_MS);
    await this.send("reset\n");
    await this.enter(RESTART_MS);
  }

  async until(isExpected, action) {
    const deadline = performance.now() + ANSWER_MS;
    for (;;) {
      const byte = await this.byte(deadline);
      if (byte === null) {
        throw new Error(`the board did not ${action}`);
      }
      if (isExpected(byte)) {
        return;
      }
    }
  }

  /** Sends a block until the board acknowledges it. */
  async deliver(bytes) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.send(bytes);
      const deadline = performance.now() + BLOCK_MS;
      for (let byte = await this.byte(deadline); byte !== null && byte !== NAK; byte = await this.byte(deadline)) {
        if (byte === ACK) {
          return;
        }
        if (byte === CAN) {
          throw new Error("the board cancelled the transfer");
        }
      }
    }
    throw new Error("the board received no block");
  }
}

/** Connects the buttons. `shown` is that of the page. */
function offerBoard() {
  const [status, connect, compare, push] = ["board-status", "connect", "compare", "push"].map(element);
  if (!("serial" in navigator)) {
    status.textContent = "This browser cannot open serial ports; Chrome and Edge on a computer can.";
    connect.disabled = true;
    return;
  }
  let board = null;
  const describe = () => {
    const { board: name, model, model_error: reason } = board.info;
    return `${name}: ${model === null ? reason : `model ${model.name}, ${model.bytes} bytes, crc32 ${model.crc32}`}`;
  };
  /** Runs an action with the buttons disabled, and shows what it returns or why it failed. */
  const during = (text, action) => async () => {
    [connect, compare, push].forEach((button) => (button.disabled = true));
    status.className = "";
    status.textContent = text;
    try {
      status.textContent = await action();
    } catch (error) {
      status.className = "error";
      status.textContent = error.message;
    }
    connect.disabled = board !== null;
    [compare, push].forEach((button) => (button.disabled = board === null));
  };
  connect.addEventListener("click", during("Connecting …", async () => {
    board = await Board.connect(await navigator.serial.requestPort());
    return describe();
  }));
  compare.addEventListener("click", during("The board reads the text …", async () => {
    const found = await board.classify(element("input").value);
    const here = shown.result.logits;
    const isSame = found.logits.length === here.length && found.logits.every((logit, index) => logit === here[index]);
    const file = shown.file.subarray(0, shown.model.fileBytes);
    const isSameModel = board.info.model !== null && board.info.model.crc32 === crc32(file);
    const comparison = isSame ? "every logit equals this page's" : "the logits differ from this page's";
    const models = isSameModel ? "" : " (the board runs another model)";
    return `${board.info.board}: ${found.label ?? "no label"} in ${found.ticks} ticks; ${comparison}${models}.`;
  }));
  push.addEventListener("click", during("Loading …", async () => {
    await board.push(shown.file, `${shown.model.name}.safetensors`, (share) => {
      status.textContent = `Loading … ${Math.round(100 * share)} %`;
    });
    return describe();
  }));
}

offerBoard();
