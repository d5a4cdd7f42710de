#!/usr/bin/env python3
"""A second implementation of Tern's inference, written from docs/arithmetic.md and docs/format.md alone.

Integers only, no package beyond Python's own library, and nothing done for speed: it is there to be compared with.

    tern_reference.py MODEL [--hex] < TEXTS     one text a line (with --hex: its bytes in hexadecimal); prints for each
                                                {"tokens":…,"unknown":…,"logits":[…],"trace":…,"state":…}
    tern_reference.py --check-bounds < FILES    one device file's path a line; prints for each {"refused":[…]}, the
                                                conditions that fail
    tern_reference.py --check-tables            the text tables against this Python's own Unicode database

`trace` and `state` are FNV-1a hashes of little-endian integers: of the token's id (u32) and all logits (i32) after every
token, and of `h` (i16) and `c` (i32) after the last. What the pages leave to committed tables is read from them as data: the
activations, \\w and the lower case.
"""

import functools
import json
import operator
import struct
import sys
import unicodedata

from tern_text import LOWER, WHITE_SPACE, WORDS, ids_of, table

I16, I32 = (-(2**15), 2**15 - 1), (-(2**31), 2**31 - 1)


class Refused(Exception):
    """A file that the pages do not allow."""


def inside(value, limits):
    """The value, which the pages promise to fit its type."""
    assert limits[0] <= value <= limits[1], f"{value} is beyond {limits}"
    return value


# --- format.md: The device file, Header, Tensors ---------------------------------------------------------------------------

METADATA = {
    "tern.version": "1", "tern.task": "classify", "tern.cell": "lstm",
    "tern.layers": "1", "tern.directions": "1", "tern.pooling": "last", "tern.output": "softmax",
}
TEXT = ("tern.tokenizer", "tern.vocabulary")
PACKING = "tern.packing"
SHIFTS = ("tern.shift.lstm_l0", "tern.shift.fc")
TOKENIZERS = {
    "bytes", "whitespace", "whitespace_cased", "words", "words_cased", "html_words", "html_words_cased", "chars", "chars_cased",
    "wordpiece", "wordpiece_cased",
}
DTYPES = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "U32": "I", "F32": "f"}
# Type and shape. A letter is a dimension of the model; "name", "labels" … stand for lengths that nothing else says.
TENSORS = {
    "name": ("U8", ["name"]),
    "labels.offsets": ("U32", ["C+1"]),
    "labels.bytes": ("U8", ["labels"]),
    "vocab.offsets": ("U32", ["V-1"]),
    "vocab.bytes": ("U8", ["vocab"]),
    "embedding.weight": ("I8", ["V", "E"]),
    "embedding.multiplier": ("I16", ["V"]),
    "embedding.scale": ("F32", [1]),
    "lstm.weight_ih_l0": ("I8", ["H", "E", 4]),
    "lstm.weight_hh_l0": ("I8", ["H", "H", 4]),
    "lstm.bias_l0": ("I32", ["H", 4]),
    "lstm.multiplier_ih_l0": ("I16", ["H", 4]),
    "lstm.multiplier_hh_l0": ("I16", ["H", 4]),
    "lstm.units_l0": ("I32", ["H", "words"]),
    "fc.weight": ("I8", ["C", "H"]),
    "fc.bias": ("I32", ["C"]),
    "fc.multiplier": ("I16", ["C"]),
    "golden.offsets": ("U32", ["G+1"]),
    "golden.bytes": ("U8", ["golden"]),
    "golden.logits": ("I32", ["G", "C"]),
    "calibration": ("I32", [4]),
}
PACKINGS = {
    "interleaved4": {name for name in TENSORS if name.startswith("lstm.") and name != "lstm.units_l0"},
    "paired16": {"lstm.units_l0"},
}


def rows(flat, columns):
    """A flat tensor as rows."""
    return [flat[at : at + columns] for at in range(0, len(flat), columns)]


