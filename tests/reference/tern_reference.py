#!/usr/bin/env python3
"""A second implementation of Tern's inference, written from docs/arithmetic.md and docs/format.md alone.

It uses integers only, needs no package beyond Python's standard library, and is not optimised: tests compare the runtime with it.

    tern_reference.py MODEL [--hex] < TEXTS     one text a line (with --hex: its bytes in hexadecimal); prints for each
                                                {"tokens":…,"unknown":…,"logits":[…],"trace":…,"state":…}
    tern_reference.py MODEL --golden            prints for each golden text, or sequence,
                                                {"logits":[…],"forecast":[…],"refused":…}
    tern_reference.py MODEL --sample SEED TEMPERATURE K COUNT < TEXTS
                                                continues each text (its bytes in hexadecimal); prints the ids drawn
    tern_reference.py --check-bounds < FILES    one path of a device file a line; prints for each {"refused":[…]}, the
                                                conditions that fail
    tern_reference.py --check-tables            compares the text tables with the Unicode database of this Python

`trace` and `state` are FNV-1a hashes of little-endian integers. `trace` covers the token's id (u32) and all logits (i32) after
every token, `state` covers `h` (i16) and `c` (i32) after the last token. Without a recurrent branch `unknown` is 0.
`refused` is null for a model that always answers.
The tables that the pages refer to (activations, \\w, lower case) are read as data.
"""

import functools
import itertools
import json
import math
import operator
import struct
import sys
import unicodedata

from tern_text import LOWER, UNK, WHITE_SPACE, WORDS, ids_of, ids_of_token, split, table

I16, I32 = (-(2**15), 2**15 - 1), (-(2**31), 2**31 - 1)


class Refused(Exception):
    """The pages do not allow this file."""


def inside(value, limits):
    """Returns a value after checking that it fits its type, as the pages promise."""
    assert limits[0] <= value <= limits[1], f"{value} is beyond {limits}"
    return value


# --- format.md: The device file, Header, Tensors ---------------------------------------------------------------------------

TOKENIZERS = {
    "bytes", "whitespace", "whitespace_cased", "words", "words_cased", "html_words", "html_words_cased", "chars", "chars_cased",
    "wordpiece", "wordpiece_cased",
}
WORDS_OF = {
    "tern.version": ["1"],
    "tern.task": ["classify", "language-model", "forecast"],
    "tern.input": ["tokens", "values"],
    "tern.tokenizer": sorted(TOKENIZERS),
    "tern.vocabulary": ["sorted", "bytes", "fingerprints"],
    "tern.cell": ["lstm", "gru", "rnn", "rnn_relu"],
    "tern.layers": ["1", "2", "3", "4"],
    "tern.directions": ["1", "2"],
    "tern.merge": ["concat", "sum", "mean", "product"],
    "tern.pooling": ["last", "mean", "max", "mean_max"],
    "tern.output": ["softmax", "sigmoid", "linear"],
    "tern.packing": ["interleaved4", "paired16", "interleaved3", "interleaved1", "rows"],
    "tern.ngrams.words": ["0", "1", "2"],
    "tern.ngrams.min_chars": ["0", "1", "2", "3", "4", "5", "6"],
    "tern.ngrams.max_chars": ["0", "2", "3", "4", "5", "6"],
}
NGRAMS = {key for key in WORDS_OF if key.startswith("tern.ngrams.")}
RECURRENT = {f"tern.{key}" for key in ("vocabulary", "cell", "layers", "directions", "merge", "pooling", "packing")}
PACKINGS = {
    "lstm": ["interleaved4", "paired16", "rows"], "gru": ["interleaved3", "paired16", "rows"],
    "rnn": ["interleaved1", "paired16", "rows"], "rnn_relu": ["interleaved1", "paired16", "rows"],
}
GATES = {"lstm": 4, "gru": 3, "rnn": 1, "rnn_relu": 1}
# The index of the first row of each pair; the second row follows it.
PAIRS = {"lstm": [0, 2], "gru": [0], "rnn": [], "rnn_relu": []}
SHIFTS = [str(shift) for shift in range(9)]
DTYPES = {"U8": "B", "I8": "b", "I16": "h", "U16": "H", "I32": "i", "U32": "I", "F32": "f"}


def kind_of(metadata):
    """Checks the metadata as a whole and returns it with the names of the layers, by which shifts and tensors are found."""
    words = {key: word for key, word in metadata.items() if not key.startswith("tern.shift.")}
    recurrent, ngrams = "tern.cell" in words, "tern.ngrams.words" in words
    absent = (set() if recurrent else RECURRENT) | (set() if ngrams else NGRAMS)
    if not (recurrent or ngrams) or words.keys() & absent:
        raise Refused("branches")
    optional = {"tern.input"} | absent
    if metadata.get("tern.input", "tokens") == "values":
        optional |= {"tern.tokenizer", "tern.vocabulary"}
    if metadata.get("tern.directions") == "1":
        optional |= {"tern.merge"}
    if not WORDS_OF.keys() - optional <= words.keys() <= WORDS_OF.keys():
        raise Refused("keys")
    if any(words.get(key) not in (known + [None] if key in optional else known) for key, known in WORDS_OF.items()):
        raise Refused("words")
    kind = {key[len("tern."):]: word for key, word in words.items()}
    kind.setdefault("input", "tokens")
    kind["recurrent"] = recurrent
    if not recurrent:
        kind |= {"layers": "0", "directions": "0"}
    if kind["input"] == "values" and kind.keys() & {"tokenizer", "vocabulary"}:
        raise Refused("keys")
    if kind["directions"] == "1" and "merge" in kind:
        raise Refused("keys")
    if recurrent and kind["input"] == "tokens" and (kind["tokenizer"] == "bytes") != (kind["vocabulary"] == "bytes"):
        raise Refused("vocabulary")
    if kind.get("vocabulary") == "fingerprints" and (kind["task"] != "classify" or kind["tokenizer"].startswith("wordpiece")):
        raise Refused("vocabulary")
    together = {
        "classify": kind["output"] in ("softmax", "sigmoid"),
        "language-model": (kind["input"], kind["directions"], kind.get("pooling"), kind["output"])
        == ("tokens", "1", "last", "softmax"),
        "forecast": (kind["input"], kind["output"]) == ("values", "linear"),
    }
    if not together[kind["task"]] or recurrent and kind["packing"] not in PACKINGS[kind["cell"]]:
        raise Refused("words together")
    if ngrams:
        check_ngrams(kind)
    ways = ["", "_reverse"][: int(kind["directions"])]
    kind["places"] = [[f"l{layer}{way}" for way in ways] for layer in range(int(kind["layers"]))]
    kind["module"] = kind.get("cell", "").split("_")[0]
    shifts = {key[len("tern.shift."):]: word for key, word in metadata.items() if key.startswith("tern.shift.")}
    layers = {f"{kind['module']}_{place}" for places in kind["places"] for place in places}
    always = layers | {"fc"} | ({"ngrams"} if ngrams else set())
    optional = {"hidden"} | ({"pooled"} if ngrams and recurrent else set())
    if not always <= shifts.keys() <= always | optional or not set(shifts.values()) <= set(SHIFTS):
        raise Refused("shift")
    kind["shifts"] = {name: int(shift) for name, shift in shifts.items()}
    return kind


