"""A bundle's programs give a network the pixels that the suite gives it."""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.evaluation import preprocess_files
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.bundles import shown_by
from tests.datasets import structured_pixels

TASKS = ("classify", "detect", "segment")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROGRAMS = files("mobilebench.bench.export") / "programs"
# Larger and smaller than the input, square, long, high, odd, and of the input's own size.
SIZES = ((96, 80), (201, 333), (97, 97), (64, 300), (310, 61), (56, 48), (500, 375))

Shown = Callable[[Path, str, Preprocessing], np.ndarray]


def wanted(
    resize: int | None = None, height: int = 48, width: int = 56, channels: int = 3
) -> Preprocessing:
    mean, std = (*MEAN, 0.5)[:channels], (*STD, 0.25)[:channels]
    return Preprocessing(height=height, width=width, resize=resize, mean=mean, std=std)


def steps(shown: np.ndarray, expected: np.ndarray) -> float:
    """Return by how many steps of 8 bits the inputs differ at most."""
    deviation = np.array((*STD, 0.25)[: len(expected)], np.float32).reshape(-1, 1, 1)
    return float(np.abs((shown - expected) * deviation * 255).max())


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Return how run.py shows an image."""
    copied = shutil.copy(str(PROGRAMS / "run.py"), tmp_path_factory.mktemp("run"))
    spec = spec_from_file_location("bundle_run_pixels", copied)
    assert spec
    assert spec.loader
    program = module_from_spec(spec)
    spec.loader.exec_module(program)

    def shown(file: Path, task: str, how: Preprocessing) -> np.ndarray:
        data = shown_by(program, file, task, vars(how))
        floats = np.frombuffer(data, np.float32).reshape(how.channels, how.height, how.width)
        assert_same_pixels(shown_by(program, file, task, vars(how), "uint8"), floats, how)
        return floats

    return shown


def assert_same_pixels(data: bytes, floats: np.ndarray, how: Preprocessing) -> None:
    """What a network that takes pixels is given is nearest to what others are."""
    pixels = np.frombuffer(data, np.uint8).reshape(how.height, how.width, how.channels)
    before = (floats.transpose(1, 2, 0) * np.array(how.std) + np.array(how.mean)) * 255
    assert np.abs(pixels - before).max() <= 0.5 + 1e-3


def compiled(directory: Path, *options: str) -> Path:
    """Compile a program that shows a picture as the C++ program does, and needs no TVM."""
    source, program = directory / "main.cc", directory / "show"
    source.write_text(
        """
        #include <cstdio>
        #include <cstdlib>
        #include "resize.h"

        int main(int, char** words) {
          auto number = [&](int place) { return std::atoi(words[place]); };
          int height = number(3), width = number(4), resize = number(5);
          std::vector<double> mean{0.485, 0.456, 0.406, 0.5}, std{0.229, 0.224, 0.225, 0.25};
          int channels = number(6);
          mean.resize(channels), std.resize(channels);
          mobilenet::View view{words[2], width, height, resize, mean, std};
          std::vector<float> input(channels * height * width);
          std::vector<uint8_t> pixels(input.size());
          try {
            auto picture = mobilenet::ReadPicture(words[1], channels);
            mobilenet::Show(words[1], picture, view, input.data());
            mobilenet::Show(words[1], picture, view, pixels.data());
          } catch (const mobilenet::Refusal& refusal) {
            std::fputs(refusal.what(), stderr);
            return 2;
          }
          std::fwrite(input.data(), sizeof(float), input.size(), stdout);
          std::fwrite(pixels.data(), 1, pixels.size(), stdout);
        }
        """
    )
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [*find_toolchain("host").compiler, "-std=c++17", "-O1", *warnings]
    command += ["-I", str(PROGRAMS / "cpp"), str(source), "-o", str(program), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "fatal error" in done.stderr and "MOBILENET_JPEG" in " ".join(options):
        pytest.skip("apt-get install libjpeg-dev libpng-dev")
    assert done.returncode == 0, done.stderr
    return program


def showing(program: Path) -> Shown:
    def shown(file: Path, task: str, how: Preprocessing) -> np.ndarray:
        command = [program, file, task, how.height, how.width, how.resize or 0, how.channels]
        done = subprocess.run(list(map(str, command)), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        count = how.channels * how.height * how.width
        floats = np.frombuffer(done.stdout, np.float32, count)
        floats = floats.reshape(how.channels, how.height, how.width)
        assert_same_pixels(done.stdout[4 * count :], floats, how)
        return floats

    return shown


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that shows pictures, with JPEG and PNG."""
    options = ("-DMOBILENET_JPEG", "-DMOBILENET_PNG", "-ljpeg", "-lpng")
    return compiled(tmp_path_factory.mktemp("show"), *options)


@pytest.fixture(params=["python", "cpp"])
def shown(request: pytest.FixtureRequest) -> Shown:
    """Return how one of the two programs shows an image."""
    if request.param == "python":
        found: Shown = request.getfixturevalue("python")
        return found
    return showing(request.getfixturevalue("show"))


