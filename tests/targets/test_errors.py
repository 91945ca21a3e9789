"""What is suggested for a misspelt name."""

import pytest

from mobilebench.targets.errors import did_you_mean, listed

GRIDS = ["published", "small", "paper"]
NETWORKS = ["mobilenet_v2_1.4_224", "mobilenet_v2_1.0_224", "mobilenet_v2_1.0_224"]


@pytest.mark.parametrize(
    ("name", "known", "phrase"),
    [
        ("publishd", GRIDS + NETWORKS, "did you mean published?"),
        ("Small", GRIDS, "did you mean small?"),
        ("mobilenet_v2_1.0_225", NETWORKS, "did you mean mobilenet_v2_1.0_224"),
        ("aarch64_linux", ["host", "aarch64-linux"], "did you mean aarch64-linux?"),
        ("onnx", ["tvm", "onnxruntime"], "did you mean onnxruntime?"),
        ("--frobnicate", ["--runtime", "--bundle"], "known are --runtime and --bundle"),
        ("resnet50", GRIDS, "known are published, small and paper"),
        ("x", [str(n) for n in range(20)], "known are 0, 1, 2, 3, 4, 5 and 14 more"),
    ],
)
def test_near_names_are_suggested_else_the_known_ones_listed(
    name: str, known: list[str], phrase: str
) -> None:
    assert did_you_mean(name, known).startswith(phrase)


def test_each_suggestion_is_made_once() -> None:
    assert did_you_mean("mobilenet_v2_1.0_225", NETWORKS).count("mobilenet_v2_1.0_224") == 1


def test_a_caller_may_say_something_else_where_no_name_is_near() -> None:
    assert did_you_mean("q", GRIDS, "none is near") == "none is near"


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("", "a", "a or b", "a, b or c"),
    ]