def check_ngrams(kind):
    """Checks the n-grams that a model counts."""
    if (kind["task"], kind["input"]) != ("classify", "tokens"):
        raise Refused("ngrams")
    words, shortest, longest = (int(kind.pop(f"ngrams.{name}")) for name in ("words", "min_chars", "max_chars"))
    kind["ngrams"] = (words, shortest, longest)
    if (shortest == 0) != (longest == 0) or shortest > longest or words == longest == 0:
        raise Refused("ngrams")
    if words > 0 and of_one_word(kind):
        raise Refused("ngrams.words")


def of_one_word(kind):
    """Returns whether the tokenizer takes the whole text as one word."""
    return kind["tokenizer"].removesuffix("_cased") in ("chars", "bytes")


def tensors_of(kind):
    """Returns type and shape of each tensor. A letter is a dimension of the model; other names are lengths of this tensor alone."""
    tensors = {
        "name": ("U8", ["name"]),
        "golden.offsets": ("U32", ["G+1"]),
        "golden.logits": ("I32", ["G", "C"]),
        "calibration": ("I32", [4]),
    }
    if kind["task"] == "classify":
        tensors |= {"labels.offsets": ("U32", ["C+1"]), "labels.bytes": ("U8", ["labels"])}
    if kind["input"] == "tokens":
        tensors |= {"golden.bytes": ("U8", ["golden"])}
    else:
        tensors |= {"channels.offsets": ("U32", ["E+1"]), "channels.bytes": ("U8", ["channels"])}
        tensors |= {f"input.{name}": ("I32", ["E"]) for name in ("offset", "multiplier", "shift", "point")}
        tensors |= {"input.scale": ("F32", [1]), "golden.values": ("I32", ["steps", "E"])}
    if kind["recurrent"]:
        tensors |= recurrent_of(kind)
    if "ngrams" in kind:
        tensors |= {"ngrams.weight": ("I8", ["B", "R"]), "ngrams.scale": ("F32", [1])}
    outputs = 1 if kind["output"] == "sigmoid" else "V" if kind["task"] == "language-model" else "C"
    reads = "F"
    if "hidden" in kind["shifts"]:
        tensors |= linear_of("hidden", "N", "F") | {"hidden.scale": ("F32", [1])}
        reads = "N"
    tensors |= linear_of("fc", outputs, reads)
    if kind["task"] == "forecast":
        tensors |= {f"output.{name}": ("I32", ["C"]) for name in ("offset", "multiplier", "shift", "point", "channel", "last")}
        tensors |= {"forecast.window": ("I32", [1])}
    return tensors


def recurrent_of(kind):
    """Returns the tensors of the recurrent branch: embedding, vocabulary and layers."""
    tensors = {}
    if kind["input"] == "tokens":
        tensors |= {"embedding.weight": ("I8", ["V", "E"]), "embedding.multiplier": ("I16", ["V"]), "embedding.scale": ("F32", [1])}
        if kind["vocabulary"] == "sorted":
            tensors |= {"vocab.offsets": ("U32", ["V-1"]), "vocab.bytes": ("U8", ["vocab"])}
        if kind["vocabulary"] == "fingerprints":
            tensors |= {"vocab.seed": ("I32", [1]), "vocab.buckets": ("U32", ["buckets"]), "vocab.fingerprints": ("U16", ["V-2"])}
    gates = GATES[kind["cell"]]
    gate, biases = ([gates], [4]) if gates > 1 else ([], [])
    for layer, places in enumerate(kind["places"]):
        reads = "E" if layer == 0 else "H" if len(places) == 1 else "2H"
        for place in places:
            if kind["packing"] == "paired16":
                tensors[f"{kind['module']}.units_{place}"] = ("I32", ["H" if gates == 4 else "H/4", f"words{layer}"])
                if kind["cell"] == "rnn_relu":
                    tensors[f"rnn.scale_{place}"] = ("F32", [1])
                continue
            name = kind["module"] + ".{}_" + place
            shape = lambda columns: ["H", *gate, columns] if kind["packing"] == "rows" else ["H", columns, *gate]
            tensors[name.format("weight_ih")] = ("I8", shape(reads))
            tensors[name.format("weight_hh")] = ("I8", shape("H"))
            tensors[name.format("bias")] = ("I32", ["H", *biases])
            tensors[name.format("multiplier_ih")] = tensors[name.format("multiplier_hh")] = ("I16", ["H", *gate])
            if kind["cell"] == "rnn_relu":
                tensors[name.format("scale")] = ("F32", [1])
    return tensors


