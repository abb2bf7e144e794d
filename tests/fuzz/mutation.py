"""Mutations of valid files, each of which follows from a seed: bytes, words of a text, values of JSON."""

import copy
import gzip
import json
import random
import re
import struct
from typing import Any

NUMBERS = (0, 1, -1, 127, 128, 255, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 10**9)
FLOATS = (float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-40, 0.0, 1e6)
WORDS = (
    b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"9" * 400, b"9" * 5000, b"null", b"true", b'""', b"{}", b"[]", b"[[]]",
    b'"\\ud800"', b"1.5", b"\xc3\xa9", b"\xed\xa0\x80", b"\0", b'"../x"', b"\xc2\xb2", b"\xef\xbb\xbf", b"&a", b"*a",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 2**31, 2**63, 10**400, 1.5, float("nan"), float("inf"), "", "a", "\ud800", "../x", [], {},
    [[]], [None], {"a": 1}, [1, 2, 3], [[1, 2, 3]], "nan", [[[[[]]]]], "²", "x" * 400,
)  # fmt: skip


def mutated_bytes(chance: random.Random, content: bytes) -> bytes:
    """One to some changes of bytes, more of them near the beginning and the end, where headers and indices are."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        if not changed:
            break
        size = len(changed)
        low, high = chance.choice(((0, size), (0, min(size, 300)), (max(0, size - 300), size)))
        place = chance.randrange(low, high)
        kind = chance.randrange(7)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[place:]
        elif kind == 2:
            del changed[place : place + chance.choice((1, 4, 64, 1000))]
        elif kind == 3:
            changed[place:place] = chance.randbytes(chance.choice((1, 4, 32)))
        elif kind == 4:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(NUMBERS) & (2 ** (8 * width) - 1)
            changed[place : place + width] = number.to_bytes(width, chance.choice(("little", "big")))
        elif kind == 5:
            changed[place : place + 4] = struct.pack(chance.choice("<>") + "f", chance.choice(FLOATS))
        else:
            start = chance.randrange(size)
            changed[place:place] = changed[start : start + chance.randrange(200)] * chance.choice((1, 1, 10))
    return bytes(changed)


def mutated_gzip(chance: random.Random, content: bytes) -> bytes:
    """What is packed changed, and the package itself now and then."""
    if chance.random() < 0.1:
        return mutated_bytes(chance, content)
    return gzip.compress(mutated_bytes(chance, gzip.decompress(content)), 1)


def mutated_text(chance: random.Random, content: bytes) -> bytes:
    """Words replaced, removed, repeated and nested; bytes now and then."""
    if chance.random() < 0.25:
        return mutated_bytes(chance, content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        words = [match.span() for match in re.finditer(rb'[-+.\w]+|"[^"]*"|\S', content)]
        if not words:
            break
        (start, end), (other, other_end) = chance.choice(words), chance.choice(words)
        kind = chance.randrange(5)
        if kind < 2:
            new = chance.choice(WORDS)
        elif kind == 2:
            new = b""
        elif kind == 3:
            new = content[other:other_end] * chance.choice((1, 3))
        else:
            new = chance.choice((b"[", b"{", b'{"a":', b"(")) * chance.choice((1, 5, 2000)) + content[start:end]
        content = content[:start] + new + content[end:]
    return content


def mutated_json(chance: random.Random, content: bytes) -> bytes:
    """Values replaced, removed, renamed and wrapped; words of the text now and then."""
    if chance.random() < 0.3:
        return mutated_text(chance, content)
    data = copy.deepcopy(json.loads(content))
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = _changed(chance, data)
    return json.dumps(data).encode()


def _changed(chance: random.Random, data: Any) -> Any:
    """The data with one value changed, at any depth."""
    if not isinstance(data, dict | list) or not data or chance.random() < 0.2:
        return copy.deepcopy(chance.choice(VALUES))
    place = chance.choice(list(data) if isinstance(data, dict) else range(len(data)))
    kind = chance.randrange(6)
    if kind == 0:
        del data[place]
    elif kind == 1:
        data[place] = [data[place]]
    elif kind == 2 and isinstance(data, dict):
        data[chance.choice(("", "a", "²", "\ud800"))] = data.pop(place)
    else:
        data[place] = _changed(chance, data[place])
    return data
