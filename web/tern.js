// The runtime in WebAssembly: a thin layer over the functions of tern.h.
"use strict";

/** A device file and one session on it. */
class Tern {
  /**
   * Loads a device file. A signature may follow it.
   * @param {WebAssembly.Module} module the library
   * @param {Uint8Array} file the bytes of the device file
   * @throws {Error} with the reason why the file is refused
   */
  constructor(module, file) {
    const { exports } = new WebAssembly.Instance(module);
    this.call = exports;
    this.end = exports.__heap_base.value;
    this.state = this.reserve(exports.tern_state_size());
    this.text = this.reserve(Tern.BUFFER_BYTES);
    const place = this.reserve(file.length);
    this.bytes().set(file, place);
    this.fileBytes = Math.min(exports.tern_file_len(place, file.length) || file.length, file.length);
    this.check(exports.tern_load(this.state, place, this.fileBytes));
    this.scratchWords = exports.tern_scratch_words(this.state);
    this.scratch = this.reserve(4 * this.scratchWords);
    const counts = this.reserve(8);
    const status = exports.tern_self_test(this.state, this.scratch, this.scratchWords, counts, counts + 4);
    const [passed, total] = new Uint32Array(exports.memory.buffer, counts, 2);
    this.selfTest = { passed, total, isExact: status === 0 };
    this.check(exports.tern_start(this.state, this.scratch, this.scratchWords));
    this.name = this.string((buffer, size) => exports.tern_model_name(this.state, buffer, size));
    this.channels = exports.tern_channel_count(this.state);
    this.macsPerToken = exports.tern_macs_per_token(this.state);
    const classes = Array.from({ length: exports.tern_class_count(this.state) }, (_, index) => index);
    this.labels = classes.map((index) =>
      this.string((buffer, size) => exports.tern_label(this.state, index, buffer, size)));
  }

  /** Reserves bytes of memory at a multiple of 8, which no one ever frees: each model has an instance of its own. */
  reserve(bytes) {
    const start = Math.ceil(this.end / 8) * 8;
    this.end = start + bytes;
    const missing = this.end - this.call.memory.buffer.byteLength;
    if (missing > 0) {
      this.call.memory.grow(Math.ceil(missing / 65536));
    }
    return start;
  }

  bytes() {
    return new Uint8Array(this.call.memory.buffer);
  }

  /** Throws the name of a status that is not 0. */
  check(status) {
    if (status !== 0) {
      const start = this.call.tern_status_name(status);
      const bytes = this.bytes();
      throw new Error(new TextDecoder().decode(bytes.slice(start, bytes.indexOf(0, start))));
    }
  }

  /** The text that a function copies into a buffer; it returns its length. */
  string(copy) {
    const length = Math.min(copy(this.text, Tern.BUFFER_BYTES), Tern.BUFFER_BYTES - 1);
    return new TextDecoder().decode(this.bytes().slice(this.text, this.text + length));
  }

  /**
   * Reads a whole text.
   * @returns {{answer: number, logits: number[], probabilities: number[], tokens: {text: string, isKnown: boolean}[]}}
   *   `answer` is the index of the label, or −1 if the model refuses to answer
   */
  classify(text) {
    const { call, state } = this;
    this.check(call.tern_reset(state));
    const bytes = new TextEncoder().encode(text);
    const tokens = [];
    let [begin, count, unknown] = [0, 0, 0];
    // A token is complete when the byte after it is read.
    const notice = (end) => {
      const found = call.tern_tokens(state);
      if (found > count) {
        const shown = new TextDecoder().decode(bytes.slice(begin, end)).trim();
        const allUnknown = call.tern_unknown_tokens(state);
        tokens.push({ text: shown, isKnown: allUnknown === unknown });
        [begin, count, unknown] = [end, found, allUnknown];
      }
    };
    bytes.forEach((byte, index) => {
      this.bytes()[this.text] = byte;
      this.check(call.tern_feed(state, this.text, 1));
      notice(index);
    });
    this.check(call.tern_finish(state));
    notice(bytes.length);
    return { ...this.result(), tokens };
  }

  /** Reads time steps of a sequence of numbers: an array of one number for each channel. */
  classifyValues(steps) {
    const { call, state } = this;
    this.check(call.tern_reset(state));
    for (const step of steps) {
      const integers = step.map((value, channel) =>
        Number.isFinite(value) ? call.tern_encode(state, channel, Math.round(value * 10000), 10000) : -(2 ** 31));
      new Int32Array(call.memory.buffer, this.text, integers.length).set(integers);
      this.check(call.tern_feed_values(state, this.text, integers.length));
    }
    return { ...this.result(), tokens: [] };
  }

  /** The result of what was read so far. */
  result() {
    const { call, state, labels } = this;
    const start = this.text;
    const count = call.tern_logits(state, start, Math.min(labels.length, Tern.BUFFER_BYTES / 4));
    const logits = Array.from(new Int32Array(call.memory.buffer, start, count));
    const largest = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp((logit - largest) / 65536));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return {
      answer: call.tern_answer(state),
      logits,
      probabilities: weights.map((weight) => weight / sum),
      tokenCount: call.tern_tokens(state),
      unknownCount: call.tern_unknown_tokens(state),
    };
  }
}

/** The bytes of the buffer for texts, labels and logits. */
Tern.BUFFER_BYTES = 16384;
