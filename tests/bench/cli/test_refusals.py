"""Every bad request: one line that says what, where and what to do, and exit code 2."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.models.variant import parse_variant
from tests.datasets import HEIGHT, WIDTH, save_checkpoint, save_picture, write_coco, write_voc

ROOT = Path(__file__).parents[3]
TINY = ("--variant", "mobilenet_v2_0.35_32")
DETECTOR = ("--variant", "ssdlite_mobilenet_v2_0.35_64")
SEGMENTER = ("--variant", "deeplabv3_mobilenet_v2_0.35_65")


def assert_refused(done: Any, *parts: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mobilebench: ")
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "--variant", "mobilenet_v2_0_224"], "width multiplier must be above 0"),
        (["tune", "--target", "x86-64-v5"], "unknown target 'x86-64-v5'"),
        (["report"], "no such file; `mobilebench run` makes one"),
        (["store", "runs"], "no such file; `mobilebench run` makes one"),
        (["variants", "--variant", "resnet50"], "unknown variant 'resnet50'; give a name like"),
        (["devices", "--tracker", "nowhere"], "tracker 'nowhere': give it as HOST:PORT"),
        (["board", "start", "native"], "target native: it is not an emulated board"),
        (["frobnicate"], "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_refused_request_prints_one_line_and_exits_with_2(
    mobilebench_process: Any, arguments: list[str], part: str
) -> None:
    assert_refused(mobilebench_process(*arguments), part)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "--varient", "small"], "option --varient; did you mean --variant? See `{} run"),
        (["run", "--frobnicate"], "--frobnicate; this command has none of that name. See `{} run"),
        (["run", "--threads"], "Option '--threads' requires an argument. See `{} run"),
        (["runn"], "unknown command 'runn'; did you mean run? See `{}"),
        (["store", "rnus"], "unknown command 'rnus'; did you mean runs? See `{} store"),
        (["compare", "latest"], "Missing argument 'HEAD'. See `{} compare"),
    ],
)
def test_a_command_line_that_cannot_be_read_names_the_commands_own_help(
    mobilebench: Any, arguments: list[str], line: str
) -> None:
    assert_refused(mobilebench(*arguments), f"{line.format('mobilebench')} --help`.")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--variant", "publishd"], ["unknown variant 'publishd'; did you mean published?"]),
        (["--variant", "mobilenet_v2_1.0_225x"], ["unknown variant", "mobilenet_v2_1.0_224"]),
        (["--variant", "mobilenet_v2_1.0_31"], ["31x31", "32 to 4096"]),
        (["--variant", "mobilenet_v2_0_224"], ["width multiplier must be above 0"]),
        (["--threads", "1000"], ["1000 threads were asked for, and it may use", "at most"]),
        (["--target", "x86-64-v5"], ["unknown target", "x86-64-v4"]),
        (["--runtime", "onyxruntime"], ["unknown runtime", "onnxruntime"]),
        (["--effort", "fast"], ["unknown effort", "quick", "standard", "rigorous"]),
        (["--threads", "0"], ["--threads must be a whole number from 1 to 1024, not 0"]),
        (["--threads", "two"], ["--threads must be a whole number from 1 to 1024, not two"]),
        (["--time-limit", "0"], ["--time-limit must be a number of seconds above 0"]),
        (["nosuch.toml"], ["nosuch.toml", "No such file"]),
        (["--target", "nosuch.toml"], ["nosuch.toml", "No such file"]),
        (["--weights", "nosuch.pth"], ["nosuch.pth", "No such file"]),
        (["--weights", "http://127.0.0.1:9/x.pth"], ["#sha256="]),
        (["--store", "/nonexistent/store.sqlite"], ["store", "/nonexistent/store.sqlite"]),
        (["--store", "nosuch://store"], ["not a database URL"]),
        (["--resume", "latest"], ["no such file", "mobilebench run"]),
        (["--data", "nosuch"], ["random weights", "--weights"]),
        (["--stages", "nosuch"], ["stages nosuch: no such file or directory"]),
        (
            ["--stages", ".", "--target", "raspberry-pi-4"],
            ["stages .: they are timed on this machine's CPU", "--target native", "--time"],
        ),
        (["--frobnicate"], ["--frobnicate"]),
    ],
)
def test_run_refuses(mobilebench: Any, arguments: list[str], parts: list[str]) -> None:
    assert_refused(mobilebench("run", *arguments), *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("variant = [", ["suite.toml"]),
        ('variant = ["smal"]', ["suite.toml", "did you mean small?"]),
        ('varian = ["small"]', ["suite.toml", "'varian'", "variant"]),
        ('variant = "small"', ["suite.toml", "variant must be a list"]),
        ("threads = [true]", ["suite.toml", "threads"]),
    ],
)
def test_run_refuses_a_bad_suite_file(
    mobilebench: Any, tmp_path: Path, text: str, parts: list[str]
) -> None:
    (tmp_path / "suite.toml").write_text(text)
    assert_refused(mobilebench("run", "suite.toml"), *parts)


def test_run_refuses_a_bad_target_file(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text('descripton = "a board"')
    assert_refused(mobilebench("run", "--target", "board.toml"), "board.toml", "'descripton'")


ARM = '[tvm]\nkind = "llvm"\nmtriple = "aarch64-linux-gnu"\nmcpu = "cortex-a72"\n'
BOARD = 'description = "a board"\ndevice_type = "cpu"\ntoolchain = "aarch64-linux"\n'


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (BOARD + 'cpu_flags = ["neon"]\n' + ARM, "Linux calls it asimd"),
        (BOARD + 'tracker_key = "b"\n' + ARM.replace("aarch64", "riscv64"), "no toolchain serves"),
    ],
)
def test_a_target_that_cannot_work_is_refused_before_anything_is_compiled(
    mobilebench: Any, tmp_path: Path, text: str, part: str
) -> None:
    (tmp_path / "board.toml").write_text(text)
    for command in (["run"], ["tune"], ["export", "--out", "bundle"]):
        done = mobilebench(*command, *TINY, "--target", "board.toml")
        assert_refused(done, "target board:", part)
    assert_refused(mobilebench("targets", "--check", "board.toml"), "target board:", part)
    assert not (tmp_path / "bundle").exists()


def test_an_export_that_cannot_be_measured_names_the_option_that_builds_it(
    mobilebench: Any, tmp_path: Path
) -> None:
    (tmp_path / "board.toml").write_text(BOARD + ARM)
    export = ("export", *TINY, "--out", "bundle", "--target")
    assert_refused(mobilebench(*export, "board.toml"), "tracker_key", "with --no-measure")
    done = mobilebench(*export, "raspberry-pi-4", "--measure")
    assert_refused(done, "give their tracker as --tracker HOST:PORT")


@pytest.mark.slow
def test_a_target_is_checked_without_its_board(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(BOARD + 'tracker_key = "b"\n' + ARM)
    done = mobilebench("targets", "--check", "board.toml")
    assert done.returncode == 0, done.stderr
    assert "board.toml: good. Code for cortex-a72, aarch64-linux-gnu" in done.stdout
    assert "measured on boards of key b" in done.stdout
    (tmp_path / "board.toml").write_text(BOARD + 'tracker_key = "b"\n' + ARM.replace("72", "7x"))
    assert_refused(mobilebench("targets", "--check", "board.toml"), "no CPU 'cortex-a7x'")


@pytest.mark.slow
def test_a_bundle_for_boards_is_built_without_one_and_says_that_it_is_not_measured(
    mobilebench: Any, tmp_path: Path
) -> None:
    done = mobilebench("export", *TINY, "--target", "raspberry-pi-4", "--out", "bundle")
    assert done.returncode == 0, done.stderr
    assert "it will be built, but not measured" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(f"{TINY[1]} for raspberry-pi-4: not mea")
    assert "| latency | not measured |" in (tmp_path / "bundle" / "README.md").read_text()
    assert_refused(mobilebench("verify", "bundle"), "--tracker HOST:PORT", "with --no-run")
    assert mobilebench("verify", "bundle", "--no-run").returncode == 0


def test_run_refuses_a_truncated_checkpoint(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04 and no more")
    done = mobilebench("run", *TINY, "--weights", "weights.pth")
    assert_refused(done, "weights.pth", "not a readable PyTorch state_dict")


@pytest.mark.slow
def test_run_refuses_a_checkpoint_of_another_multiplier(mobilebench: Any, tmp_path: Path) -> None:
    import torch

    from mobilebench.bench.models.mobilenet_v2 import MobileNetV2

    state = MobileNetV2(parse_variant("mobilenet_v2_0.5_32")).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    done = mobilebench("run", *TINY, "--weights", "weights.pth")
    assert_refused(done, "weights.pth", "width multiplier")


@pytest.mark.slow
def test_run_refuses_a_checkpoint_of_another_network(mobilebench: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "weights.pth", parse_variant(TINY[1]))
    (tmp_path / "weights.toml").unlink()  # nothing is declared
    done = mobilebench("run", *TINY, *DETECTOR, "--weights", "weights.pth")
    assert_refused(done, "weights.pth", "no checkpoint fits it", "is a mobilenet_v2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("dog.png,1000\n", ["dog.png", "class 1000", "0 to 999"]),
        ("nosuch.png,1\n", ["nosuch.png", "missing"]),
        ("damaged.png,1\n", ["damaged.png", "damaged"]),
    ],
)
def test_run_refuses_bad_images(
    mobilebench: Any, tmp_path: Path, text: str, parts: list[str]
) -> None:
    (tmp_path / "weights.pth").write_bytes(b"\0 not read before the images are")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG and no more")
    Image.new("RGB", (40, 40)).save(tmp_path / "dog.png")
    (tmp_path / "labels.csv").write_text(f"file,class_index\n{text}")
    chosen = ("--weights", "weights.pth", "--data", "labels.csv")
    assert_refused(mobilebench("run", *TINY, *chosen), *parts)


BACKGROUND = np.zeros((HEIGHT, WIDTH))
BOX = (0, 1, 1, 2, 3, 4)  # image, category, x, y, width, height


@pytest.fixture
def with_data(mobilebench: Any, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs a variant on data, with a checkpoint that is not read before."""
    (tmp_path / "weights.pth").write_bytes(b"\0 not read before the images are")

    def run(*variant: str, data: str = "data") -> Any:
        return mobilebench("run", *variant, "--weights", "weights.pth", "--data", data)

    return run