class Model:
    """A device file, as the pages name its parts."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.read(data)
        tensor, E, H = self.tensors, self.sizes["E"], self.sizes["H"]
        self.shift, self.head_shift = (int(self.metadata[key]) for key in SHIFTS)
        self.embedding, self.embedding_m = rows(tensor["embedding.weight"], E), tensor["embedding.multiplier"]
        self.unpack[self.metadata[PACKING]](self)
        self.fc, self.fc_bias, self.fc_m = rows(tensor["fc.weight"], H), tensor["fc.bias"], tensor["fc.multiplier"]
        tokens = [bytes([byte]) for byte in range(256)] if self.tokenizer == "bytes" else self.texts("vocab")
        if tokens != sorted(set(tokens) - {b""}) or self.sizes["V"] != len(tokens) + 2:
            raise Refused("vocabulary")
        self.vocabulary = {token: 2 + at for at, token in enumerate(tokens)}
        self.name, self.labels, self.golden = utf8(bytes(tensor["name"])), self.texts("labels"), self.texts("golden")

    def interleaved4(self):
        """[unit, column, gate]; here [unit][gate] is a row."""
        tensor, E, H = self.tensors, self.sizes["E"], self.sizes["H"]
        self.ih = [[unit[gate::4] for gate in range(4)] for unit in rows(tensor["lstm.weight_ih_l0"], 4 * E)]
        self.hh = [[unit[gate::4] for gate in range(4)] for unit in rows(tensor["lstm.weight_hh_l0"], 4 * H)]
        self.bias = rows(tensor["lstm.bias_l0"], 4)
        self.mx, self.mh = rows(tensor["lstm.multiplier_ih_l0"], 4), rows(tensor["lstm.multiplier_hh_l0"], 4)

    def paired16(self):
        """A record a unit."""
        E, H = self.sizes["E"], self.sizes["H"]
        if E % 4 or H % 4 or self.sizes["words"] != H + 10 + E:
            raise Refused("lstm.units_l0")
        self.ih, self.hh, self.bias, self.mx, self.mh = [], [], [], [], []
        for record in rows(self.tensors["lstm.units_l0"], H + 10 + E):
            self.hh.append(unpaired(record[:H]))
            self.mh.append(halves(record[H]) + halves(record[H + 1]))
            self.mx.append(halves(record[H + 2]) + halves(record[H + 3]))
            bias = []
            for low, high, second in (record[H + 4 : H + 7], record[H + 7 : H + 10]):
                both = (high << 32) + (low & 0xFFFFFFFF)
                bias += [(both - second) >> 8, second]
                if both != 256 * bias[-2] + second or not I32[0] <= bias[-2] <= I32[1]:
                    raise Refused("lstm.units_l0")
            self.bias.append(bias)
            self.ih.append(unpaired(record[H + 10 :]))

    unpack = {"interleaved4": interleaved4, "paired16": paired16}

    def read(self, data):
        """Header and tensors."""
        (n,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + n].decode("utf-8"))
        self.metadata = header.pop("__metadata__")
        if {key: value for key, value in self.metadata.items() if key not in (*SHIFTS, *TEXT, PACKING)} != METADATA:
            raise Refused("metadata")
        self.tokenizer, vocabulary = (self.metadata.get(key) for key in TEXT)
        if self.tokenizer not in TOKENIZERS or vocabulary != ("bytes" if self.tokenizer == "bytes" else "sorted"):
            raise Refused("tokenizer")
        if any(self.metadata.get(key) not in [str(shift) for shift in range(9)] for key in SHIFTS):
            raise Refused("shift")
        if self.metadata.get(PACKING) not in PACKINGS:
            raise Refused("packing")
        others = set().union(*PACKINGS.values()) - PACKINGS[self.metadata[PACKING]]
        if self.tokenizer == "bytes":
            others = others | {"vocab.offsets", "vocab.bytes"}
        expected = TENSORS.keys() - others
        if header.keys() != expected:
            raise Refused("tensors: " + ", ".join(sorted(header.keys() ^ expected)))
        self.tensors, self.sizes, spans = {}, {}, []
        for name, (dtype, shape) in TENSORS.items():
            if name in others:
                continue
            entry = header[name]
            begin, end = entry["data_offsets"]
            spans.append((begin, end))
            self.match_shape(name, shape, entry["shape"])
            count = functools.reduce(operator.mul, entry["shape"])
            if entry["dtype"] != dtype or end - begin != count * struct.calcsize("=" + DTYPES[dtype]):
                raise Refused(name)
            # Tensors lie back to back behind the header; the offsets count from there.
            self.tensors[name] = struct.unpack_from(f"<{count}{DTYPES[dtype]}", data, 8 + n + begin)
        spans.sort()
        ends = [0] + [end for _, end in spans]
        if [begin for begin, _ in spans] != ends[:-1] or 8 + n + ends[-1] != len(data):  # Length
            raise Refused("length")
        if self.sizes["V"] < 3 or self.sizes["name"] > 64:
            raise Refused("sizes")

    def match_shape(self, name, shape, found):
        """One tensor's shape against the table, learning the letters as they come."""
        if len(shape) != len(found):
            raise Refused(name)
        for dimension, size in zip(shape, found):
            if isinstance(dimension, str):
                letter, plus = (dimension[0], int(dimension[1:])) if dimension[1:2] in ("+", "-") else (dimension, 0)
                dimension = self.sizes.setdefault(letter, size - plus) + plus
            if dimension != size or size < 1:
                raise Refused(name)

    def texts(self, name):
        """The texts of a pair of `offsets` and `bytes`."""
        offsets, content = self.tensors[f"{name}.offsets"], bytes(self.tensors[f"{name}.bytes"])
        if offsets[0] != 0 or list(offsets) != sorted(offsets) or offsets[-1] != len(content):
            raise Refused(f"{name}.offsets")
        return [utf8(content[begin:end]) for begin, end in zip(offsets, offsets[1:])]


