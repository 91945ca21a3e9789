"""Estimates on a made-up device whose kernels take a time that is known."""

from collections.abc import Callable, Sequence

import pytest

from mobilebench.bench.models.kernel_layers import outline_of
from mobilebench.bench.models.variant import parse_variant, published_grid
from mobilebench.reports.choice.estimate import (
    Estimator,
    Outline,
    Timed,
    leave_one_out,
    timed,
)
from mobilebench.reports.choice.layers import CLASSIFIER, POINTWISE, Layer, times_of
from mobilebench.reports.records.record import KernelTime

NAMES = [variant.name for variant in published_grid()]
LAUNCHED_US, MACS_PER_US, BYTES_PER_US = 1.5, 30_000.0, 9_000.0


def known_us(layer: Layer) -> float:
    """Return how long a layer takes: it is launched, computes, and moves data."""
    moved = 4 * (layer.moved + layer.weights)
    return LAUNCHED_US + layer.macs / MACS_PER_US + moved / BYTES_PER_US


def curved_us(layer: Layer) -> float:
    """Return how long a layer takes where few channels are slow, which no sum describes."""
    return known_us(layer) * (1 + 8 / layer.channels + 4 / layer.inputs)


def outline(name: str) -> Outline:
    found = outline_of(parse_variant(name))
    assert found
    return found


def kernels_of(one: Outline, time: Callable[[Layer], float]) -> list[KernelTime]:
    """Return the kernels as a compiler names them: those of the same name are one."""
    named: dict[str, tuple[int, float]] = {}
    for layer in one.layers:
        pixels = "" if layer.family in ("pooling", CLASSIFIER) else f"{layer.height}x{layer.width}x"
        taps = {"stem": f"3x3x{layer.inputs}", "depthwise": "3x3"}.get(
            layer.family, f"{layer.height}x{layer.width}" if layer.family == "pooling" else
            f"{layer.inputs}",
        )  # fmt: skip
        name = f"{layer.family} {pixels}{layer.channels} over {taps} #{layer.stride}"
        calls, taken = named.get(name, (0, 0.0))
        named[name] = (calls + 1, taken + time(layer))
    return [KernelTime(name, calls, 1, 1, taken) for name, (calls, taken) in named.items()]


def measure(
    names: Sequence[str], time: Callable[[Layer], float] = known_us, whole: float = 0.9
) -> list[Timed]:
    found = []
    for one in map(outline, names):
        latency_ms = whole * sum(map(time, one.layers)) / 1e3
        made = timed(
            one,
            kernels_of(one, time),
            latency_ms,
            4 * one.params_count,
            one.largest_tensor_bytes // 2,
        )
        assert made
        found.append(made)
    return found


def test_a_network_of_measured_shapes_is_the_sum_of_its_kernels() -> None:
    wide, narrow = measure(["mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96"])
    estimate = Estimator([wide, narrow]).estimate(wide.outline)
    assert estimate.latency_ms == pytest.approx(wide.latency_ms, rel=0.02)
    assert estimate.interpolated == 0


def test_a_kernel_takes_what_it_took_in_the_nearest_networks() -> None:
    # As where weights stay in a cache between inferences, but not beside large activations.
    def cached(layer: Layer) -> float:
        return known_us(layer) * (0.3 if layer.family == CLASSIFIER else 1.0)

    small = ["mobilenet_v2_0.35_128", "mobilenet_v2_0.35_160", "mobilenet_v2_0.5_96"]
    large = ["mobilenet_v2_1.0_192", "mobilenet_v2_1.0_224", "mobilenet_v2_0.75_224"]
    estimator = Estimator([*measure(small, cached), *measure(large)])
    for name, time in (("mobilenet_v2_0.35_96", cached), ("mobilenet_v2_0.75_192", known_us)):
        (one,) = measure([name], time)
        assert estimator.estimate(one.outline).latency_ms == pytest.approx(one.latency_ms, rel=0.1)


@pytest.mark.parametrize(("time", "most"), [(known_us, 0.01), (curved_us, 0.06)])
def test_shapes_that_were_never_measured_are_interpolated(
    time: Callable[[Layer], float], most: float
) -> None:
    errors = leave_one_out(measure(NAMES, time))
    assert errors.networks == 22
    assert 0 < errors.median < most
    assert errors.median <= errors.p90 < 2.5 * most
    (left_out,) = measure(["mobilenet_v2_0.75_160"], time)
    estimator = Estimator(measure([n for n in NAMES if n != left_out.outline.variant], time))
    assert 0.3 < estimator.estimate(left_out.outline).interpolated < 1


def test_a_network_between_measured_ones_has_its_weights_and_activations() -> None:
    left_out = outline("mobilenet_v2_0.75_160")
    others = measure([name for name in NAMES if name != left_out.variant])
    expected = 4 * left_out.params_count + left_out.largest_tensor_bytes / 2
    assert Estimator(others).estimate(left_out).memory_bytes == pytest.approx(expected, rel=1e-6)


def test_without_a_plan_there_is_no_memory() -> None:
    one = outline("mobilenet_v2_1.0_224")
    made = timed(one, kernels_of(one, known_us), 1.0)
    assert made
    assert made.memory_bytes is None
    assert Estimator([made]).estimate(one).memory_bytes is None


def test_the_whole_is_to_its_kernels_as_in_the_nearest_networks() -> None:
    small, large = NAMES[-3:], NAMES[:3]
    estimator = Estimator([*measure(small, whole=0.5), *measure(large, whole=1.0)])
    (one,) = measure([large[0]], whole=1.0)
    assert estimator.estimate(one.outline).latency_ms == pytest.approx(one.latency_ms, rel=0.1)
    (other,) = measure([small[2]], whole=0.5)
    assert estimator.estimate(other.outline).latency_ms == pytest.approx(other.latency_ms, rel=0.1)


def test_channels_may_be_padded_to_whole_vectors() -> None:
    layer = Layer(CLASSIFIER, 1, 1, 1280, 1000)
    found = times_of([layer], [KernelTime("classifier 1008 over 1280 #ab", 1, 1, 1, 7.0)])
    assert found == {layer: 7.0}


@pytest.mark.parametrize(
    "name",
    ["classifier 999 over 1280", "classifier 1100 over 1280", "classifier 1000 over 640",
     "pointwise 1x1x1000 over 1280", "other reshape"],
)  # fmt: skip
def test_a_network_whose_kernels_are_others_is_no_basis(name: str) -> None:
    layer = Layer(CLASSIFIER, 1, 1, 1280, 1000)
    assert times_of([layer], [KernelTime(name, 1, 1, 1, 7.0)]) is None


def test_kernels_of_one_name_share_their_time() -> None:
    layers = [Layer(POINTWISE, 7, 7, 96, 32), Layer(POINTWISE, 7, 7, 96, 32, residual=True)]
    kernels = [
        KernelTime("pointwise 7x7x32 over 96 #a", 1, 1, 1, 4.0),
        KernelTime("pointwise 7x7x32 over 96 #b", 2, 1, 1, 11.0),
    ]
    assert times_of(layers, kernels) == dict.fromkeys(layers, 5.0)