def save(directory: Path, size: tuple[int, int], suffix: str, **options: Any) -> Path:
    file = directory / f"{size[0]}x{size[1]}{suffix}"
    Image.fromarray(structured_pixels(size[1], size[0])).save(file, **options)
    return file


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("resize", [None, 64])
def test_pictures_of_all_sizes_and_shapes_are_shown_as_the_suite_shows_them(
    shown: Shown, tmp_path: Path, task: str, resize: int | None
) -> None:
    for width, height in SIZES:
        how = wanted(resize)
        for suffix in (".png", ".ppm", ".jpg"):
            file = save(tmp_path, (width, height), suffix)
            (expected,) = preprocess_files(task, [file], how)
            assert steps(shown(file, task, how), expected) <= 1, file.name
            if suffix != ".jpg":  # nothing is left to a decoder
                assert steps(shown(file, task, how), expected) < 0.01, file.name


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("task", TASKS)
def test_grey_and_transparency_are_shown_as_the_suite_shows_them(
    shown: Shown, tmp_path: Path, task: str, channels: int
) -> None:
    file, how = tmp_path / "picture.png", wanted(64, channels=channels)
    picture = Image.fromarray(structured_pixels(121, 90))
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(file)
    (expected,) = preprocess_files(task, [file], how)
    assert steps(shown(file, task, how), expected) <= 1.01


def forms() -> Iterator[tuple[str, Image.Image, dict[str, Any], str]]:
    """Yield images in the forms in which files have them, with how they are saved."""
    rgb = Image.fromarray(structured_pixels(90, 120))
    alpha = Image.linear_gradient("L").resize(rgb.size)
    opaque = rgb.copy()
    opaque.putalpha(alpha)
    deep = Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) * 257 - 3 * 85).clip(0))
    yield "grey PNG", rgb.convert("L"), {}, ".png"
    yield "grey and alpha", opaque.convert("LA"), {}, ".png"
    yield "alpha", opaque, {}, ".png"
    yield "palette", rgb.quantize(32), {}, ".png"
    yield "transparent palette", rgb.quantize(32), {"transparency": 3}, ".png"
    yield "one colour transparent", rgb, {"transparency": rgb.getpixel((5, 5))}, ".png"
    yield "two colours", rgb.convert("1"), {}, ".png"
    yield "16 bits", deep, {}, ".png"
    yield "grey JPEG", rgb.convert("L"), {}, ".jpg"
    yield "progressive", rgb, {"progressive": True}, ".jpg"
    yield "whole chroma", rgb, {"subsampling": 0, "quality": 95}, ".jpg"
    yield "four inks", rgb.convert("CMYK"), {"quality": 95}, ".jpg"
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned {orientation}", rgb, {"exif": exif}, ".jpg"
    yield "turned PNG", rgb, {"exif": exif}, ".png"


@pytest.mark.parametrize(
    ("image", "options", "suffix"),
    [form[1:] for form in forms()],
    ids=[form[0] for form in forms()],
)
def test_all_forms_of_jpeg_and_png_are_shown_as_the_suite_shows_them(
    shown: Shown, tmp_path: Path, image: Image.Image, options: dict[str, Any], suffix: str
) -> None:
    file = tmp_path / f"picture{suffix}"
    image.save(file, **options)
    (expected,) = preprocess_files("segment", [file], wanted())
    assert steps(shown(file, "segment", wanted()), expected) <= 1.01


def test_photographs_are_shown_as_the_suite_shows_them(shown: Shown) -> None:
    folder = Path(__file__).parents[3].parent / "shared" / "voc"
    photographs = sorted(folder.rglob("*.jpg"))[:3]
    if not photographs:
        pytest.skip(f"no photographs in {folder}")
    how = wanted(256, 224, 224)
    for file in photographs:
        for task in TASKS:
            (expected,) = preprocess_files(task, [file], how)
            assert steps(shown(file, task, how), expected) <= 1, (file.name, task)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(structured_pixels(80, 100)).save(buffer, "JPEG")
    return buffer.getvalue()


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(structured_pixels(80, 100)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (jpeg()[:900], "is damaged"),
        (jpeg()[:20], "is damaged"),
        (png()[: len(png()) // 2], "is damaged: it ends too early"),
        (png()[:60] + b"\xff" + png()[61:], "is damaged"),
        (b"GIF89a" + bytes(50), "is no JPEG, PNG or binary PPM file"),
        (b"", "is no JPEG, PNG or binary PPM file"),
    ],
    ids=["cut JPEG", "head of a JPEG", "cut PNG", "spoilt PNG", "GIF", "empty"],
)
def test_damaged_pictures_are_refused_in_one_line(
    show: Path, tmp_path: Path, content: bytes, part: str
) -> None:
    file = tmp_path / "picture"
    file.write_bytes(content)
    command = [show, file, "detect", "48", "56", "0", "3"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert part in done.stderr


def test_a_program_without_decoders_says_what_to_install(tmp_path: Path) -> None:
    program = compiled(tmp_path)
    for content, part in ((jpeg(), "libjpeg-dev"), (png(), "libpng-dev")):
        file = tmp_path / "picture"
        file.write_bytes(content)
        command = [program, file, "detect", "48", "56", "0", "3"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert part in done.stderr
    file = save(tmp_path, (96, 80), ".ppm")
    (expected,) = preprocess_files("detect", [file], wanted())
    assert steps(showing(program)(file, "detect", wanted()), expected) < 0.01