def halves(word):
    """A word's two 16-bit numbers, the lower one first."""
    return [low16(word), word >> 16]


def unpaired(words):
    """The four rows of one half of a unit in `paired16`."""
    pairs = [[half for word in words[at::2] for half in halves(word)] for at in range(2)]
    return [row for pair in pairs for row in ([(v + 128) >> 8 for v in pair], [((v + 128) & 0xFF) - 128 for v in pair])]


def utf8(text):
    try:
        return text.decode("utf-8").encode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


# --- arithmetic.md: Two roundings, Activations -----------------------------------------------------------------------------

SIGMOID, TANH = table("tables", "sigmoid.in"), table("tables", "tanh.in")


def requantize(acc, m):
    return (inside(acc, I32) * m) >> 16


def round_shift(v, n):
    return (v + 2 ** (n - 1)) >> n


def saturating_double(v):
    return max(I32[0], min(I32[1], 2 * inside(v, I32)))


def low16(v):
    return (v & 0xFFFF) - ((v & 0x8000) << 1)


def activation(cells, z):
    cell = max(-128, min(127, inside(z, I32) >> 15))
    e = cells[cell + 128]
    r = inside(e + low16(e) * low16(z), I32)
    return r >> 16


# --- arithmetic.md: Embedding, LSTM step, Head -----------------------------------------------------------------------------


def embed(model, token):
    """Embedding: `x` in Q15."""
    m = model.embedding_m[token]
    return [inside((w * m) >> 7, I16) for w in model.embedding[token]]


def dot(row, v):
    return sum(map(operator.mul, row, v))


def half(weights, v, bias, multipliers):
    """One half, input or recurrent, of a unit's four rows; rows 0 and 2 are the first of a pair, 1 and 3 the second."""
    acc = [dot(row, v) + b for row, b in zip(weights, bias)]
    acc[0] += acc[1] >> 8
    acc[2] += acc[3] >> 8
    return [requantize(a, m) for a, m in zip(acc, multipliers)]


class State:
    """The state of one text."""

    def __init__(self, model):
        self.model = model
        self.h = [0] * model.sizes["H"]
        self.c = [0] * model.sizes["H"]

    def step(self, x):
        """LSTM step."""
        model, h = self.model, []
        for u in range(model.sizes["H"]):
            zx = half(model.ih[u], x, model.bias[u], model.mx[u])
            zh = half(model.hh[u], self.h, [0] * 4, model.mh[u])
            zi, zf, zg, zo = ((a + b) << model.shift for a, b in zip(zx, zh))
            i, f, o = (activation(SIGMOID, z) for z in (zi, zf, zo))
            g = activation(TANH, zg)
            t = round_shift(i * g, 11)
            self.c[u] = saturating_double(((self.c[u] * f) >> 16) + t)
            h.append(inside(round_shift(o * activation(TANH, self.c[u]), 15), I16))
        self.h = h  # all units read the old h

    def logits(self):
        """Head."""
        acc = [dot(row, self.h) + b for row, b in zip(self.model.fc, self.model.fc_bias)]
        return [inside(requantize(a, m) << self.model.head_shift, I32) for a, m in zip(acc, self.model.fc_m)]

    def hash(self):
        """Both halves of the state, as `state` is described above."""
        return f"{fnv1a(struct.pack(f'<{len(self.h)}h{len(self.c)}i', *self.h, *self.c)):016x}"


