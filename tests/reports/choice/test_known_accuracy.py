"""Which accuracy a row has: measured, or else published."""

from typing import Any

from mobilebench.reports.choice.known_accuracy import AccuracyBook, published

TRAINED: dict[str, Any] = {"weights": "net.pth", "images": 400, "data": "val"}
BETTER = 73.25


def test_a_measured_figure_wins_over_a_published_one(make_record: Any) -> None:
    row = make_record(**TRAINED, top1_percent=BETTER)
    known = AccuracyBook([]).look_up(row)
    assert known
    assert (known.percent, known.measured, known.metric) == (BETTER, True, "top-1")
    assert known.source == "measured on 400 images (val)"
    assert known.low_percent and known.high_percent
    assert known.low_percent < BETTER < known.high_percent


def test_what_another_row_of_the_same_weights_and_precision_had_counts(make_record: Any) -> None:
    elsewhere = make_record(runtime="torch", **TRAINED, top1_percent=BETTER)
    row = make_record(target="raspberry-pi-5", weights="net.pth")
    known = AccuracyBook([elsewhere]).look_up(row)
    assert known
    assert (known.percent, known.borrowed) == (BETTER, "")
    assert known.source == "measured on 400 images (val) in torch on native"


def test_the_same_runtime_s_figure_is_preferred_and_then_the_newest(make_record: Any) -> None:
    figures = (("tvm", 70.0), ("torch", 71.0), ("ncnn", 72.0))
    rows = [make_record(runtime=name, **TRAINED, top1_percent=top1) for name, top1 in figures]
    book = AccuracyBook(rows)
    for runtime, percent in (*figures, ("openvino", 72.0)):
        known = book.look_up(make_record(runtime=runtime, weights="net.pth"))
        assert known
        assert known.percent == percent


def test_random_weights_stand_for_a_checkpoint_of_the_variant(make_record: Any) -> None:
    measured = make_record(**TRAINED, top1_percent=BETTER)
    known = AccuracyBook([measured]).look_up(make_record())
    assert known
    assert known.percent == BETTER
    assert known.source.endswith("with net.pth")


def test_other_weights_and_precisions_lend_nothing(make_record: Any) -> None:
    book = AccuracyBook([make_record(**TRAINED, top1_percent=BETTER)])
    for others in ({"weights": "other.pth"}, {"weights": "net.pth", "precision": "int8"}):
        known = book.look_up(make_record(**others))
        assert known
        assert (known.measured, known.percent) == (False, 71.8)


def test_a_row_that_is_not_ok_lends_nothing(make_record: Any) -> None:
    wrong = make_record(**TRAINED, top1_percent=BETTER, status="wrong")
    known = AccuracyBook([wrong]).look_up(make_record())
    assert known
    assert not known.measured


def test_a_published_figure_is_of_float32_and_says_so_elsewhere(make_record: Any) -> None:
    exact, borrowed = (
        published("mobilenet_v2_1.0_224", "classify", p) for p in ("float32", "int8")
    )
    assert exact
    assert borrowed
    assert (exact.borrowed, borrowed.borrowed) == ("", "published for float32")
    assert "slim" in exact.source
    assert published("mobilenet_v2_1.0_224", "detect", "float32") is None
    assert published("mobilenet_v2_0.9_224", "classify", "float32") is None


def test_an_interval_of_a_detector_is_the_measured_one(make_record: Any) -> None:
    row = make_record(
        "ssdlite_mobilenet_v2_1.0_320",
        **TRAINED,
        map_percent=21.0,
        map_ci95_low_percent=19.0,
        map_ci95_high_percent=23.0,
    )
    known = AccuracyBook([]).look_up(row)
    assert known
    assert (known.low_percent, known.percent, known.high_percent) == (19.0, 21.0, 23.0)


def test_a_network_for_something_else_has_no_accuracy(make_record: Any) -> None:
    assert AccuracyBook([]).look_up(make_record(task="other")) is None