@pytest.mark.parametrize(
    ("files", "objects", "parts"),
    [
        (["a.png", "nosuch.png"], [BOX], ["nosuch.png is missing"]),
        (["a.png", "cut.jpg"], [BOX], ["cut.jpg is damaged"]),
        (["a.png"], [(0, 91, 1, 2, 3, 4)], ["annotation 0", "category 91", "not among"]),
        (["a.png"], [(1, 1, 1, 2, 3, 4)], ["annotation 0", "image 7", "not among"]),
        (["a.png"], [], ["'annotations' is empty"]),
        ([], [BOX], ["'images' is empty"]),
    ],
)
def test_run_refuses_bad_coco_data(
    with_data: Any, tmp_path: Path, files: list[str], objects: list[Any], parts: list[str]
) -> None:
    pictures(tmp_path / "data")
    write_coco(tmp_path / "data", files, objects)
    assert_refused(with_data(*DETECTOR), "annotations.json", *parts)


@pytest.mark.parametrize(
    ("masks", "parts"),
    [
        ({"nosuch": BACKGROUND}, ["nosuch.jpg is missing"]),
        ({"cut": BACKGROUND}, ["cut.jpg is damaged"]),
        ({"a": np.zeros((9, 8))}, ["mask", "a.png is 8x9", "its image 50x40"]),
        ({"a": BACKGROUND + 21}, ["a.png has class 21", "0 to 20"]),
        ({"a": BACKGROUND + 255}, ["no mask has a class"]),
        ({}, ["names no images"]),
    ],
)
def test_run_refuses_bad_voc_data(
    with_data: Any, tmp_path: Path, masks: dict[str, np.ndarray], parts: list[str]
) -> None:
    pictures(tmp_path / "data" / "JPEGImages")
    write_voc(tmp_path / "data", masks)
    assert_refused(with_data(*SEGMENTER), "val.txt", *parts)


