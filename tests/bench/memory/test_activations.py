from itertools import pairwise
from pathlib import Path

import pytest

from mobilebench.bench.memory.activations import activations_of, blocks_of
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.onnx_graph import Graph, read_graph
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.published.figures import published_tensors
from mobilebench.reports.records.activations import Activations
from tests.bench.networks import Network

SMALL = (
    "mobilenet_v1_0.25_32",
    "mobilenet_v2_0.35_32",
    "mobilenet_v2_0.35_32x64_t1",
    "ssdlite_mobilenet_v2_0.35_96",
    "deeplabv3_mobilenet_v2_0.35_65",
)


def needs_of(variant: str, cache_dir: Path, precision: str = "float32") -> Activations:
    return activations_of(file_of(variant, cache_dir), precision)


def file_of(variant: str, cache_dir: Path) -> Path:
    return to_onnx(parse_variant(variant), Weights(), cache_dir).onnx_path


def inverted_residual(path: Path, *, activated: bool = False, read_twice: bool = False) -> Graph:
    """Write 4 channels, expanded to 16, filtered, and projected to 8; 16 pixels."""
    network = Network(4, 4, 4)
    expanded = network.relu6(network.convolution("input", 4, 16))
    filtered = network.relu6(network.convolution(expanded, 16, 16, taps=3, groups=16))
    projected = network.convolution(filtered, 16, 8)
    if activated:
        projected = network.relu6(projected)
    outputs = [network.convolution(projected, 8, 8)]
    if read_twice:
        outputs.append(network.convolution(expanded, 16, 1))
    return read_graph(network.save(path, *outputs))


def channels(graph: Graph, names: set[str]) -> list[tuple[str, int]]:
    writers = {one.writes: one.kind for one in graph.operators}
    return sorted((writers[name], graph.tensors[name].shape[1]) for name in names)


def test_a_chain_needs_its_largest_neighbours(tmp_path: Path) -> None:
    network = Network(4, 4, 4)
    last = "input"
    sizes = (4, 16, 8, 2)
    for inputs, outputs in pairwise(sizes):
        last = network.convolution(last, inputs, outputs)
    last = network.convolution(last, 2, 1)
    needs = activations_of(network.save(tmp_path / "model.onnx", last), "float32")
    pixel = 4 * 4 * 4
    assert [step.live_bytes // pixel for step in needs.steps] == [16, 16 + 8, 8 + 2, 2]
    assert needs.total_bytes == (16 + 8 + 2) * pixel
    assert needs.working_set_bytes == needs.offsets_bytes == (16 + 8) * pixel
    assert needs.steps[needs.fullest].name == "pointwise 4x4x8"
    assert (needs.input_bytes, needs.output_bytes) == (4 * pixel, pixel)


def test_a_tensor_that_is_read_later_stays_alive(tmp_path: Path) -> None:
    network = Network(4, 4, 4)
    first = network.convolution("input", 4, 4)
    narrow = network.convolution(network.convolution(first, 4, 1), 1, 4)
    total = network.layer("Add", [first, narrow])
    needs = activations_of(network.save(tmp_path / "model.onnx", total), "float32")
    assert [step.live_bytes // 64 for step in needs.steps] == [4, 4 + 1, 4 + 1 + 4, 4 + 4]


def test_an_inverted_residual_need_not_have_its_expansion(tmp_path: Path) -> None:
    graph = inverted_residual(tmp_path / "model.onnx")
    inner, bottlenecks = blocks_of(graph)
    assert channels(graph, inner) == [("depthwise", 16), ("pointwise", 16)]
    assert channels(graph, bottlenecks) == [("pointwise", 8)]


def test_a_separable_convolution_needs_what_it_reads(tmp_path: Path) -> None:
    graph = inverted_residual(tmp_path / "model.onnx", activated=True)
    inner, bottlenecks = blocks_of(graph)
    assert channels(graph, inner) == [("depthwise", 16)]
    assert bottlenecks == set()


def test_an_expansion_that_a_head_reads_too_must_be_there(tmp_path: Path) -> None:
    graph = inverted_residual(tmp_path / "model.onnx", read_twice=True)
    inner, bottlenecks = blocks_of(graph)
    assert channels(graph, inner) == [("depthwise", 16)]
    assert bottlenecks == set()


@pytest.mark.parametrize(
    "variant", [SMALL[0], *(pytest.param(name, marks=pytest.mark.slow) for name in SMALL[1:])]
)
def test_a_plan_lies_between_the_working_set_and_every_tensor_apart(
    cache_dir: Path, variant: str
) -> None:
    needs = needs_of(variant, cache_dir)
    assert 0 < needs.working_set_bytes <= needs.offsets_bytes < needs.total_bytes
    for size in needs.sizes:
        assert size.channels >= size.kept_channels >= max(size.bottlenecks, default=0)


def test_half_precision_needs_half(cache_dir: Path) -> None:
    whole, half = (needs_of(SMALL[1], cache_dir, one) for one in ("float32", "float16"))
    assert half.total_bytes * 2 == whole.total_bytes
    assert [2 * step.live_bytes for step in half.steps] == [s.live_bytes for s in whole.steps]
    assert half.sizes == whole.sizes


@pytest.mark.slow
def test_a_detector_has_one_expansion_that_its_head_reads(cache_dir: Path) -> None:
    classifier, detector = (read_graph(file_of(name, cache_dir)) for name in (SMALL[1], SMALL[3]))
    assert len(channels(classifier, blocks_of(classifier)[1])) == 17
    assert len(channels(detector, blocks_of(detector)[1])) == 16


@pytest.mark.slow
def test_mobilenet_v1_matches_the_paper_except_for_a_misprint(cache_dir: Path) -> None:
    sizes = {size.height: size for size in needs_of("mobilenet_v1_1.0_224", cache_dir).sizes}
    published = published_tensors("mobilenet_v1_1.0_224")
    assert [one.size for one in published] == [112, 56, 28, 14, 7, 1]
    for one in published:
        assert sizes[one.size].channels == sizes[one.size].kept_channels == one.channels
        kilobytes = one.channels * one.size**2 * 2 / 1000
        if one.size == 7:
            assert one.kilobytes == pytest.approx(2 * kilobytes, rel=0.01)
        else:
            assert abs(one.kilobytes - kilobytes) < max(1, 0.01 * kilobytes)


@pytest.mark.slow
def test_mobilenet_v2_needs_what_others_have_published(cache_dir: Path) -> None:
    needs = needs_of("mobilenet_v2_1.0_224", cache_dir)
    sizes = {size.height: size for size in needs.sizes}
    assert [sizes[size].bottlenecks for size in (112, 56, 28, 14, 7)] == [
        (16,),
        (24,),
        (32,),
        (64, 96),
        (160, 320),
    ]
    assert [sizes[size].kept_channels for size in (112, 56, 28, 14)] == [16, 24, 32, 96]
    # "Optimizing TensorFlow Lite Runtime Memory", TensorFlow's blog, October 2020: ~26MB.
    assert needs.total_bytes / 2**20 == pytest.approx(26, abs=0.5)
    # The first expansion, 96 channels at 112, and what its depthwise convolution writes at 56.
    assert needs.working_set_bytes == 96 * (112**2 + 56**2) * 4
    assert needs.offsets_bytes == needs.working_set_bytes
