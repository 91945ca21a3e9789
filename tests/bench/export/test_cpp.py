"""A bundle's C++ program, compiled by its CMake file as the README says."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.boxes import Suppression, anchors_of, detect
from mobilebench.bench.accuracy.evaluation import preprocess_files
from mobilebench.bench.build.artifact import LIBRARY
from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.models.variant import parse_variant
from mobilebench.schedules.params_pool import PARAMS_FILE
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.emulated.image import make_image
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.bundles import export, flip
from tests.datasets import structured_pixels

INPUT = {
    "name": "input",
    "layout": "NCHW",
    "dtype": "float32",
    "reference": "reference/input.bin",
}
CROSS_GCC = "aarch64-linux-gnu-g++"
QEMU = "qemu-aarch64-static"

pytestmark = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")


def build(bundle: Path, directory: Path, *options: str) -> Path:
    """Return a directory that holds the program and TVM's libraries."""
    made, installed = directory / "made", directory / "installed"
    configure = ["cmake", "-S", bundle / "cpp", "-B", made, *options]
    for command in (
        configure,
        ["cmake", "--build", made],
        ["cmake", "--install", made, "--prefix", installed],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in done.stdout + done.stderr
    return installed


@pytest.fixture(scope="module")
def installed(exported_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the program for this machine is."""
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    return build(exported_bundle, tmp_path_factory.mktemp("cpp"), python)


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(installed: Path) -> Run:
    """Return what runs the program, in no environment at all."""

    def run(*arguments: object, **environment: str) -> Any:
        command = [str(installed / "mobilenet"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture that is larger than the network's input and has structure."""
    path = tmp_path_factory.mktemp("pictures") / "picture.ppm"
    Image.fromarray(structured_pixels(81, 121)).save(path)
    return path


def assert_refused(done: Any, *parts: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mobilenet: ")
    for part in parts:
        assert part in line


def answers(done: Any) -> list[str]:
    """Return the lines that the program wrote, of which there are some."""
    assert done.returncode == 0, done.stderr
    lines: list[str] = done.stdout.splitlines()
    assert lines
    return lines


def test_the_program_needs_only_two_libraries_of_tvm(installed: Path) -> None:
    assert {path.name for path in installed.iterdir()} == {
        "mobilenet",
        "libtvm_ffi.so",
        "libtvm_runtime.so",
    }


def test_it_reproduces_the_stored_outputs(bundle: Path, run: Run) -> None:
    done = run(bundle, "--check")
    assert done.returncode == 0, done.stderr
    files, logits = done.stdout.splitlines()
    assert files == "the library and its weights are those that were exported"
    assert logits.startswith("logits: relative L2 error ")
    assert logits.endswith(", within the tolerance of 3e-05")


def test_check_fails_for_other_outputs(forged: Callable[..., Path], run: Run) -> None:
    done = run(forged(tolerance=1e-12), "--check")
    assert done.returncode == 1
    assert "BEYOND the tolerance of 1e-12" in done.stdout


def answers_of_run_py(bundle: Path, picture: Path) -> list[str]:
    """Return the lines in which the C++ program would say what run.py does."""
    command = [sys.executable, str(bundle / "run.py"), str(picture), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [
        f"{100 * one['share']:7.2f} %  {one['class']:3d}"
        + "".join(f"  {' '.join(f'{side:.3f}' for side in box)}" for box in [one.get("box")] if box)
        for one in json.loads(told)["found"]
    ]


def test_it_answers_as_run_py_does(bundle: Path, picture: Path, run: Run) -> None:
    assert answers(run(bundle, picture)) == answers_of_run_py(bundle, picture)


def test_a_bundle_that_takes_pixels_gives_the_same_answers(
    bundle: Path, pixel_bundle: Path, picture: Path, tmp_path: Path, run: Run
) -> None:
    done = run(pixel_bundle, "--check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(", within the tolerance of 3e-05\n")
    given = tmp_path / "input.bin"
    found = answers(run(pixel_bundle, picture, "--save-input", given))
    assert found == answers_of_run_py(pixel_bundle, picture)
    assert found == answers(run(bundle, picture))
    shown = np.fromfile(given, np.uint8).reshape(64, 96, 3)
    whole = np.asarray(Image.open(picture))
    top, left = (whole.shape[0] - 64) // 2, (whole.shape[1] - 96) // 2
    assert np.array_equal(shown, whole[top : top + 64, left : left + 96])


def test_several_pictures_are_answered_in_batches(
    bundle: Path, picture: Path, tmp_path: Path, run: Run
) -> None:
    batched = export(tmp_path / "batched", "--batch", 2)
    assert run(batched, "--check").returncode == 0
    others = [tmp_path / f"{turn}.ppm" for turn in range(2)]
    for turn, other in enumerate(others):
        Image.fromarray(np.rot90(structured_pixels(130, 130), turn + 1)).save(other)
    pictures = [picture, *others]
    found = answers(run(batched, *pictures))
    assert found == answers(run(bundle, *pictures))
    assert [found[place] for place in (0, 6, 12)] == [*map(str, pictures)]
    assert found[1:6] == answers(run(bundle, picture))
    assert re.search(r"batches of 2, [\d.]+ images a second\n$", run(batched, "--bench", 5).stdout)
    assert "batches of 2, " in run(batched, picture, "--time", 2).stdout


def test_labels_are_printed(tmp_path: Path, picture: Path, run: Run) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"thing {index}\n" for index in range(1000)))
    lines = answers(run(export(tmp_path / "labelled", "--labels", names), picture))
    assert len(lines) == 5
    for line in lines:
        share, percent, index, *label = line.split()
        assert 0 < float(share) < 100
        assert percent == "%"
        assert " ".join(label) == f"thing {index}"


def test_samples_are_written(bundle: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "samples.txt"
    done = run(bundle, "--bench", 20, "--samples", file)
    assert done.returncode == 0, done.stderr
    samples = sorted(float(line) for line in file.read_text().splitlines())
    assert len(samples) == 20
    words = done.stdout.split()
    figures = [float(words[index]) for index in (1, 4, 7)]
    expected = [np.percentile(samples, 50), np.percentile(samples, 90), samples[0]]
    np.testing.assert_allclose(figures, expected, rtol=1e-3, atol=1e-3)


def test_a_cold_start_is_printed_step_by_step(bundle: Path, picture: Path, run: Run) -> None:
    last = answers(run(bundle, picture, "--cold"))[-1]
    assert last.startswith("first result after ")
    assert last.split()[5::2] == ["files", "library", "input", "inference"]
    last = answers(run(bundle, "--cold", MOBILENET_STARTED="1"))[-1]
    assert "to main()" in last


def assert_stages_add_up(done: Any, names: list[str]) -> None:
    """Check the arithmetic of what `--time` has printed, whatever the times are."""
    assert done.returncode in (0, 1), done.stderr
    *lines, last = done.stdout.splitlines()
    told = [line.split() for line in lines]
    assert [words[0] for words in told] == [*names, "sum"]
    times = [float(words[1]) for words in told]
    assert times[-1] == pytest.approx(sum(times[:-1]), abs=0.001 * len(times))
    shares = [float(words[3]) for words in told[:-1]]
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(names))
    found = re.fullmatch(
        r"whole +([\d.]+) ms, timed as one: ([\d.]+) % apart, (within|BEYOND) 3 %", last
    )
    assert found, last
    whole, apart = float(found[1]), float(found[2])
    rounding = 0.1 + 100 * 0.001 / whole
    assert apart == pytest.approx(100 * abs(times[-1] - whole) / whole, abs=rounding)
    assert (found[3], done.returncode) in (("within", 0), ("BEYOND", 1))


def test_the_times_of_stages_add_up(bundle: Path, picture: Path, run: Run) -> None:
    done = run(bundle, picture, "--time", 3)
    assert_stages_add_up(done, ["decode", "resize", "normalise", "inference", "top-k"])


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program that prints what sums.h makes of times of two stages, and of the whole."""
    program = """
        #include <cstdio>
        #include "sums.h"

        int main() {
          std::vector<mobilenet::Taken> apart{{1, 2}, {100, 2}, {3, 4}, {1, 0}};
          auto found = mobilenet::Summed(apart, {{5}, {5.2}, {4.8}, {90}});
          std::printf("%g %g %g %g %.4g %d", found.stages[0], found.stages[1], found.sum,
                      found.whole, found.apart, found.Agrees());
        }
        """
    return compiled(program, tmp_path_factory.mktemp("sums"))


def test_the_middle_half_of_repetitions_counts(sums: Path) -> None:
    told = subprocess.run([sums], capture_output=True, text=True, check=True).stdout
    assert told == "2 3 5 5.1 1.961 1"


def test_weights_may_lie_elsewhere(copy: Path, tmp_path: Path, run: Run) -> None:
    elsewhere = (copy / PARAMS_FILE).rename(tmp_path / "weights.bin")
    assert_refused(run(copy, "--check"), f"{PARAMS_FILE}: is missing")
    done = run(copy, "--check", "--params-path", elsewhere)
    assert done.returncode == 0, done.stderr


def test_params_path_is_refused_for_embedded_weights(
    tmp_path: Path, picture: Path, run: Run
) -> None:
    embedded = export(tmp_path / "embedded", "--params-storage", "embedded")
    assert run(embedded, "--check").returncode == 0
    assert_refused(
        run(embedded, picture, "--params-path", picture), "the weights are in libmodel.so"
    )


@pytest.fixture(scope="module")
def find_boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program that prints what boxes.h finds in files of codes, logits and anchors."""
    program = """
        #include <cstdio>
        #include <cstdlib>
        #include <fstream>
        #include <iterator>
        #include <string>
        #include "boxes.h"

        int main(int, char** words) {
          std::string files[3];
          const float* floats[3];
          for (int index : {0, 1, 2}) {
            std::ifstream file(words[index + 1], std::ios::binary);
            files[index].assign(std::istreambuf_iterator<char>(file), {});
            floats[index] = reinterpret_cast<const float*>(files[index].data());
          }
          int places = files[2].size() / 16, classes = files[1].size() / places / 4;
          for (const auto& one : mobilenet::FindBoxes(floats[0], floats[1], floats[2], places,
                                                      classes, std::atoi(words[4]))) {
            std::printf("%d %.9g %.9g %.9g %.9g %.9g\\n", one.index, one.score, one.box.low[0],
                        one.box.low[1], one.box.high[0], one.box.high[1]);
          }
        }
        """
    return compiled(program, tmp_path_factory.mktemp("boxes"))


def compiled(program: str, directory: Path) -> Path:
    """Compile a program that includes headers of a bundle, and nothing of TVM's."""
    source = directory / "main.cc"
    source.write_text(program)
    include = files("mobilebench.bench.export") / "programs" / "cpp"
    compiler = find_toolchain("host").compiler
    warnings = ["-Wall", "-Wextra", "-Werror"]
    made = directory / "program"
    command = [*compiler, "-std=c++17", "-O1", *warnings, "-I", include, source, "-o", made]
    subprocess.run(list(map(str, command)), check=True)
    return made


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_boxes_that_the_suite_finds(
    find_boxes: Path, tmp_path: Path, seed: int
) -> None:
    anchors = anchors_of(parse_variant("ssdlite_mobilenet_v2_0.35_96"))
    generator = np.random.default_rng(seed)
    codes = generator.standard_normal((1, len(anchors), 4), np.float32)
    logits = generator.normal(-4, 1.5, (1, len(anchors), 91)).astype(np.float32)
    suppression = Suppression(score_threshold=0.3, per_class=1000, in_all=1000)
    (expected,) = detect(codes, logits, anchors, suppression)
    assert len(expected.scores) > 20
    logits[0, 0, 1] = np.nan  # found by none
    given = []
    for name, values in (("codes", codes), ("logits", logits), ("anchors", anchors)):
        given.append(tmp_path / name)
        values.astype("<f4").tofile(given[-1])

    def found(count: int) -> np.ndarray:
        command = [find_boxes, *given, str(count)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return np.array([[float(word) for word in line.split()] for line in told.splitlines()])

    every = found(1000)
    assert every[:, 0].tolist() == expected.classes.tolist()
    np.testing.assert_allclose(every[:, 1], expected.scores, rtol=1e-5)
    np.testing.assert_allclose(every[:, 2:], expected.boxes, atol=1e-5)
    assert found(3).tolist() == every[:3].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    ["ssdlite_mobilenet_v2_0.35_96", "deeplabv3_mobilenet_v2_0.35_97"],
)
def test_a_detector_and_a_segmenter_answer_too(
    tmp_path: Path, picture: Path, run: Run, variant: str
) -> None:
    bundle = export(tmp_path / "bundle", variant=variant)
    assert run(bundle, "--check").returncode == 0
    found = answers(run(bundle, picture))
    expected = answers_of_run_py(bundle, picture)
    if variant.startswith("deeplab"):  # here no class is left out but those of few pixels
        found = [one.removesuffix(" of the pixels") for one in found][:5]
        expected = expected[: len(found)]
    assert found == expected
    after = ["label", "mask"] if variant.startswith("deeplab") else ["boxes", "suppress"]
    timed = run(bundle, picture, "--time", 2)
    assert_stages_add_up(timed, ["decode", "resize", "normalise", "inference", *after])
    refused = run(bundle, picture, "--save-mask", tmp_path / "mask.pgm")
    if not variant.startswith("deeplab"):
        return assert_refused(refused, "the network makes no masks")
    command = [sys.executable, bundle / "run.py", picture, "--save-mask", tmp_path / "mask.png"]
    subprocess.run(command, check=True, capture_output=True)
    mask, other = (np.asarray(Image.open(tmp_path / f"mask.{kind}")) for kind in ("pgm", "png"))
    assert mask.shape == (81, 121)  # the picture's
    np.testing.assert_array_equal(mask, other)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def make_foreign(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[18] = 243  # EM_RISCV
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda copy: (copy / LIBRARY).unlink(), [f"{LIBRARY}: is missing"]),
        (lambda copy: truncate(copy / LIBRARY), [f"{LIBRARY}: has ", "bytes, not"]),
        (lambda copy: make_foreign(copy / LIBRARY), [f"{LIBRARY}: is no library for"]),
        (lambda copy: flip(copy / LIBRARY), [f"{LIBRARY}: is not the file that was exported"]),
        (lambda copy: truncate(copy / PARAMS_FILE), [f"{PARAMS_FILE}: has ", "bytes, not"]),
        (lambda copy: flip(copy / PARAMS_FILE), [f"{PARAMS_FILE}: is not the file"]),
        (lambda copy: (copy / "reference/logits.bin").unlink(), ["logits.bin: is missing"]),
        (lambda copy: (copy / "manifest.json").unlink(), ["manifest.json: cannot be read"]),
        (lambda copy: (copy / "manifest.json").write_text("{"), ["manifest.json: is damaged"]),
        (lambda copy: (copy / "manifest.json").write_text("[]"), ["manifest.json: is damaged"]),
        (lambda copy: (copy / "manifest.json").write_text("{}"), ['nothing proper of "format"']),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(
    copy: Path, run: Run, spoil: Callable[[Path], object], parts: list[str]
) -> None:
    spoil(copy)
    assert_refused(run(copy, "--check"), *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"format": 1}, ["has another format"]),
        ({"tvm_version": "0.26.0"}, ["is for TVM 0.26.0, this program for 0.27.0"]),
        ({"tvm_ffi_version": "0.2.0"}, ["is for tvm-ffi 0.2.0, libtvm_ffi.so is 0.1"]),
        ({"architecture": "riscv64"}, ["the manifest says riscv64"]),
        ({"target": {"cpu_flags": ["amx_fp64"]}}, ["lacks amx_fp64"]),
        ({"target": {"device_type": "cuda"}}, ['"device_type" is cuda']),
        ({"task": "dream"}, ['"task" is dream']),
        ({"task": "detect"}, ["its outputs are not a detector's"]),
        ({"params_storage": "External"}, ['"params_storage" is External']),
        ({"threads": 0}, ['"threads" cannot be 0']),
        ({"inputs": [INPUT | {"dtype": "int8", "shape": [1, 3, 64, 96]}]}, ["are of int8"]),
        ({"inputs": [INPUT | {"dtype": "uint8", "shape": [1, 3, 64, 96]}]}, ["no image, row by"]),
        ({"inputs": [INPUT | {"shape": [1, 0, 64, 96]}]}, ["describes no network of images"]),
        ({"inputs": [INPUT | {"shape": [1, 3, -64, 96]}]}, ["describes no network of images"]),
        ({"threads": "one"}, ['nothing proper of "threads"']),
        ({"inputs": []}, ["describes no network"]),
        ({"preprocessing": {"mean": [1], "std": [1]}}, ["how pixels are scaled"]),
    ],
)
def test_a_bundle_for_another_machine_is_refused_in_one_line(
    forged: Callable[..., Path], picture: Path, run: Run, values: dict[str, Any], parts: list[str]
) -> None:
    assert_refused(run(forged(**values), picture), *parts)