def linear_of(name, outputs, reads):
    return {
        f"{name}.weight": ("I8", [outputs, reads]), f"{name}.bias": ("I32", [outputs]), f"{name}.multiplier": ("I16", [outputs]),
    }


def rows(flat, columns):
    """Splits a flat tensor into rows."""
    return [flat[at : at + columns] for at in range(0, len(flat), columns)]


def of_width(expected, kind, header):
    """Replaces the 8-bit types of tensors that have 4 or 16 bits according to the header."""
    tensors = {}
    for name, (dtype, shape) in expected.items():
        any_width = name in ("embedding.weight", "hidden.weight", "fc.weight") or (
            kind.get("packing") == "rows" and (".weight_ih_" in name or ".weight_hh_" in name)
        )
        found = header[name]["dtype"] if name in header else dtype
        if name == "ngrams.weight" and found == "U8":
            tensors[name] = ("U8", [*shape[:-1], f"{shape[-1]}/2"])
        elif any_width and found == "U8":
            tensors[name] = ("U8", [*shape[:-1], f"{shape[-1]}/2"])
            tensors[groups_of(name)] = ("U8", [*shape[:-1], f"{shape[-1]}/16"])
        else:
            tensors[name] = ("I16" if any_width and found == "I16" else dtype, shape)
    return tensors


def groups_of(name):
    return name.replace(".weight", ".group_multiplier")


def of_4_bits(data):
    """Returns the weights of 4 bits that these bytes store."""
    weights = [((half & 0xF) ^ 8) - 8 for byte in data for half in (byte, byte >> 4)]
    if min(weights) < -7:
        raise Refused("4 bits")
    return weights