def test_run_refuses_data_of_another_task(with_data: Any, tmp_path: Path) -> None:
    pictures(tmp_path / "boxes")
    write_coco(tmp_path / "boxes", ["a.png"], [BOX])
    pictures(tmp_path / "masks" / "JPEGImages")
    write_voc(tmp_path / "masks", {"a": BACKGROUND})
    pictures(tmp_path / "classes")
    (tmp_path / "classes" / "labels.csv").write_text("file,class_index\na.png,1\n")
    for data in ("masks", "classes"):
        assert_refused(with_data(*DETECTOR, data=data), f"data {data}", "COCO's format")
    for data in ("boxes", "classes"):
        assert_refused(with_data(*SEGMENTER, data=data), f"data {data}", "VOC's format")
    assert_refused(with_data(*SEGMENTER, data="boxes/annotations.json"), "VOC's format")
    for data in ("boxes", "masks"):
        assert_refused(with_data(*TINY, data=data), f"data {data}", "labels.csv")
    assert_refused(with_data(*DETECTOR, data="classes/labels.csv"), "not a JSON file")


def test_run_refuses_data_for_several_tasks(with_data: Any) -> None:
    assert_refused(with_data(*DETECTOR, *SEGMENTER), "detect and segment", "one of these tasks")


def test_run_names_the_extra_that_scores_detectors(
    mobilebench_process: Any, tmp_path: Path
) -> None:
    pictures(tmp_path / "data")
    write_coco(tmp_path / "data", ["a.png"], [BOX])
    (tmp_path / "pycocotools.py").write_text("raise ImportError")
    chosen = ("--weights", "weights.pth", "--data", "data")
    (tmp_path / "weights.pth").write_bytes(b"\0 not read before the images are")
    done = mobilebench_process("run", *DETECTOR, *chosen, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert_refused(done, "pycocotools is not installed", "pip install 'mobilebench[data]'")


def pictures(folder: Path) -> None:
    """Save an image `a`, as two kinds of file, and one that is cut off."""
    whole = save_picture(folder / "a.jpg").read_bytes()
    save_picture(folder / "a.png")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])


