from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.config.suite import make_suite, read_suite
from mobilebench.targets.errors import BenchError


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "suite.toml"
        path.write_text(text)
        return path

    return write


def test_nothing_chosen_is_a_small_suite_on_this_machine() -> None:
    suite = make_suite({})
    assert len(suite.variants) >= 4
    assert suite.targets == ("native",)
    assert {"tvm", "torch"} <= set(suite.runtimes)


def test_a_file_says_what_to_measure(write: Any) -> None:
    chosen = read_suite(
        write('variants = ["published"]\nthreads = [1, 2]\nprofile = "standard"\ntime_limit_s = 60')
    )
    suite = make_suite(chosen)
    assert len(suite.variants) == 22
    assert suite.precisions == ("float32",)
    assert (suite.threads, suite.effort, suite.time_limit_s) == ((1, 2), "standard", 60)


def test_a_variant_named_twice_is_measured_once() -> None:
    suite = make_suite({"variants": ["mobilenet_v2_1_224", "mobilenet_v2_1.0_224"]})
    assert suite.variants == ("mobilenet_v2_1.0_224",)


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
def test_whatever_is_named_twice_is_measured_once(key: str, name: object) -> None:
    assert getattr(make_suite({key: (name, name)}), key) == (name,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("variants = [", "suite.toml"),
        ("\x00", "suite.toml"),
        ("varians = []", "unknown key 'varians'; allowed are variants"),
        ('variants = "small"', "variants must be a list of str"),
        ("threads = [true]", "threads must be a list of int"),
        ('precisions = "float16"', "precisions must be a list of str"),
        ("threads = [1.5]", "threads must be a list of int"),
        ("seed = true", "seed must be a number"),
        ("kernels = 1", "kernels must be true or false"),
        ("profile = 3", "profile must be a string"),
    ],
)
def test_a_bad_file_is_refused_with_the_key(write: Any, text: str, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        read_suite(write(text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No such file"):
        read_suite(tmp_path / "nosuch.toml")


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"variants": ["mobilenet"]}, "unknown variant"),
        ({"targets": ["naive"]}, "unknown target 'naive'; did you mean native"),
        ({"runtimes": ["pytorch"]}, "unknown runtime 'pytorch'; did you mean torch"),
        ({"effort": "slow"}, "unknown profile"),
        ({"optimize_for": "speed"}, "unknown preference"),
        ({"precisions": ["float61"]}, "unknown precision 'float61'; did you mean float16"),
        ({"precisions": ["float16"]}, "precision float16: only tvm on an OpenCL target"),
        ({"precisions": ["float32", "float16"], "targets": ["raspberry-pi-4"]}, "float16"),
        (
            {"precisions": ["float16"], "targets": ["native", "opencl"], "runtimes": ["torch"]},
            "precision float16: only tvm",
        ),
        ({"targets": ["opencl"], "runtimes": ["tvm", "torch"]}, "runtime 'torch': boards and Ope"),
        ({"kernels": True, "runtimes": ("torch",)}, "kernels: only those of tvm"),
        ({"threads": [0]}, "threads: 0"),
        ({"threads": [5000]}, "threads: 5000"),
        ({"time_limit_s": -1}, "time_limit_s: -1"),
        ({"time_limit_s": float("nan")}, "time_limit_s"),
        ({"time_limit_s": float("inf")}, "time_limit_s"),
        ({"time_limit_s": 1e300}, "time_limit_s"),
    ],
)
def test_what_cannot_be_measured_is_refused(chosen: dict[str, Any], reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        make_suite(chosen)


def test_a_runtime_that_is_not_installed_is_refused_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mobilebench.bench.runtimes.runtime import RuntimeEntry

    monkeypatch.setattr(RuntimeEntry, "version", lambda self: None)
    with pytest.raises(BenchError, match=r"pip install 'mobilebench\[baselines\]'"):
        make_suite({"runtimes": ["onnxruntime"]})
