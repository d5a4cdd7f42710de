"""Converts texts to ids: a second implementation of docs/format.md, "Text" and "Vocabulary", written from the page alone.

    tern_text.py TOKENIZER VOCABULARY < TEXTS   one text a line, its bytes in hexadecimal; prints the list of ids of each. VOCABULARY: the
                                                tokens of id 2, 3, … in hexadecimal, one a line, in the order of their bytes

It reads whole texts and uses regular expressions; the runtime reads byte by byte. \\w and the lower case come from the committed
tables.
"""

import json
import os
import re
import sys

RUNTIME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime", "src")
PAD, UNK = 0, 1


def table(*path):
    """Reads the integers of a committed table."""
    with open(os.path.join(RUNTIME, *path), encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("//")]
    return [int(number, 0) for number in re.findall(r"-?(?:0x[0-9a-f]+|[0-9]+)", "".join(lines))]


# --- Characters ------------------------------------------------------------------------------------------------------------

WHITE_SPACE = {0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000} | {*range(9, 14)} | {*range(0x2000, 0x200B)}


def read_words():
    """Returns the code points of \\w: ASCII, and the ranges `first << 11 | length - 1` of the committed table."""
    words = {ord(c) for c in "0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    for entry in table("text", "tables", "word.in"):
        first = entry >> 11
        words.update(range(first, first + (entry & 0x7FF) + 1))
    return words


def read_lower():
    """Returns the lower case by code point. The table has pairs of numbers: a run `first << 11 | count - 1`, and the difference
    to the lower case; if the difference is 1, the run has every second code point."""
    lower = {upper: chr(upper + 32) for upper in range(ord("A"), ord("Z") + 1)}
    numbers = table("text", "tables", "lower.in")
    for entry, gain in zip(numbers[::2], numbers[1::2]):
        first, count, step = entry >> 11, (entry & 0x7FF) + 1, 2 if gain == 1 else 1
        lower.update({upper: chr(upper + gain) for upper in range(first, first + count * step, step)})
    lower[0x130] = "i\u0307"
    return lower


WORDS, LOWER = read_words(), read_lower()


def kind(character):
    code = ord(character)
    return "word" if code in WORDS else "space" if code in WHITE_SPACE else "mark"


# --- HTML ------------------------------------------------------------------------------------------------------------------

TAG = re.compile("</?[A-Za-z!][^<>]{0,125}>")
ENTITY = re.compile("&(amp|lt|gt|quot|apos|#39|nbsp);")
ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "nbsp": "\u00a0"}
FACE = re.compile(r"[:;=]-?[()\[\]{}|*]|[:;=]-[/\\]")
# These are emoticons only if no character of \w follows.
LETTERED = re.compile(r"[:;=]-?[DPOdpo]|<3")


def without_html(text):
    return ENTITY.sub(lambda entity: ENTITIES[entity[1]], TAG.sub(" ", text))


def emoticon(text, at):
    """Returns the emoticon that begins at this position, or an empty text."""
    if found := FACE.match(text, at):
        return found[0]
    found = LETTERED.match(text, at)
    if found and (found.end() == len(text) or kind(text[found.end()]) != "word"):
        return found[0]
    return ""


# --- Tokens ----------------------------------------------------------------------------------------------------------------


def runs(text, kind_of, emoticon_at=lambda text, at: ""):
    """Splits a text into the longest runs of one kind of character, without white space. Emoticons are tokens of their own."""
    tokens, last, at = [], "space", 0
    while at < len(text):
        face = emoticon_at(text, at)
        if face:
            tokens.append(face)
            last, at = "space", at + len(face)
            continue
        here = kind_of(text[at])
        if here != "space":
            if here != last:
                tokens.append("")
            tokens[-1] += text[at]
        last, at = here, at + 1
    return tokens


def split(tokenizer, content):
    """Returns the tokens of a text, given as bytes; for `wordpiece`, its words. A token of `bytes` is the character with its number."""
    if tokenizer == "bytes":
        return list(content.decode("latin-1"))
    name = tokenizer.removesuffix("_cased")
    text = content.decode("utf-8", "replace")  # As the page demands, Python puts one U+FFFD for each maximal ill-formed part.
    if name == "html_words":
        text = without_html(text)
    if not tokenizer.endswith("_cased"):
        text = text.translate(LOWER)
    if name == "chars":
        return list(text)
    if name == "whitespace":
        return runs(text, lambda character: "space" if kind(character) == "space" else "mark")
    return runs(text, kind, emoticon if name == "html_words" else lambda text, at: "")


def pieces(word, vocabulary):
    """Returns the ids of the pieces of a word."""
    ids, at = [], 0
    while at < len(word):
        before = "##" if at else ""
        ends = range(len(word), at, -1)
        end = next((end for end in ends if (before + word[at:end]).encode("utf-8") in vocabulary), None)
        if end is None or len(word) > 100:
            return [UNK]
        ids.append(vocabulary[(before + word[at:end]).encode("utf-8")])
        at = end
    return ids


def ids_of_token(tokenizer, vocabulary, token):
    """Returns the ids of a token. `vocabulary` has the id of each token, by its bytes."""
    if tokenizer == "bytes":
        return [ord(token) + 2]
    if tokenizer.removesuffix("_cased") == "wordpiece":
        return pieces(token, vocabulary)
    return [vocabulary.get(token.encode("utf-8"), UNK)]


def ids_of(tokenizer, vocabulary, content):
    """Returns the ids of a text."""
    return [id for token in split(tokenizer, content) for id in ids_of_token(tokenizer, vocabulary, token)]


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    with open(arguments[1], encoding="ascii") as file:
        tokens = [bytes.fromhex(line) for line in file]
    vocabulary = {token: 2 + at for at, token in enumerate(tokens)}
    for line in sys.stdin:
        print(json.dumps(ids_of(arguments[0], vocabulary, bytes.fromhex(line)), separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1:])