def test_run_refuses_checkpoints_of_one_name(mobilebench: Any, tmp_path: Path) -> None:
    chosen = []
    for directory in ("one", "two"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "weights.pth").write_bytes(b"\0" + directory.encode())
        chosen += ["--weights", f"{directory}/weights.pth"]
    assert_refused(mobilebench("run", *TINY, *chosen), "two checkpoints", "weights.pth")


def test_run_refuses_a_variant_that_no_checkpoint_is_for(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"\0 not read")
    (tmp_path / "weights.toml").write_text("width_multiplier = 0.5")
    done = mobilebench("run", *TINY, "--weights", "weights.pth")
    assert_refused(done, "mobilenet_v2_0.35_32", "width multiplier 0.5", "weights.pth")


def test_run_refuses_a_store_that_is_no_database(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("these are not the rows you are looking for")
    done = mobilebench("run", *TINY, "--store", "store.sqlite")
    assert_refused(done, "store.sqlite", "not a database")


def test_run_refuses_a_report_directory_that_is_a_file(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    assert_refused(mobilebench("run", *TINY, "--out", "report"), "report is a file", "--out")
    assert_refused(mobilebench("run", *TINY, "--out", "report/deeper"), "report is a file")


def test_run_without_a_compiler_is_refused_and_stores_no_run(mobilebench: Any) -> None:
    done = mobilebench("run", *TINY, CXX="nosuch-compiler")
    assert_refused(done, "no C++ compiler", "nosuch-compiler", "install")
    listed = mobilebench("store", "runs")
    assert listed.returncode == 0
    assert "quick" not in listed.stdout


def test_report_lists_the_known_runs_if_a_name_is_unknown(mobilebench: Any, tmp_path: Path) -> None:
    from mobilebench.reports.records.store import Run, Store

    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        store.begin_run(Run("20260101-000000-aaaa", "2026-01-01T00:00:00+00:00", {}))
    assert_refused(mobilebench("report", "--run", "yesterday"), "yesterday", "20260101-000000-aaaa")


def test_resume_takes_no_selection(mobilebench: Any) -> None:
    assert_refused(mobilebench("run", "--resume", "latest", *TINY), "--resume", "own suite")


def test_a_command_in_the_tests_own_process_leaves_nothing_behind(mobilebench: Any) -> None:
    before = _state()
    assert_refused(mobilebench("run", "--threads", "0", COLUMNS="70"), "--threads must be")
    assert _state() == before


def _state() -> list[object]:
    """Return what a command changes of its process."""
    root, ours = logging.getLogger(), logging.getLogger("mobilebench")
    return [
        dict(os.environ), Path.cwd(), list(sys.argv), signal.getsignal(signal.SIGTERM),
        list(root.handlers), root.level, list(ours.handlers), ours.level,
    ]  # fmt: skip