def test_a_processor_that_has_what_is_needed_is_not_refused(
    forged: Callable[..., Path], picture: Path, run: Run
) -> None:
    here = sorted(cpu_flags(local_cpuinfo()))
    assert run(forged(target={"cpu_flags": here}), picture).returncode == 0


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is no JPEG, PNG or binary PPM file"),
        (b"P3 1 1 255 0 0 0", "is no JPEG, PNG or binary PPM file"),
        (b"P6 2 2 65535 " + bytes(24), "is no binary PPM file"),
        (b"P6 -2 2 255 " + bytes(12), "is no binary PPM file"),
        (b"P6 99999999999 1 255 ", "is 99999999999x1; a side may have 16384 pixels"),
        (b"P6 2 2 255 " + bytes(11), "ends before its last pixel"),
        (b"P6\n# a comment\n2 2\n255\n" + bytes(12), "is 2x2, the network takes 96x64"),
    ],
    ids=["empty", "text", "16 bits", "negative", "huge", "cut off", "small"],
)
def test_a_file_that_is_no_picture_is_refused_in_one_line(
    bundle: Path, tmp_path: Path, run: Run, content: bytes, part: str
) -> None:
    file = tmp_path / "picture.ppm"
    file.write_bytes(content)
    assert_refused(run(bundle, file), f"{file}: {part}")