def grouped(data, multipliers, columns):
    """Converts weights of 4 bits to weights of 8 bits."""
    if min(multipliers) < 1 or max(multipliers) > 18:
        raise Refused("4 bits")
    of_row = -(-columns // 16)
    return [w * multipliers[at // columns * of_row + at % columns // 16] for at, w in enumerate(of_4_bits(data))]


def folded_of(kind):
    """Returns type and shape of the tensors of folded tokens."""
    biases = [4] if GATES[kind["cell"]] > 1 else []
    names = ["folded.sums", "folded.sums_reverse"][: int(kind["directions"])]
    return {"folded.ids": ("U32", ["folded"])} | {name: ("I32", ["folded", "H", *biases]) for name in names}


class Layer:
    """One direction of a layer. `ih` and `hh` are the rows of the input half and the recurrent half, by [unit][gate]."""

    def __init__(self, model, place, reads):
        cell, module, tensor = model.kind["cell"], model.kind["module"], model.tensors
        self.cell, self.pairs, self.shift = cell, PAIRS[cell], model.kind["shifts"][f"{module}_{place}"]
        gates, H = GATES[cell], model.sizes["H"]
        self.H, self.reads, self.folded, self.wide = H, reads, {}, (False, False)
        if model.kind["packing"] == "paired16":
            self.paired16(tensor[f"{module}.units_{place}"], gates)
            return
        of = lambda parameter: tensor[f"{module}.{parameter}_{place}"]
        self.wide = tuple(f"{module}.weight_{half}_{place}" in model.wide for half in ("ih", "hh"))
        if model.kind["packing"] == "rows":
            self.ih = [rows(unit, reads) for unit in rows(of("weight_ih"), gates * reads)]
            self.hh = [rows(unit, H) for unit in rows(of("weight_hh"), gates * H)]
        else:  # interleaved: [unit, column, gate]
            self.ih = [[unit[gate::gates] for gate in range(gates)] for unit in rows(of("weight_ih"), gates * reads)]
            self.hh = [[unit[gate::gates] for gate in range(gates)] for unit in rows(of("weight_hh"), gates * H)]
        bias = rows(of("bias"), len(of("bias")) // H)
        self.bias = [unit[:gates] for unit in bias]
        self.hidden_bias = [[0, 0, unit[3]] if cell == "gru" else [0] * gates for unit in bias]
        self.mx, self.mh = rows(of("multiplier_ih"), gates), rows(of("multiplier_hh"), gates)

    def fold(self, ids, sums):
        """Stores the precomputed sums of each folded token, by [unit][row]."""
        columns = len(sums) // (len(ids) * self.H)
        self.folded = {token: rows(of_token, columns) for token, of_token in zip(ids, rows(sums, columns * self.H))}
        if any(unit[3] != bias[2] for of_token in self.folded.values() for unit, bias in zip(of_token, self.hidden_bias) if self.cell == "gru"):
            raise Refused("folded.sums")

    def paired16(self, words, gates):
        """Reads the packing `paired16`, whose records have four rows each."""
        E, H = self.reads, self.H
        record, sums = H + 10 + E, 6 if gates == 3 else 0
        group, units = (record, 1) if gates == 4 else (gates * record + sums, 4)
        if E % 4 or H % 4 or len(words) != H // units * group:
            raise Refused("units")
        zeros = lambda: [[0] * gates for _ in range(H)]
        self.ih, self.hh, self.bias, self.hidden_bias, self.mx, self.mh = (zeros() for _ in range(6))
        # The unit, counted from the first of the group, and the gate of each row of the records of a group.
        n, r_z = [(u, 2) for u in range(4)], [(u, gate) for u in range(4) for gate in range(2)]
        places = {4: [(0, gate) for gate in range(4)], 3: n + r_z, 1: [(u, 0) for u in range(4)]}[gates]
        for at, of_group in enumerate(rows(words, group)):
            for (u, gate), bias in zip(places, initial_sums(of_group[:sums]) if sums else ()):
                self.hidden_bias[units * at + u][gate] = bias
            for index, of_record in enumerate(rows(of_group[sums:], record)):
                columns = [
                    (self.hh, unpaired(of_record[:H])),
                    (self.mh, halves(of_record[H]) + halves(of_record[H + 1])),
                    (self.mx, halves(of_record[H + 2]) + halves(of_record[H + 3])),
                    (self.bias, initial_sums(of_record[H + 4 : H + 10])),
                    (self.ih, unpaired(of_record[H + 10 :])),
                ]
                for row, (u, gate) in enumerate(places[4 * index : 4 * index + 4]):
                    for of_unit, values in columns:
                        of_unit[units * at + u][gate] = values[row]


class Linear:
    """A layer of the head."""

    def __init__(self, model, name):
        tensor = model.tensors
        self.bias, self.m, self.shift = tensor[f"{name}.bias"], tensor[f"{name}.multiplier"], model.kind["shifts"][name]
        self.weight = rows(tensor[f"{name}.weight"], len(tensor[f"{name}.weight"]) // len(self.bias))
        self.wide = f"{name}.weight" in model.wide

    def outputs(self, v):
        acc = sums(self.weight, v, self.bias, self.wide)
        return [inside(requantize(a, m) << self.shift, I32) for a, m in zip(acc, self.m)]


class Model:
    """A device file; its parts have the names that the pages use."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.read(data)
        tensor, kind, E, H = self.tensors, self.kind, self.sizes.get("E", 0), self.sizes.get("H", 0)
        ways = int(kind["directions"])
        merged = 2 * H if kind.get("merge") == "concat" else H
        self.pooled = 2 * merged if kind.get("pooling") == "mean_max" else merged
        if self.sizes["F"] != self.pooled + self.sizes.get("R", 0):
            raise Refused("F")
        if kind["output"] == "sigmoid" and self.sizes["C"] != 2:
            raise Refused("sigmoid")
        if kind["task"] == "language-model" and self.sizes["C"] != self.sizes["V"]:
            raise Refused("C")
        self.layers = [
            [Layer(self, place, E if layer == 0 else ways * H) for place in places] for layer, places in enumerate(kind["places"])
        ]
        for layer, name in zip(self.layers[0] if self.layers else (), ("folded.sums", "folded.sums_reverse")):
            if name in tensor:
                layer.fold(tensor["folded.ids"], tensor[name])
        self.hidden = Linear(self, "hidden") if "hidden" in kind["shifts"] else None
        self.fc = Linear(self, "fc")
        self.name = utf8(bytes(tensor["name"]))
        if kind["task"] == "classify":
            self.labels = self.texts("labels")
        if "ngrams" in kind:
            self.read_ngrams()
        self.vocabulary = {}
        if kind["input"] == "tokens":
            self.golden = self.texts("golden")
        if kind["input"] == "tokens" and kind["recurrent"]:
            self.embedding, self.embedding_m = rows(tensor["embedding.weight"], E), tensor["embedding.multiplier"]
            self.read_vocabulary()
        if kind["input"] == "values":
            self.channels = self.texts("channels")
            offsets, values = tensor["golden.offsets"], rows(tensor["golden.values"], E)
            check_offsets("golden", offsets, len(values))
            self.golden = [values[begin:end] for begin, end in zip(offsets, offsets[1:])]
        for scaling in ("input", "output"):
            for name, (low, high) in {"multiplier": (1, 2**30), "shift": (1, 46), "point": (-16, 30)}.items():
                if not all(low <= v <= high for v in tensor.get(f"{scaling}.{name}", [])):
                    raise Refused(f"{scaling}.{name}")
        if self.kind["task"] == "forecast":
            counts = list(zip(tensor["output.channel"], tensor["output.last"], tensor["output.point"]))
            if not all(0 <= channel < E and last in (0, 1) for channel, last, _ in counts):
                raise Refused("output.channel")
            if any(last and tensor["input.point"][channel] != point for channel, last, point in counts):
                raise Refused("output.point")
            if not 1 <= tensor["forecast.window"][0] <= 2**16:
                raise Refused("forecast.window")

    def read_ngrams(self):
        """Reads the table of the n-gram branch, with its rows by bucket."""
        B, R = self.sizes["B"], self.sizes["R"]
        if not (is_power_of_2(B) and 2**4 <= B <= 2**20 and is_power_of_2(R) and R <= 2**8):
            raise Refused("ngrams.weight")
        weights = self.tensors["ngrams.weight"]
        self.ngrams = rows(of_4_bits(weights) if len(weights) < B * R else weights, R)
        self.fingerprints = self.tensors.get("ngrams.fingerprint")

    def read_vocabulary(self):
        """Reads the vocabulary of a model that reads text and has a recurrent branch."""
        if self.kind["vocabulary"] == "fingerprints":
            self.vocabulary = Fingerprints(self.tensors)
            return
        tokens = [bytes([byte]) for byte in range(256)] if self.kind["tokenizer"] == "bytes" else self.texts("vocab")
        if tokens != sorted(set(tokens) - {b""}) or self.sizes["V"] != len(tokens) + 2:
            raise Refused("vocabulary")
        self.vocabulary = {token: 2 + at for at, token in enumerate(tokens)}

    def read(self, data):
        """Reads header and tensors."""
        (n,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + n].decode("utf-8"))
        self.kind = kind_of(header.pop("__metadata__"))
        expected = tensors_of(self.kind)
        if any(name.startswith("folded.") for name in header) and "embedding.weight" in expected:
            expected |= folded_of(self.kind)
        if "refusal" in header and self.kind["task"] == "classify":
            expected |= {"refusal": ("I32", [2])}
        if "ngrams.fingerprint" in header and "ngrams" in self.kind:
            expected |= {"ngrams.fingerprint": ("U8", ["B"])}
        expected = of_width(expected, self.kind, header)
        if header.keys() != expected.keys():
            raise Refused("tensors: " + ", ".join(sorted(header.keys() ^ expected.keys())))
        self.tensors, self.sizes, spans, self.wide = {}, {}, [], set()
        for name, (dtype, shape) in expected.items():
            entry = header[name]
            begin, end = entry["data_offsets"]
            spans.append((begin, end))
            self.match_shape(name, shape, entry["shape"])
            count = functools.reduce(operator.mul, entry["shape"])
            if entry["dtype"] != dtype or end - begin != count * struct.calcsize("=" + DTYPES[dtype]):
                raise Refused(name)
            # The tensors follow the header without gaps; offsets count from the end of the header.
            self.tensors[name] = struct.unpack_from(f"<{count}{DTYPES[dtype]}", data, 8 + n + begin)
            if dtype == "I16" and ".weight" in name:
                self.wide.add(name)
            least = {"I8": -127, "I16": -32767 if name in self.wide else 0}.get(dtype, I32[0])
            if min(self.tensors[name]) < least:
                raise Refused(name)
        for name in [name for name in expected if groups_of(name) != name and groups_of(name) in expected]:
            columns = 2 * header[name]["shape"][-1]
            self.tensors[name] = grouped(self.tensors[name], self.tensors[groups_of(name)], columns)
        spans.sort()
        ends = [0] + [end for _, end in spans]
        if [begin for begin, _ in spans] != ends[:-1] or 8 + n + ends[-1] != len(data):  # Length
            raise Refused("length")
        ids = self.tensors.get("folded.ids", ())
        if list(ids) != sorted(set(ids)) or max(ids, default=0) >= self.sizes.get("V", 1):
            raise Refused("folded.ids")
        below, refused = self.tensors.get("refusal", (1, -1))
        if not (1 <= below <= 2**16 and -1 <= refused < self.sizes["C"]):
            raise Refused("refusal")
        if self.sizes.get("V", 3) < 3 or self.sizes["name"] > 64:
            raise Refused("sizes")

    def match_shape(self, name, shape, found):
        """Compares a tensor's shape with the table. The first use of a letter sets its size."""
        if len(shape) != len(found):
            raise Refused(name)
        for dimension, size in zip(shape, found):
            if isinstance(dimension, str) and dimension[-2:] in ("/2", "/4"):
                dimension, size = dimension[:-2], int(dimension[-1]) * size
            if isinstance(dimension, str) and dimension.endswith("/16"):  # its letter was set by the tensor of the weights
                letter = dimension[: -len("/16")]
                dimension = -(-(2 * self.sizes["H"] if letter == "2H" else self.sizes[letter]) // 16)
            if dimension == "2H":
                dimension = 2 * self.sizes["H"]
            elif isinstance(dimension, str):
                letter, plus = (dimension[0], int(dimension[1:])) if dimension[1:2] in ("+", "-") else (dimension, 0)
                dimension = self.sizes.setdefault(letter, size - plus) + plus
            if dimension != size or size < 1:
                raise Refused(name)

    def texts(self, name):
        """Returns the texts that the tensors `NAME.offsets` and `NAME.bytes` store."""
        offsets, content = self.tensors[f"{name}.offsets"], bytes(self.tensors[f"{name}.bytes"])
        check_offsets(name, offsets, len(content))
        return [utf8(content[begin:end]) for begin, end in zip(offsets, offsets[1:])]


def check_offsets(name, offsets, length):
    if offsets[0] != 0 or list(offsets) != sorted(offsets) or offsets[-1] != length:
        raise Refused(f"{name}.offsets")


def is_power_of_2(number):
    return number & (number - 1) == 0


# --- format.md: Fingerprints of tokens -------------------------------------------------------------------------------------


class Fingerprints:
    """A vocabulary of fingerprints."""

    def __init__(self, tensor):
        self.seed, self.starts, prints = tensor["vocab.seed"][0], tensor["vocab.buckets"], tensor["vocab.fingerprints"]
        self.count = len(self.starts) - 1
        if not (1 <= self.count <= 2**16 and is_power_of_2(self.count)):
            raise Refused("vocab.buckets")
        check_offsets("vocab.buckets", self.starts, len(prints))
        self.buckets = [prints[begin:end] for begin, end in zip(self.starts, self.starts[1:])]
        if any(list(bucket) != sorted(set(bucket)) for bucket in self.buckets):
            raise Refused("vocab.fingerprints")

    def get(self, token, otherwise):
        """Returns the id of a token, given by its bytes; `otherwise` if no fingerprint is equal to that of the token."""
        h = functools.reduce(add, (ord(character) + self.seed for character in token.decode("utf-8")), 0)
        h = (h + (h << 3)) % 2**32
        h ^= h >> 11
        h = (h + (h << 15)) % 2**32
        bucket, fingerprint = (h >> 16) % self.count, h % 2**16
        known = self.buckets[bucket]
        return 2 + self.starts[bucket] + known.index(fingerprint) if fingerprint in known else otherwise


def halves(word):
    """Splits a 32-bit word into its two 16-bit numbers, the lower one first."""
    return [low16(word), word >> 16]


def unpaired(words):
    """Returns the four rows of one half of a record in `paired16`."""
    pairs = [[half for word in words[at::2] for half in halves(word)] for at in range(2)]
    return [row for pair in pairs for row in ([(v + 128) >> 8 for v in pair], [((v + 128) & 0xFF) - 128 for v in pair])]


def initial_sums(words):
    """Returns the biases of the four rows in the six words of their initial sums."""
    biases = []
    for low, high, second in (words[:3], words[3:]):
        both = (high << 32) + (low & 0xFFFFFFFF)
        biases += [(both - second) >> 8, second]
        if both != 256 * biases[-2] + second or not I32[0] <= biases[-2] <= I32[1]:
            raise Refused("units")
    return biases


def utf8(text):
    try:
        return text.decode("utf-8").encode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


# --- arithmetic.md: Two roundings, Activations -----------------------------------------------------------------------------

SIGMOID, TANH, POW2 = (table("tables", f"{name}.in") for name in ("sigmoid", "tanh", "pow2"))


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
    """Returns the embedding of a token: `x` in Q15."""
    m, down = model.embedding_m[token], 15 if "embedding.weight" in model.wide else 7
    return [inside((w * m) >> down, I16) for w in model.embedding[token]]


def dot(row, v):
    return sum(map(operator.mul, row, v))


def half(layer, acc, multipliers, wide):
    """Requantises the sums of a unit's rows, for the input half or the recurrent half."""
    acc = list(acc)
    for first in () if wide else layer.pairs:
        acc[first] += acc[first + 1] >> 8
    return [requantize(a, m) for a, m in zip(acc, multipliers)]


def sums(weights, v, bias, wide):
    """Returns the accumulators of all rows. `wide`: the weights have 16 bits."""
    return [(dot(row, v) >> 8 if wide else dot(row, v)) + b for row, b in zip(weights, bias)]


def relu(z):
    return max(0, min(32767, round_shift(z, 5)))


class State:
    """The state of one direction of a layer."""

    def __init__(self, layer):
        self.layer, self.h, self.c = layer, [0] * layer.H, [0] * layer.H

    def step(self, x, token=None):
        """Takes one step. `token` is the id that a first layer reads, which may be folded."""
        layer, h, folded = self.layer, [], self.layer.folded.get(token)
        for u in range(layer.H):
            wide_x, wide_h = layer.wide
            acc = folded[u] if folded else sums(layer.ih[u], x, layer.bias[u], wide_x)
            zx = half(layer, acc, layer.mx[u], wide_x)
            zh = half(layer, sums(layer.hh[u], self.h, layer.hidden_bias[u], wide_h), layer.mh[u], wide_h)
            h.append(inside(getattr(self, layer.cell)(u, zx, zh), I16))
        self.h = h  # all units read the old h
        return h

    def lstm(self, u, zx, zh):
        """LSTM step."""
        zi, zf, zg, zo = (inside((a + b) << self.layer.shift, I32) for a, b in zip(zx, zh))
        i, f, o = (activation(SIGMOID, z) for z in (zi, zf, zo))
        t = round_shift(i * activation(TANH, zg), 11)
        self.c[u] = saturating_double(((self.c[u] * f) >> 16) + t)
        return round_shift(o * activation(TANH, self.c[u]), 15)

    def gru(self, u, zx, zh):
        """GRU step."""
        shift = self.layer.shift
        r, z = (activation(SIGMOID, inside((a + b) << shift, I32)) for a, b in zip(zx[:2], zh[:2]))
        n = activation(TANH, inside((zx[2] + requantize(zh[2], r)) << shift, I32)) << 15
        self.c[u] = inside(n + 2 * requantize(self.c[u] - n, z), I32)
        return round_shift(self.c[u], 15)

    def rnn(self, u, zx, zh):
        """Plain step."""
        return activation(TANH, inside((zx[0] + zh[0]) << self.layer.shift, I32))

    def rnn_relu(self, u, zx, zh):
        return relu(inside((zx[0] + zh[0]) << self.layer.shift, I32))


# --- arithmetic.md: Layers and directions, Pooling, Values, Head -----------------------------------------------------------

MERGES = {
    "mean": lambda f, r: round_shift(f + r, 1),
    "sum": lambda f, r: round_shift(f + r, 1),
    "product": lambda f, r: max(I16[0], min(I16[1], round_shift(f * r, 15))),
}


class Run:
    """The state of a model while it reads a text or a sequence."""

    def __init__(self, model):
        self.model, self.inputs = model, []
        if model.kind["directions"] == "1":
            self.states = [State(layer) for (layer,) in model.layers]
        self.sums, self.count, self.largest = [0] * model.sizes.get("H", 0), 0, []
        self.ngrams = NgramSums(model) if "ngrams" in model.kind else None

    def shifted(self, states):
        """Returns merged states as they are pooled."""
        return [state >> self.model.kind["shifts"].get("pooled", 0) for state in states]

    def step(self, x, token=None):
        """Takes a step in all layers. With two directions the input is stored instead, and `read` takes all steps."""
        if self.model.kind["directions"] == "2":
            self.inputs.append((x, token))
            return
        for state in self.states:
            x, token = state.step(x, token), None
        x = self.shifted(x)
        if self.count == 65534:
            self.sums, self.count = [s >> 1 for s in self.sums], 32767
        self.sums, self.count = [s + v for s, v in zip(self.sums, x)], self.count + 1
        self.largest = [max(pair) for pair in zip(self.largest or x, x)]

    def read(self):
        """Returns the head's input: the pooled states, then the scaled sums of the n-gram branch."""
        return (list(self.pooled()) if self.model.layers else []) + (self.ngrams.scaled() if self.ngrams else [])

    def pooled(self):
        """Returns the pooled states."""
        kind, H = self.model.kind, self.model.sizes["H"]
        if kind["directions"] == "1":
            if kind["pooling"] == "last":
                return self.shifted(self.states[-1].h)
            return pooled(kind["pooling"], self.sums, self.count, self.largest or [0] * H)
        steps = self.inputs
        for forward, reverse in self.model.layers:
            ahead, back = State(forward), State(reverse)
            f = [ahead.step(*step) for step in steps]
            r = [back.step(*step) for step in reversed(steps)][::-1]
            steps = [(a + b, None) for a, b in zip(f, r)]
        side_by_side = kind["merge"] == "concat"
        merged = lambda a, b: a + b if side_by_side else [MERGES[kind["merge"]](*pair) for pair in zip(a, b)]
        merge = lambda a, b: self.shifted(merged(a, b))
        if kind["pooling"] == "last":
            return merge(f[-1], r[0]) if f else [0] * self.model.pooled
        if not f:
            return [0] * self.model.pooled
        columns = list(zip(*(merge(a, b) for a, b in zip(f, r))))
        return pooled(kind["pooling"], [sum(c) for c in columns], len(f), [max(c) for c in columns])

    def logits(self):
        """Returns the logits."""
        v = self.read()
        if self.model.hidden:
            v = [relu(z) for z in self.model.hidden.outputs(v)]
        outputs = self.model.fc.outputs(v)
        return [0] + outputs if self.model.kind["output"] == "sigmoid" else outputs

    def hash(self):
        """Returns the hash `state`, which the head of this file describes."""
        (state,) = self.states
        return f"{fnv1a(struct.pack(f'<{len(state.h)}h{len(state.c)}i', *state.h, *state.c)):016x}"


# --- arithmetic.md: N-gram branch ------------------------------------------------------------------------------------------


def add(h, c):
    """Returns the hash of an n-gram after one more character, or hash."""
    h = (h + c) % 2**32
    h = (h + (h << 10)) % 2**32
    return h ^ (h >> 6)


def hash_of(start, characters):
    return functools.reduce(add, characters, start)


def ngrams_of(kind, words):
    """Returns for each word the hashes of its n-grams: a list for each character, and one for the end of the word."""
    most_words, shortest, longest = kind["ngrams"]
    result, before = [], 0
    for word in words:
        characters = [ord(character) for character in word]
        marked = [2, *characters, 3]
        ends = range(2, len(marked) + 1)
        lengths = range(shortest, longest + 1) if longest else ()
        hashes = [[hash_of(1, marked[end - n : end][::-1]) for n in lengths if n <= end] for end in ends]
        here = hash_of(0, characters)
        if most_words >= 1:
            hashes[-1].append(here)
        if most_words == 2 and before != 0:
            hashes[-1].append(add(add(2, before), here))
        before = here
        result.append(hashes)
    return result


class NgramSums:
    """The sums of the n-gram branch."""

    def __init__(self, model):
        self.table, self.shift = model.ngrams, model.kind["shifts"]["ngrams"]
        self.fingerprints = model.fingerprints
        self.sums, self.count = [0] * model.sizes["R"], 0

    def add(self, h):
        """Adds an n-gram, given its hash, unless its bucket has another fingerprint. No text of the tests is so long that the sums are
        halved."""
        if self.fingerprints and self.fingerprints[h % len(self.table)] != h >> 24:
            return
        assert self.count < 2**22
        row = self.table[h % len(self.table)]
        self.sums, self.count = [inside(a + w, I32) for a, w in zip(self.sums, row)], self.count + 1

    def scaled(self):
        """Returns `v`, which the head reads."""
        n = self.count
        if n == 0:
            return [0] * len(self.sums)
        (k,) = [k for k in range(15) if 2**28 <= n << 2 * k < 2**30]
        q = 2**31 // math.isqrt(n << 2 * k)
        return [max(I16[0], min(I16[1], (a * q) >> (19 - k + self.shift))) for a in self.sums]


def pooled(pooling, sums, count, largest):
    means = [(2 * s + count) // (2 * count) if count else 0 for s in sums]
    return {"mean": means, "max": largest, "mean_max": means + largest}[pooling]


def scale(v, m, n):
    return (v * m + 2 ** (n - 1)) >> n


def of_channels(model, scaling):
    return list(zip(*(model.tensors[f"{scaling}.{name}"] for name in ("offset", "multiplier", "shift"))))


def run_values(model, sequence):
    """Returns the logits after a sequence of values, and the values that a forecast predicts, in the units of its table."""
    state = Run(model)
    for values in sequence:
        channels = zip(values, of_channels(model, "input"))
        state.step([max(I16[0], min(I16[1], scale(v - offset, m, n))) for v, (offset, m, n) in channels])
    logits, forecast = state.logits(), []
    if model.kind["task"] == "forecast":
        last = model.tensors["input.offset"] if not sequence else sequence[-1]
        counts = zip(model.tensors["output.channel"], model.tensors["output.last"])
        outputs = zip(logits, of_channels(model, "output"), counts)
        starts = [(y, last[channel] if from_last else offset, m, n) for y, (offset, m, n), (channel, from_last) in outputs]
        forecast = [max(I32[0], min(I32[1], start + scale(y, m, n))) for y, start, m, n in starts]
    return {"logits": logits, "forecast": forecast, "refused": refuses(model, logits)}


def fnv1a(content, start=0xCBF29CE484222325):
    """Returns the 64-bit FNV-1a hash."""
    for byte in content:
        start = (start ^ byte) * 0x100000001B3 % 2**64
    return start


def events_of(model, text):
    """Returns the ids of a text, each with the hashes of the n-grams that end with it or between it and the id before it. The last
    element is None with the hashes of the n-grams at the end of the text."""
    kind, tokenizer = model.kind, model.kind["tokenizer"]
    tokens = split(tokenizer, text)
    ids = [ids_of_token(tokenizer, model.vocabulary, token) for token in tokens]
    hashes = [[] for _ in tokens]
    if "ngrams" in kind and of_one_word(kind):
        hashes = ngrams_of(kind, ["".join(tokens)])[0] if tokens else []
    elif "ngrams" in kind:
        hashes = [[h for at_end in word for h in at_end] for word in ngrams_of(kind, tokens)]
    events = []
    for here, of_token in itertools.zip_longest(hashes, ids, fillvalue=[None]):
        events += zip([here] + [[]] * len(of_token), of_token)
    return events if events and events[-1][1] is None else events + [([], None)]


def run(model, text):
    """Runs the model on one text and returns the object that is printed for it."""
    state, ids, trace = Run(model), [], fnv1a(b"")
    for hashes, token in events_of(model, text):
        for h in hashes:
            state.ngrams.add(h)
        if token is None:
            continue
        ids.append(token)
        if model.layers:
            state.step(embed(model, token), token)
        logits = state.logits()
        trace = fnv1a(struct.pack(f"<I{len(logits)}i", token, *logits), trace)
    unknown = ids.count(UNK) if model.layers else 0
    answer = {"tokens": len(ids), "unknown": unknown, "logits": state.logits(), "trace": f"{trace:016x}"}
    one_layer = model.kind.get("cell") == "lstm" and model.kind["directions"] == model.kind["layers"] == "1"
    return {**answer, "state": state.hash() if one_layer else None}


def run_golden(model, text):
    """Runs the model on a golden text and returns the object that is printed for it."""
    logits = run(model, text)["logits"]
    return {"logits": logits, "forecast": [], "refused": refuses(model, logits)}


# --- arithmetic.md: Head, Sampling -----------------------------------------------------------------------------------------


def exp_neg(d):
    """Returns exp(−d) in Q30; d is in Q16."""
    y = (d * 1549082005) >> 24
    s, j, f = y >> 22, (y >> 16) % 64, y % 2**16
    return 0 if s >= 31 else (POW2[j] - (((POW2[j] - POW2[j + 1]) * f) >> 16)) >> s


def refuses(model, logits):
    """Returns whether the model refuses to answer, or None if it always answers."""
    if "refusal" not in model.tensors:
        return None
    below, refused = model.tensors["refusal"]
    label = logits.index(max(logits))
    e = [exp_neg(logits[label] - logit) for logit in logits]
    p = (2**16 * e[label] + sum(e) // 2) // sum(e)
    return p < below or label == refused


def splitmix64(state):
    """Returns the next state and the next number."""
    wrap = lambda v: v % 2**64
    state = wrap(state + 0x9E3779B97F4A7C15)
    z = wrap((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9)
    z = wrap((z ^ (z >> 27)) * 0x94D049BB133111EB)
    return state, z ^ (z >> 31)


def sample(model, text, seed, temperature, k, count):
    """Draws the ids that follow a text."""
    run, drawn = Run(model), []
    for token in ids_of(model.kind["tokenizer"], model.vocabulary, text):
        run.step(embed(model, token), token)
    for _ in range(count):
        logits = run.logits()
        ranked = sorted(range(2, len(logits)), key=lambda id: (-logits[id], id))
        token, candidates = ranked[0], ranked[:k] if k > 0 else range(2, len(logits))
        if temperature > 0:
            r = 2**32 // temperature
            distances = [min(2**32 - 1, ((logits[token] - logits[id]) * r) >> 16) for id in candidates]
            weights = [exp_neg(d) for d in distances]
            seed, n = splitmix64(seed)
            left = n % sum(weights)
            for token, weight in zip(candidates, weights):
                if left < weight:
                    break
                left -= weight
        drawn.append(token)
        run.step(embed(model, token), token)
    return drawn


# --- arithmetic.md: The formats, No accumulator overflows ------------------------------------------------------------------


def bound(weights, bias, wide):
    largest = 2**15 * sum(abs(w) for w in weights)
    return ((largest >> 8) + 1 if wide else largest) + abs(bias)


def check_bounds(model):
    """Returns the numbers of the conditions in the page that fail."""
    failed = set()

    def check(condition, value):
        if value >= 2**31:
            failed.add(condition)

    for layer in [layer for ways in model.layers for layer in ways]:
        if model.kind["packing"] == "paired16":
            weights = [w for half in layer.ih + layer.hh for row in half for w in row]
            if max(map(abs, weights)) > 127 or min(m for half in layer.mx + layer.mh for m in half) < 0:
                failed.add("units")
        for u in range(layer.H):
            bounds = []
            halves = (layer.ih[u], layer.bias[u]), (layer.hh[u], layer.hidden_bias[u])
            for (weights, bias), wide in zip(halves, layer.wide):
                b = [bound(row, bias, wide) for row, bias in zip(weights, bias)]
                for value in b:
                    check("1", value)
                for first in () if wide else layer.pairs:
                    b[first] += (b[first + 1] >> 8) + 1
                    check("2", b[first])
                bounds.append(b)
                for tokens in layer.folded.values() if weights is layer.ih[u] else ():
                    if any(abs(s) > bound(row, b, wide) for s, row, b in zip(tokens[u], weights, bias)):
                        failed.add("5")
            for bx, mx, bh, mh in zip(bounds[0], layer.mx[u], bounds[1], layer.mh[u]):
                check("3", ((bx * mx >> 16) + (bh * mh >> 16) + 2) << layer.shift)
    for linear in filter(None, (model.hidden, model.fc)):
        for row, bias, m in zip(linear.weight, linear.bias, linear.m):
            largest = bound(row, bias, linear.wide)
            check("1", largest)
            check("4", ((largest * m >> 16) + 1) << linear.shift)
    return sorted(failed)


def check_file(path):
    try:
        return check_bounds(Model(path))
    except Refused as error:
        return [str(error)]


# --- The committed text tables against Python's Unicode database -----------------------------------------------------------


ENCLOSED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))


def check_tables():
    """Returns the characters, assigned in this Python's Unicode version, that the tables classify in another way."""
    marks = ("Mn", "Mc", "Me", "Nd", "Nl", "Pc")
    differ = {"word": [], "lower": [], "space": []}
    for code in range(0x110000):
        character, category = chr(code), unicodedata.category(chr(code))
        if category in ("Cn", "Cs"):
            continue
        # Alphabetic is L*, Nl, and characters that unicodedata does not list: mostly marks, and the enclosed Latin letters (So).
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
    elif arguments[1:] == ["--golden"]:
        model = Model(arguments[0])
        for golden in model.golden:
            text = model.kind["input"] == "tokens"
            answer(run_golden(model, golden) if text else run_values(model, golden))
    elif arguments[1:2] == ["--sample"]:
        model, numbers = Model(arguments[0]), [int(number) for number in arguments[2:]]
        for line in sys.stdin:
            answer(sample(model, bytes.fromhex(line), *numbers))
    elif len(arguments) == 1 or arguments[1:] == ["--hex"]:
        model = Model(arguments[0])
        for line in sys.stdin.buffer:
            answer(run(model, bytes.fromhex(line.decode("ascii")) if arguments[1:] else line.rstrip(b"\n")))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
