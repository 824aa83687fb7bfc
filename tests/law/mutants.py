"""Law files with something changed: bytes, or parts of what they hold."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

LEAVES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 0.5, -0.5, 1e-320, 1e308, -1e308, 10**400, "", "loss",
    "epoch", "progress", "parameters", "adam", "log", "__class__", "network", [], [[]], {}, [1, 2],
    ["log", -1.0], ["div", 1.0, 0.0], ["exp", 1e3], ["mul", "loss", "loss"], {"a": 1},
)  # fmt: skip
LITERALS = (b"1e999", b"-1e999", b"NaN", b"-Infinity", b"00", b"1e-400", b"\x00", b"\xff", b'"')
Draw = random.Random


def mutant(content: bytes, draw: Draw) -> bytes:
    """One to three changes, of bytes or of structure where there is one."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(CHANGES)(content, draw)
    return content


def _flip(content: bytes, draw: Draw) -> bytes:
    if not content:
        return b"\x00"
    position = draw.randrange(len(content))
    return (
        content[:position]
        + bytes([content[position] ^ 1 << draw.randrange(8)])
        + content[position + 1 :]
    )


def _cut(content: bytes, draw: Draw) -> bytes:
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return draw.choice((content[:a], content[:a] + content[b:], content[: len(content) - 1]))


def _repeat(content: bytes, draw: Draw) -> bytes:
    a = draw.randrange(len(content) + 1)
    b = min(len(content), a + draw.randrange(1, 60))
    return content[:b] + content[a:b] + content[b:]


def _insert(content: bytes, draw: Draw) -> bytes:
    a = draw.randrange(len(content) + 1)
    return content[:a] + draw.choice(LITERALS) + content[a + draw.randrange(3) :]


def _number(content: bytes, draw: Draw) -> bytes:
    """Another literal instead of a digit run."""
    digits = [k for k, c in enumerate(content) if 48 <= c <= 57]
    if not digits:
        return content
    a = draw.choice(digits)
    b = a
    while b < len(content) and content[b] in b"0123456789.e-+":
        b += 1
    return content[:a] + draw.choice(LITERALS[:6]) + content[b:]


def _structure(content: bytes, draw: Draw) -> bytes:
    """A leaf, a key or a whole part of the JSON changed; of a network that of its header."""
    size = int.from_bytes(content[:8], "little")
    is_network = len(content) > 9 and content[7] == 0 and size < len(content)
    try:
        data = json.loads(content[8 : 8 + size] if is_network else content)
        inner = is_network and draw.random() < 0.6
        inside = json.loads(data["__metadata__"]["psi-law"]) if inner else data
    except (ValueError, KeyError, TypeError, RecursionError):
        return _flip(content, draw)
    changed = _changed(copy.deepcopy(inside), draw)
    try:
        if inner:
            data["__metadata__"]["psi-law"] = json.dumps(changed)
            changed = data
        text = json.dumps(changed).encode()
    except (ValueError, TypeError):
        return content
    if not is_network:
        return text
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _changed(data: Any, draw: Draw) -> Any:
    slots = list(_slots(data))
    if not slots:
        return draw.choice(LEAVES)
    parent, key = draw.choice(slots)
    match draw.randrange(4):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[draw.choice(("kind", "extra", "scale", "rates", "shape"))] = parent.pop(key)
        case 2:
            other, name = draw.choice(slots)
            parent[key] = copy.deepcopy(other[name])
        case _:
            parent[key] = copy.deepcopy(draw.choice(LEAVES))
    return data


def _slots(data: Any) -> Any:
    """Every (container, key) in it."""
    keys = data.keys() if isinstance(data, dict) else range(len(data))
    for key in list(keys):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from _slots(data[key])


CHANGES: tuple[Callable[[bytes, Draw], bytes], ...] = (
    _flip, _cut, _repeat, _insert, _number, _structure, _structure, _structure, _structure,
)  # fmt: skip