def test_what_the_network_is_given_is_written(bundle: Path, tmp_path: Path, run: Run) -> None:
    opened = open_bundle(bundle)
    for suffix in (".png", ".jpg", ".ppm"):
        picture, given = tmp_path / f"picture{suffix}", tmp_path / "input.bin"
        Image.fromarray(structured_pixels(181, 221)).save(picture)
        done = run(bundle, picture, "--save-input", given)
        if "built without" in done.stderr:
            pytest.skip("apt-get install libjpeg-dev libpng-dev")
        assert done.returncode == 0, done.stderr
        how = opened.manifest.preprocessing
        (expected,) = preprocess_files("classify", [picture], how)
        found = np.fromfile(given, "<f4").reshape(expected.shape)
        step = 1 / 255 / min(how.std)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1.01 * step)
    assert_refused(run(bundle, "--check", "--save-input", given), "give one picture too")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "give one bundle"),
        (["--check"], "give one bundle"),
        (["BUNDLE"], "give a picture, --check or --bench N"),
        (["BUNDLE", "none.ppm"], "none.ppm: cannot be read"),
        (["BUNDLE", "--bench"], "--bench: needs a value"),
        (["BUNDLE", "--bench", "0"], "--bench 0: give a number"),
        (["BUNDLE", "--bench", "5x"], "--bench 5x: give a number"),
        (["BUNDLE", "--samples", "x", "--check"], "none without --bench"),
        (["BUNDLE", "--check", "--time", "9"], "--time: give one picture"),
        (["BUNDLE", "a.ppm", "--time", "0"], "--time 0: give a number"),
        (["BUNDLE", "--check", "--save-mask", "x"], "--save-mask x: give one picture too"),
        (["BUNDLE", "--check", "--threads", "2"], "the network was compiled for 1"),
        (["BUNDLE", "--fast"], "--fast: unknown option"),
        (["BUNDLE", "--check", "--params-path", "none.bin"], "none.bin: is missing"),
        (["nowhere", "--check"], "nowhere/manifest.json: cannot be read"),
    ],
)
def test_contradictory_arguments_are_refused_in_one_line(
    bundle: Path, run: Run, arguments: list[str], part: str
) -> None:
    named = [str(bundle) if word == "BUNDLE" else word for word in arguments]
    assert_refused(run(*named), part)


