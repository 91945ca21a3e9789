"""OpenCL's source text in a tenth of its size: what repeats becomes macros.

A library carries the source of its kernels, which are unrolled, and say the same over and over.
Pairs of tokens that occur often are named, and then pairs of those names, until none occurs often:
Re-Pair (Larsson and Moffat, "Off-line dictionary-based compression", 2000). The device's own
preprocessor undoes it, so a compiler sees the very tokens that it would have seen.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice, pairwise, product
from string import ascii_letters, digits
from typing import Any

_CALLBACK = "tvm_callback_opencl_postproc"  # as TVM's code generator looks for it
_OFTEN = 4  # less is not worth a definition
_NAME, _DEFINE = 3, 13  # characters of a macro's name, and of what defines it
_LINE = 40  # tokens of a line or a macro; C promises 4095 characters
_MOST = 4000  # macros; C promises 4095
_TOKEN = re.compile(
    r"""
    ^\#.*$                     # a line of the preprocessor
    | \bget_\w+\(\d\)          # a call that may be a macro of the driver's
    | [A-Za-z_]\w*
    | \.?\d(?:[eEpP][+-]|[\w.])*
    | <<= | >>= | \+\+ | -- | -> | && | \|\| | << | >> | [-+*/%&|^<>=!]=
    | \S
    """,
    re.VERBOSE | re.MULTILINE,
)
_OTHERS = re.compile(r'^(?!\s*#).*"|\\|\.\.\.|^\s*#\s*define\b|\bas_\w+\s*\(', re.MULTILINE)
"""Text, lines that go on, and macros with arguments, whose calls have to stand there whole."""
_DECLARATION = re.compile(r"^__kernel void \w+\([^{};]*\);$", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@contextmanager
def compact_kernels() -> Iterator[list[str]]:
    """Have TVM write compact sources meanwhile, whatever else was to be done with them.

    Gives a list that is filled with the sources as they were before.
    """
    import tvm_ffi

    sources: list[str] = []

    def shorten(source: str, _target: Any) -> str:
        sources.append(source)
        return compact(source)

    tvm_ffi.register_global_func(_CALLBACK, shorten, override=True)
    try:
        yield sources
    finally:
        tvm_ffi.registry.remove_global_func(_CALLBACK)


def compact(source: str) -> str:
    """Return source text of the same tokens, but for comments and what is declared and not called.

    Kernels are declared before each other, and none calls another. Built-in functions are taken for
    functions, as OpenCL C calls them, but for `as_type`: text with that stays as it is, and so does
    what TVM does not write for this network, such as strings or macros of its own.
    """
    if _OTHERS.search(source):
        return source
    bare = _DECLARATION.sub("", _INDENT.sub("", _COMMENT.sub(" ", source)))
    tokens = _TOKEN.findall(bare)
    shorter, macros = _paired(tokens)
    often = [token for token, _ in _uses(shorter, macros).most_common() if token in macros]
    names = dict(zip(often, _names(set(re.findall(r"\w+", source))), strict=False))

    def text(tokens: Sequence[str]) -> str:
        return _joined([names.get(token, token) for token in tokens])

    defined = [f"#define {names[macro]} {text(body)}" for macro, body in macros.items()]
    return "\n".join([*defined, *map(text, _lines(shorter))]) + "\n"


def _paired(tokens: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return fewer tokens, some of which are macros, and the macros, which begin with a blank."""
    sequence = list(tokens)
    rules: dict[str, tuple[str, ...]] = {}
    while chosen := _often(sequence)[: _MOST - len(rules)]:
        named = {pair: f" {len(rules) + index}" for index, pair in enumerate(chosen)}
        rules |= {name: pair for pair, name in named.items()}
        sequence = _replaced(sequence, named)
    uses = _uses(sequence, rules)
    worth = (
        token
        for token, times in uses.items()
        if token.isidentifier() and times * (len(token) - _NAME) > len(token) + _DEFINE
    )
    long = {token: f" {token}" for token in islice(worth, _MOST - len(rules))}
    macros = {name: [token] for token, name in long.items()}
    for name, pair in rules.items():
        body: list[str] = []
        for token in pair:  # what is used once, by another macro, is a part of that
            once = token in rules and uses[token] == 1 and len(body) + len(macros[token]) < _LINE
            body += macros.pop(token) if once else [long.get(token, token)]
        macros[name] = body
    return [long.get(token, token) for token in sequence], macros


def _uses(sequence: Sequence[str], macros: Mapping[str, Sequence[str]]) -> Counter[str]:
    """Return how often each token stands in the text and in the macros."""
    uses = Counter(sequence)
    for body in macros.values():
        uses.update(body)
    return uses


def _often(sequence: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs that occur about as often as any, and share no token with each other."""
    pairs = Counter(pairwise(sequence)).most_common()
    counts = [(pair, times) for pair, times in pairs if "#" not in (pair[0][0], pair[1][0])]
    chosen: list[tuple[str, str]] = []
    taken: set[str] = set()
    for pair, times in counts:
        if times < max(_OFTEN, counts[0][1] // 2):
            break
        if taken.isdisjoint(pair):
            chosen.append(pair)
            taken.update(pair)
    return chosen


def _replaced(sequence: Sequence[str], named: dict[tuple[str, str], str]) -> list[str]:
    shorter: list[str] = []
    waiting: str | None = None
    for token in sequence:
        name = named.get((waiting, token)) if waiting is not None else None
        if name:
            shorter.append(name)
            waiting = None
            continue
        if waiting is not None:
            shorter.append(waiting)
        waiting = token
    return shorter + ([waiting] if waiting is not None else [])


def _names(taken: set[str]) -> Iterator[str]:
    """Yield names that are not in the text, nor, as they end in `_`, in any compiler's headers."""
    for length in count():
        for first, *rest in product(ascii_letters, *[ascii_letters + digits] * length):
            if (name := "".join([first, *rest, "_"])) not in taken:
                yield name


def _joined(tokens: Sequence[str]) -> str:
    """Return tokens as text, apart where they would be others together."""
    text = ""
    for token in tokens:
        alike = text and _is_word(text[-1]) == _is_word(token[0]) and text[-1] not in "()[],;"
        number = text[-1:] in tuple("eEpP") and token[0] in "+-"  # 0x1e+2 is one, and none at all
        text += f" {token}" if alike or number else token
    return text


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_."


def _lines(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Yield lines of a moderate length; those of the preprocessor stand alone."""
    line: list[str] = []
    for token in tokens:
        if line and (token[0] == "#" or len(line) == _LINE):
            yield line
            line = []
        if token[0] == "#":
            yield [token]
        else:
            line.append(token)
    yield line
