"""What the classes of networks are called: ImageNet's, COCO's and VOC's, or a manifest's own."""

import csv
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.variant import CLASSES, CLASSIFY, DETECT, SEGMENT

BACKGROUND, NO_NAME = "background", "N/A"
_NAMES = Path(__file__).parent / "names"
NAMES_LICENSE = _NAMES / "LICENSE-torchvision.txt"
_LISTS = {DETECT: "coco.csv", SEGMENT: "voc.csv"}
_SAME = {  # VOC's and Darknet's words for COCO's
    "aeroplane": "airplane",
    "hairdryer": "hairdrier",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def usual_names(task: str, classes: int) -> tuple[str, ...]:
    """Return the names of the classes that networks of a task usually have; none of others.

    Of 1001 classes of a classifier the first is background.
    """
    if task == CLASSIFY and classes in (CLASSES[task], CLASSES[task] + 1):
        names = tuple(name for _, name in _rows("imagenet.csv"))
        return names if classes == len(names) else (BACKGROUND, *names)
    if task in (DETECT, SEGMENT) and classes == CLASSES[task]:
        named = {int(number): name for number, name in _rows(_LISTS[task])}
        named[0] = BACKGROUND
        return tuple(named.get(number, NO_NAME) for number in range(classes))
    return ()


def wordnet_ids() -> tuple[str, ...]:
    """Return the WordNet id of each of ImageNet's 1000 classes."""
    return tuple(identity for identity, _ in _rows("imagenet.csv"))


def names_of(variant: Network, declared: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the name of each class that a network tells apart; none if they are not known.

    `declared` are a manifest's, with the background among them or without.
    """
    if not declared:
        return usual_names(variant.task, variant.classes)
    if len(declared) == variant.labels - 1:
        return (BACKGROUND, *declared)
    return tuple(declared) if len(declared) == variant.labels else ()


def numbers_by_name(names: Sequence[str]) -> dict[str, int]:
    """Return the class of each name, as `folded` writes it, and of ImageNet's WordNet ids.

    Names that two classes have are left out. Of a name with synonyms (`tench, Tinca tinca`) the
    first will do.
    """
    found: dict[str, int] = {}
    twice = set()
    for number, name in enumerate(names):
        if name == NO_NAME:
            continue
        for said in {folded(name), folded(name.partition(",")[0])}:
            twice |= {said} & found.keys()
            found[said] = number
    imagenet = usual_names(CLASSIFY, CLASSES[CLASSIFY])
    if are_same(names[-len(imagenet) :], imagenet):
        first = len(names) - len(imagenet)
        for number, (identity, name) in enumerate(zip(wordnet_ids(), imagenet, strict=True), first):
            found[identity] = number
            found.setdefault(folded(name), number)
    return {name: number for name, number in found.items() if name not in twice}


def are_same(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two lists are of the same classes in the same order, though not in the same words.

    That is so if most names are equal, or the first of their synonyms.
    """
    if len(names) != len(others):
        return False
    pairs = zip(names, others, strict=True)
    equal = sum(folded(a.partition(",")[0]) == folded(b.partition(",")[0]) for a, b in pairs)
    return 2 * equal > len(names)


def folded(name: str) -> str:
    """Return a name without case, blanks and marks, and in COCO's words: `TV-monitor` is `tv`."""
    composed = unicodedata.normalize("NFC", name)  # as macOS does not name files
    plain = "".join(char for char in composed.casefold() if char.isalnum())
    return _SAME.get(plain, plain)


@cache
def _rows(file: str) -> tuple[tuple[str, str], ...]:
    lines = (_NAMES / file).read_text(encoding="utf-8").splitlines()
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows)
    return tuple((first, name) for first, name in rows)