def test_file_hashes_match_hashlib(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "hash.cc"
    source.write_text(
        '#include "sha256.h"\n#include <iostream>\n'
        "int main(int count, char** files) {\n"
        "  for (int index = 1; index < count; ++index)\n"
        '    std::cout << mobilenet::Sha256::OfFile(files[index]) << "\\n";\n'
        "}\n"
    )
    program = tmp_path / "hash"
    include = f"-I{bundle / 'cpp'}"
    subprocess.run(["g++", "-std=c++17", include, "-o", program, source], check=True)
    files = []
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 100_000):  # around a block's end
        files.append(tmp_path / str(size))
        files[-1].write_bytes(bytes(index % 251 for index in range(size)))
    done = subprocess.run([program, *files], capture_output=True, text=True, check=True)
    expected = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert done.stdout.split() == expected


@pytest.mark.slow
def test_a_model_runs_where_tvm_is_hidden_from_it(
    bundle: Path, installed: Path, tmp_path: Path
) -> None:
    """A Java VM loads an app's library so, whose own libraries are then nobody else's."""
    app, host = tmp_path / "app.cc", tmp_path / "host.cc"
    app.write_text(
        '#include "model.h"\n'
        'extern "C" int infer(const char* library) {\n'
        "  mobilenet::Model model(library, {1, 3, 64, 96});\n"
        "  model.Feed();\n"
        "  model.Run();\n"
        "  return model.Outputs()[0].numel();\n"
        "}\n"
    )
    host.write_text(
        "#include <dlfcn.h>\n"
        "int main(int, char** words) {\n"
        "  void* app = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);\n"
        '  auto infer = reinterpret_cast<int (*)(const char*)>(dlsym(app, "infer"));\n'
        "  return infer(words[2]) != 1000;\n"
        "}\n"
    )
    packages = [
        Path(spec.origin).parent
        for spec in map(find_spec, ("tvm", "tvm_ffi"))
        if spec and spec.origin
    ]
    include = [f"-I{path}/include" for path in [*packages, packages[1] / "3rdparty/dlpack"]]
    library, program = tmp_path / "libapp.so", tmp_path / "host"
    compiler = ["g++", "-std=c++17", f"-I{bundle / 'cpp'}", *include]
    link = ["-Wl,--no-as-needed", f"-L{installed}", "-ltvm_runtime", "-ltvm_ffi"]
    run_path = f"-Wl,-rpath,{installed}"
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", library, app, *link, run_path], check=True)
    subprocess.run(["g++", "-o", program, host, "-ldl"], check=True)
    subprocess.run([program, library, bundle / LIBRARY], check=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(CROSS_GCC) is None, reason=f"{CROSS_GCC} is not installed")
@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_it_is_compiled_here_for_64_bit_arm(cache_dir: Path, tmp_path: Path) -> None:
    bundle = export(tmp_path / "bundle", target="emulated-arm")
    board = make_image(cache_dir, print)
    installed = build(
        *(bundle, tmp_path, f"-DCMAKE_CXX_COMPILER={CROSS_GCC}", "-DCMAKE_SYSTEM_NAME=Linux"),
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DTVM_DIR={board / 'site/tvm'}",
        f"-DTVM_FFI_DIR={board / 'site/tvm_ffi'}",
    )
    command = [QEMU, "-L", board / "root", installed / "mobilenet", bundle, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "within the tolerance" in done.stdout
