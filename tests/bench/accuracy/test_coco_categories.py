"""Categories of a COCO file are the network's classes of the same name, whatever their ids."""

from typing import Any

import pytest

from mobilebench.bench.accuracy.coco_categories import match_categories
from mobilebench.bench.models.class_names import usual_names
from mobilebench.targets.errors import BenchError

COCO = usual_names("detect", 91)


def content(named: dict[Any, str], used: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return what a file says that has these categories, of which some are used."""
    return {
        "annotations": [{"category_id": identity} for identity in used or named],
        "categories": [{"id": identity, "name": name} for identity, name in named.items()],
    }


def matched(named: dict[Any, str], used: tuple[Any, ...] = (), **network: Any) -> dict[Any, int]:
    network = {"classes": 91, "names": COCO} | network
    found = match_categories(content(named, used), what="data x", **network)
    assert found.notes == ()
    return dict(found.classes)


@pytest.mark.parametrize(
    ("named", "classes"),
    [
        ({1: "person", 13: "stop sign", 90: "toothbrush"}, [1, 13, 90]),
        ({1: "person", 12: "stop sign", 80: "toothbrush"}, [1, 13, 90]),  # without gaps
        ({0: "person", 11: "stop sign", 79: "toothbrush"}, [1, 13, 90]),  # from 0
        ({5: "Stop_Sign", 4: "PERSON"}, [13, 1]),
        ({1: "aeroplane", 2: "motorbike", 3: "tvmonitor", 4: "sofa"}, [5, 4, 72, 63]),
        ({"a": "dog", "b": "cat"}, [18, 17]),
    ],
)
def test_categories_are_matched_by_name(named: dict[Any, str], classes: list[int]) -> None:
    assert list(matched(named).values()) == classes


def test_a_name_that_no_annotation_uses_is_passed_over() -> None:
    assert matched({0: "animals-k9x2", 1: "dog", 2: "cat"}, (1, 2)) == {1: 18, 2: 17}


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({1: "helmet"}, r"category 'helmet' \(id 1\) is none of the network's classes"),
        ({1: "person", 12: "street sign"}, "category 'street sign'.*did you mean stop sign"),
        ({12: "N/A"}, "category 'N/A'"),
        ({0: "background"}, "category 'background'"),
    ],
)
def test_unknown_names_are_refused(named: dict[Any, str], reason: str) -> None:
    with pytest.raises(BenchError, match=f"data x: {reason}") as refusal:
        matched(named)
    assert "\n" not in str(refusal.value)


def test_a_network_s_own_names_are_matched() -> None:
    own = {"classes": 3, "names": ("background", "scratch", "dent")}
    assert matched({7: "dent", 8: "scratch"}, **own) == {7: 2, 8: 1}
    with pytest.raises(BenchError, match="category 'person'"):
        matched({1: "person"}, **own)


def test_without_names_as_many_categories_are_in_the_order_of_their_ids() -> None:
    assert matched({1: "person"}, classes=2, names=()) == {1: 1}
    assert matched({2: "dent", 1: "scratch"}, classes=3, names=()) == {1: 1, 2: 2}
    found = match_categories(content({10: "dent", 9: "scratch"}), 3, (), "data x")
    assert found.classes == {9: 1, 10: 2}
    assert found.notes == (
        "categories are matched in the order of their ids: scratch is 1, dent is 2",
    )


def test_without_names_another_number_of_categories_is_refused() -> None:
    for named in ({1: "a"}, {1: "a", 2: "b", 3: "c"}):
        with pytest.raises(BenchError, match=r"the network 2; name its classes in .* manifest"):
            match_categories(content(named), 3, (), "data x")


def test_a_file_without_a_list_of_categories_has_the_network_s_ids() -> None:
    found = match_categories({"annotations": [{"category_id": 90}]}, 91, COCO, "data x")
    assert list(found.classes.items())[-1] == (90, 90)
    assert found.notes == (
        "the data does not list its categories, so their ids are taken as the network's",
    )


@pytest.mark.parametrize(
    ("categories", "reason"),
    [
        (["dog"], "category 0 of its list has no id or no name"),
        ([{"id": 1}], "category 0 of its list has no id or no name"),
        ([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "two of its categories have the id 1"),
        ({"1": "dog"}, "category 0 of its list has no id or no name"),
    ],
)
def test_other_lists_of_categories_are_refused(categories: Any, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        match_categories({"annotations": [], "categories": categories}, 91, COCO, "data x")