def fnv1a(content, start=0xCBF29CE484222325):
    """FNV-1a, 64 bits."""
    for byte in content:
        start = (start ^ byte) * 0x100000001B3 % 2**64
    return start


def run(model, text):
    """What the model says of one text."""
    state, logits = State(model), None
    ids = ids_of(model.tokenizer, model.vocabulary, text)
    trace = fnv1a(b"")
    for token in ids:
        state.step(embed(model, token))
        logits = state.logits()
        trace = fnv1a(struct.pack(f"<I{len(logits)}i", token, *logits), trace)
    answer = {"tokens": len(ids), "unknown": ids.count(1), "logits": logits or state.logits()}
    return {**answer, "trace": f"{trace:016x}", "state": state.hash()}


# --- arithmetic.md: The formats, No accumulator overflows ------------------------------------------------------------------


def bound(weights, bias=0):
    return 2**15 * sum(abs(w) for w in weights) + abs(bias)


def check_bounds(model):
    """The conditions of the page that fail, each named by its number."""
    failed = set()

    def check(condition, value):
        if value >= 2**31:
            failed.add(condition)

    for u in range(model.sizes["H"]):
        bounds = []
        for weights, bias in ((model.ih[u], model.bias[u]), (model.hh[u], [0] * 4)):
            b = [bound(row, bias) for row, bias in zip(weights, bias)]
            for value in b:
                check("1", value)
            for first in (0, 2):
                b[first] += (b[first + 1] >> 8) + 1
                check("2", b[first])
            bounds.append(b)
        for bx, mx, bh, mh in zip(bounds[0], model.mx[u], bounds[1], model.mh[u]):
            check("3", ((bx * mx >> 16) + (bh * mh >> 16) + 2) << model.shift)
    for row, bias, m in zip(model.fc, model.fc_bias, model.fc_m):
        check("1", bound(row, bias))
        check("4", ((bound(row, bias) * m >> 16) + 1) << model.head_shift)
    for name, values in model.tensors.items():
        if name == "lstm.units_l0":
            weights = [w for half in model.ih + model.hh for row in half for w in row]
            if max(map(abs, weights)) > 127 or min(m for half in model.mx + model.mh for m in half) < 0:
                failed.add(name)
        elif min(values) < (-127 if TENSORS[name][0] == "I8" else 0 if "multiplier" in name else I32[0]):
            failed.add(name)
    return sorted(failed)


def check_file(path):
    try:
        return check_bounds(Model(path))
    except Refused as error:
        return [str(error)]


# --- The committed text tables against Python's Unicode database -----------------------------------------------------------


ENCLOSED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))


def check_tables():
    """Characters that the tables and this Python see differently, of those that this Python knows."""
    marks = ("Mn", "Mc", "Me", "Nd", "Nl", "Pc")
    differ = {"word": [], "lower": [], "space": []}
    for code in range(0x110000):
        character, category = chr(code), unicodedata.category(chr(code))
        if category in ("Cn", "Cs"):
            continue
        # Alphabetic is L*, Nl, and some that Python does not tell: mostly marks, and the enclosed Latin letters (So).
        others = code in (0x200C, 0x200D) or any(first <= code <= last for first, last in ENCLOSED)
        word = category[0] == "L" or category in marks or others
        if word != (code in WORDS):
            differ["word"].append(code)
        if character.lower() != LOWER.get(code, character):
            differ["lower"].append(code)
        # Python's isspace also has the four separators U+001C to U+001F, which are not White_Space.
        if (character.isspace() and not 0x1C <= code <= 0x1F) != (code in WHITE_SPACE):
            differ["space"].append(code)
    return {"unicode": unicodedata.unidata_version, **differ}


def main(arguments):
    def answer(value):
        print(json.dumps(value, separators=(",", ":")))

    if arguments == ["--check-tables"]:
        answer(check_tables())
    elif arguments == ["--check-bounds"]:
        for path in sys.stdin:
            answer({"refused": check_file(path.rstrip("\n"))})
    elif len(arguments) == 1 or arguments[1:] == ["--hex"]:
        model = Model(arguments[0])
        for line in sys.stdin.buffer:
            answer(run(model, bytes.fromhex(line.decode("ascii")) if arguments[1:] else line.rstrip(b"\n")))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
