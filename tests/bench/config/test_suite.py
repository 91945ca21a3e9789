import json
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.config.check import from_table
from mobilebench.bench.config.suite import Suite, make_suite
from mobilebench.bench.config.suite_file import read_suite
from mobilebench.targets.errors import BenchError


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "suite.toml"
        path.write_text(text)
        return path

    return write


def test_the_default_suite_is_small_and_for_this_machine() -> None:
    suite = make_suite({})
    assert len(suite.variants) >= 4
    assert suite.targets == ("native",)
    assert {"tvm", "torch"} <= set(suite.runtimes)


def test_a_file_says_what_to_measure(write: Any) -> None:
    chosen = read_suite(
        write('variant = ["published"]\nthreads = [1, 2]\neffort = "standard"\ntime_limit = 60')
    )
    suite = make_suite(chosen.given(Suite))
    assert len(suite.variants) == 22
    assert suite.precisions == ("float32",)
    assert (suite.threads, suite.effort, suite.time_limit_s) == ((1, 2), "standard", 60)


def test_a_variant_named_twice_is_measured_once() -> None:
    suite = make_suite({"variants": ["mobilenet_v2_1_224", "mobilenet_v2_1.0_224"]})
    assert suite.variants == ("mobilenet_v2_1.0_224",)


def test_on_boards_other_runtimes_are_measured_if_they_are_named() -> None:
    assert make_suite({"targets": ["raspberry-pi-5"]}).runtimes == ("tvm",)
    named = make_suite({"targets": ["raspberry-pi-5"], "runtimes": ["tvm", "torch"]})
    assert named.runtimes == ("tvm", "torch")
    assert named.runtimes_named


@pytest.mark.parametrize("target", ["opencl", "mali"])
def test_on_opencl_devices_alone_there_is_only_tvm(target: str) -> None:
    suite = make_suite({"targets": [target], "precisions": ["float16", "float32"]})
    assert suite.runtimes == ("tvm",)
    assert suite.precisions == ("float16", "float32")
    assert "torch" in make_suite({"targets": ["native", target]}).runtimes


@pytest.mark.parametrize(
    ("key", "name"),
    [("precisions", "float32"), ("threads", 1), ("targets", "native"), ("runtimes", "torch")],
)
def test_repeated_names_are_measured_once(key: str, name: object) -> None:
    assert getattr(make_suite({key: (name, name)}), key) == (name,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("variants = [", "suite.toml"),
        ("\x00", "suite.toml"),
        ("varian = []", "unknown key 'varian'; did you mean variant"),
        ("variants = []", "unknown key 'variants'; did you mean variant"),
        ("time_limit_s = 60", "unknown key 'time_limit_s'; did you mean time_limit"),
        ("time-limit = 60", "unknown key 'time-limit'; did you mean time_limit"),
        ("q = 60", "unknown key 'q'; allowed are variant, model, input_shape, bundle, target"),
        ('resume = "latest"', "unknown key 'resume'"),
        ('variant = "small"', 'variant must be a list of strings, not "small"'),
        ("variant = [3]", "variant must be a list of strings, not 3"),
        ("threads = [true]", "threads must be a list of whole numbers from 1 to 1024, not true"),
        ('precision = "float16"', "precision must be a list of strings"),
        ("threads = [1.5]", "threads must be a list of whole numbers from 1 to 1024, not 1.5"),
        ("threads = [0]", "threads must be a list of whole numbers from 1 to 1024, not 0"),
        ("seed = true", "seed must be a whole number"),
        ("kernels = 1", "kernels must be true or false, not 1"),
        ("effort = 3", "effort must be a string, not 3"),
        ('effort = "fast"', "suite.toml: unknown effort 'fast'; give quick, standard or rigorous"),
        ("wait = 1979-05-27", "wait must be a number of seconds above 0 and at most 86400, not"),
        ("wait = nan", "wait must be a number of seconds above 0 and at most 86400, not NaN"),
        ('variant = ["mobilenet"]', "suite.toml: unknown variant 'mobilenet'; did you mean"),
        ('target = ["naive"]', "suite.toml: unknown target 'naive'; did you mean native"),
        ('tracker = "nowhere"', "suite.toml: tracker 'nowhere': give it as HOST:PORT"),
    ],
)
def test_a_bad_file_is_refused_with_the_key(write: Any, text: str, reason: str) -> None:
    with pytest.raises(BenchError, match=reason) as caught:
        read_suite(write(text))
    assert str(caught.value).startswith("suite file ")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No such file"):
        read_suite(tmp_path / "nosuch.toml")


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"variants": ["mobilenet"]}, "unknown variant"),
        ({"targets": ["naive"]}, "unknown target 'naive'; did you mean native"),
        ({"runtimes": ["pytorch"]}, "unknown runtime 'pytorch'; did you mean torch"),
        ({"effort": "slow"}, "unknown effort 'slow'; give quick, standard or rigorous"),
        ({"optimize_for": "speed"}, "unknown goal 'speed'; give latency or memory"),
        ({"precisions": ["float61"]}, "unknown precision 'float61'; did you mean float16"),
        (
            {"precisions": ["float16"], "targets": ["native", "opencl"], "runtimes": ["torch"]},
            "precision float16: only tvm is measured in it; add --runtime tvm, or leave it out",
        ),
        ({"targets": ["opencl"], "runtimes": ["tvm", "torch"]}, "runtime 'torch': only tvm runs"),
        ({"kernels": True, "runtimes": ("torch",)}, "kernels: only tvm's kernels can be timed"),
        ({"threads": [0]}, "threads must be a whole number from 1 to 1024, not 0"),
        ({"threads": [5000]}, "threads must be a whole number from 1 to 1024, not 5000"),
        (
            {"time_limit_s": -1},
            "time_limit must be a number of seconds above 0 and at most 86400, not -1",
        ),
        ({"time_limit_s": float("nan")}, "time_limit must be"),
        ({"time_limit_s": float("inf")}, "time_limit must be"),
        ({"time_limit_s": 1e300}, "time_limit must be"),
    ],
)
def test_impossible_choices_are_refused(chosen: dict[str, Any], reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        make_suite(chosen)


def test_a_runtime_that_is_not_installed_is_refused_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mobilebench.bench.runtimes.runtime import RuntimeEntry

    monkeypatch.setattr(RuntimeEntry, "version", lambda self: None)
    with pytest.raises(BenchError, match=r"pip install 'mobilebench\[baselines\]'"):
        make_suite({"runtimes": ["onnxruntime"]})


def test_a_stored_suite_is_a_table_with_the_keys_of_a_suite_file() -> None:
    suite = make_suite({"threads": [1, 2], "time_limit_s": 60, "dump_ir": "ir"})
    table = json.loads(json.dumps(suite.to_table()))
    assert (table["threads"], table["time_limit"], table["dump_ir"]) == ([1, 2], 60, "ir")
    assert from_table(Suite, table, "run") == suite


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"pace_fps": 30.0, "batches": (1, 4)}, "--pace: .* leave out --batch"),
        ({"pace_fps": 30.0, "streams": (2,)}, "--pace: .* leave out --streams"),
        ({"sustained_minutes": 1.0, "streams": (1, 2)}, "--sustained: .* leave out --streams"),
        ({"energy": True, "streams": (2,)}, "--energy: .* leave out --streams"),
    ],
)
def test_a_load_is_of_one_instance_and_a_camera_s_frames_come_one_by_one(
    chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        make_suite(chosen)
