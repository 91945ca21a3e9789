"""What classes are called: the lists that come with the package, and a manifest's own."""

from pathlib import Path

import pytest

from mobilebench.bench.models import class_names
from mobilebench.bench.models.class_names import (
    are_same,
    folded,
    names_of,
    numbers_by_name,
    usual_names,
)
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT, parse_variant

CLASSIFIER = parse_variant("mobilenet_v2_1.0_224")
DETECTOR = parse_variant("ssdlite_mobilenet_v2_1.0_320")
SEGMENTER = parse_variant("deeplabv3_mobilenet_v2_1.0_513")


@pytest.mark.parametrize(
    ("task", "classes", "number", "name"),
    [
        (CLASSIFY, 1000, 0, "tench"),
        (CLASSIFY, 1000, 300, "tiger beetle"),
        (CLASSIFY, 1000, 999, "toilet tissue"),
        (CLASSIFY, 1001, 0, "background"),
        (CLASSIFY, 1001, 301, "tiger beetle"),
        (DETECT, 91, 0, "background"),
        (DETECT, 91, 12, "N/A"),
        (DETECT, 91, 13, "stop sign"),
        (DETECT, 91, 90, "toothbrush"),
        (SEGMENT, 21, 0, "background"),
        (SEGMENT, 21, 15, "person"),
        (SEGMENT, 21, 20, "tvmonitor"),
    ],
)
def test_usual_classes_have_names(task: str, classes: int, number: int, name: str) -> None:
    names = usual_names(task, classes)
    assert len(names) == classes
    assert names[number] == name


def test_other_numbers_of_classes_have_none() -> None:
    assert usual_names(CLASSIFY, 37) == ()
    assert usual_names(DETECT, 1000) == ()
    assert usual_names(SEGMENT, 5) == ()


def test_a_manifest_s_names_win_and_may_leave_out_the_background() -> None:
    pets = parse_variant("mobilenet_v2_1.0_224_c2")
    assert names_of(pets, ["cat", "dog"]) == ("cat", "dog")
    person = parse_variant("ssdlite_mobilenet_v2_1.0_300_c2")
    assert names_of(person, ["person"]) == ("background", "person")
    assert names_of(person) == ()
    assert names_of(parse_variant("mobilenet_v2_1.0_224_c1"), ["no", "yes"]) == ("no", "yes")
    assert names_of(pets, ["cat", "dog", "bird"]) == ()
    assert names_of(CLASSIFIER)[0] == "tench"
    assert names_of(SEGMENTER)[0] == "background"


def test_classes_are_found_by_name_however_it_is_written() -> None:
    numbers = numbers_by_name(usual_names(DETECT, 91))
    assert numbers[folded("Stop_Sign")] == 13
    assert numbers[folded("motorbike")] == numbers[folded("motorcycle")]
    assert numbers[folded("tv-monitor")] == numbers[folded("TV")]
    assert folded("N/A") not in numbers


def test_imagenet_s_classes_are_found_by_wordnet_id() -> None:
    for classes, number in ((1000, 300), (1001, 301)):
        numbers = numbers_by_name(usual_names(CLASSIFY, classes))
        assert numbers["n02165105"] == number == numbers[folded("tiger beetle")]


def test_a_name_of_two_classes_finds_none() -> None:
    assert folded("a") not in numbers_by_name(["a", "b", "A"])


def test_each_list_names_its_source_and_licence() -> None:
    folder = Path(class_names.__file__).parent / "names"
    lists = sorted(folder.glob("*.csv"))
    assert [path.name for path in lists] == ["coco.csv", "imagenet.csv", "voc.csv"]
    for path in lists:
        assert "torchvision/models/_meta.py; BSD-3-Clause" in path.read_text().splitlines()[0]
    assert "BSD 3-Clause License" in (folder / "LICENSE-torchvision.txt").read_text()


def test_names_with_synonyms_are_the_same_classes() -> None:
    plain = usual_names(CLASSIFY, 1000)
    longer = [f"{name}, Latina" for name in plain]
    longer[3] = "another word"
    assert are_same(longer, plain)
    assert not are_same(longer[::-1], plain)
    assert not are_same(longer[1:], plain)
    numbers = numbers_by_name(longer)
    assert numbers["n02165105"] == numbers[folded("tiger beetle")] == 300
    assert numbers[folded(plain[3])] == numbers[folded("another word")] == 3
