"""The networks in a checkpoint: alone, in tables and wrappers, raw and averaged side by side."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mobilebench.bench.models.checkpoint_keys import NAMINGS
from mobilebench.targets.errors import BenchError, unknown

One = TypeVar("One")

PART_MARK = "#part="
_WHOLE = "raw"  # what a network is called whose names begin with nothing
_AVERAGED = {"ema", "swa", "avg", "average", "averaged", "polyak", "shadow"}
_WORDS = re.compile(r"[._]|(?<=[a-z])(?=[A-Z])")
# What optimizers average is gradients: Adam's moments, RMSprop's squares, Adafactor's rows.
_MOMENT = re.compile(r"(.*\.)?((max_)?exp_avg|square_avg|grad_avg)\w*")
_WRAPPERS = re.compile(r"(\.?(module|_orig_mod))*\.$")
_COUNT = "n_averaged"  # of `torch.optim.swa_utils.AveragedModel`
_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")
_MANY = 10  # tensors, of which so many are a network's


@dataclass(frozen=True)
class Part:
    """A network of a checkpoint, by what the names of its tensors begin with."""

    prefix: str
    averaged: bool = False

    @property
    def name(self) -> str:
        """What a user calls it, and reports."""
        return _WRAPPERS.sub("", self.prefix) or _WHOLE


@dataclass(frozen=True)
class Choice:
    """The network that is taken of a checkpoint, and those beside it."""

    part: Part
    others: tuple[Part, ...] = ()
    unmatched: str = ""  # the name of a tensor that seems averaged, under names of its own

    @property
    def name(self) -> str:
        """What the network is called; empty where there is no other."""
        return self.part.name if self.others else ""

    def of(self, entries: Mapping[str, One]) -> dict[str, One]:
        """Return the network's tensors, or whatever is known of them, by its own names.

        Trainers that average what is trained alone leave batch norm's statistics raw.
        """
        found = self._below(self.part, entries)
        raw = [one for one in self.others if not one.averaged]
        if self.part.averaged and len(raw) == 1:
            beside = self._below(raw[0], entries)
            found |= {
                name: one
                for name, one in beside.items()
                if name not in found and name.endswith(_STATISTICS)
            }
        return found

    def beside(self, entries: Mapping[str, One]) -> dict[str, One]:
        """Return what lies around the network and in none, by its name there; the nearest first."""
        networks = tuple(one.prefix for one in (self.part, *self.others))
        found: dict[str, One] = {}
        around = self.part.prefix
        while around:
            around = around.removesuffix(".").rpartition(".")[0]
            around = f"{around}." if around else ""
            for name, one in entries.items():
                if name.startswith(around) and not name.startswith(networks):
                    found.setdefault(name.removeprefix(around), one)
        return found

    def _below(self, part: Part, entries: Mapping[str, One]) -> dict[str, One]:
        inner = tuple(
            one.prefix
            for one in (self.part, *self.others)
            if one != part and one.prefix.startswith(part.prefix)
        )
        return {
            name[len(part.prefix) :]: one
            for name, one in entries.items()
            if name.startswith(part.prefix) and not (inner and name.startswith(inner))
        }


def choose_part(names: Collection[str], asked: str, source: str) -> Choice:
    """Return which network of a checkpoint is meant: the averaged one where there are both.

    Names of nested tables are joined by dots. Where no network is recognised the whole is taken.
    Raises BenchError naming `source` if there is no part of the name asked for, or if several
    could be meant.
    """
    parts = _parts(names)
    if asked:
        named = {one.name: one for one in parts}
        if asked not in named:
            raise unknown(f"checkpoint {source}: part", asked, named)
        return _choice(named[asked], parts, names)
    averaged = [one for one in parts if one.averaged]
    raw = [one for one in parts if not one.averaged]
    if len(averaged) > 1 or len(raw) > 1:
        known = ", ".join(one.name for one in parts)
        raise BenchError(
            f"checkpoint {source}: holds several networks ({known}); choose one of them by "
            f"appending {PART_MARK}NAME"
        )
    return _choice(next(iter([*averaged, *raw]), Part("")), parts, names)


def _choice(part: Part, parts: list[Part], names: Collection[str]) -> Choice:
    prefixes = tuple(one.prefix for one in parts)
    strange = [] if part.averaged or not all(prefixes) else _unmatched(names, prefixes)
    others = tuple(one for one in parts if one != part)
    return Choice(part, others, strange[0] if len(strange) >= _MANY else "")


def _parts(names: Collection[str]) -> list[Part]:
    """Return where the first layer of a known network lies, and so the network."""
    stems = tuple(naming.stem for naming in NAMINGS)
    prefixes = {
        name.removesuffix(stem)
        for name in names
        for stem in stems
        if name == stem or name.endswith(f".{stem}")
    }
    return [Part(one, _is_averaged(one, names)) for one in sorted(prefixes)]


def _is_averaged(prefix: str, names: Collection[str]) -> bool:
    outer = prefix.removesuffix("module.")
    counted = outer != prefix and f"{outer}{_COUNT}" in names
    return counted or _says_averaged(prefix)


def _says_averaged(name: str) -> bool:
    return not _MOMENT.fullmatch(name) and any(
        word.lower() in _AVERAGED for word in _WORDS.split(name)
    )


def _unmatched(names: Collection[str], prefixes: tuple[str, ...]) -> list[str]:
    return [one for one in names if not one.startswith(prefixes) and _says_averaged(one)]
