"""The latency and memory of networks that were never measured, from kernels of those that were.

A network's kernels are summed: each takes what the same kernel took in the nearest networks that
have it or, where its shape was never measured, what a model of its family says. The model is fixed
time, arithmetic and bytes, all of them positive (non-negative least squares on relative errors),
corrected by what the nearest measured shapes take longer or shorter than it says. The whole takes
longer or shorter than the sum of its kernels as the nearest measured networks do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np
from scipy.optimize import nnls

from mobilebench.reports.choice.layers import Layer, times_of
from mobilebench.reports.records.record import KernelTime

LEAST_NETWORKS = 4  # that an estimate is made from
_NEIGHBOURS = 4
_OTHER_STRIDE = 1.0  # how far a layer of another stride is; a factor of e in a size is 1 too

Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Outline:
    """What is known of a network without measuring it."""

    variant: str
    height: int
    width: int
    layers: tuple[Layer, ...]
    params_count: int
    largest_tensor_bytes: int

    @property
    def place(self) -> Numbers:
        """Where it lies among networks: size of the input, and of the weights, as logarithms."""
        return np.log([self.height * self.width, self.params_count])


@dataclass(frozen=True)
class Timed:
    """A network whose kernels were timed, with what it takes."""

    outline: Outline
    layer_us: dict[Layer, float]  # of each layer, once
    latency_ms: float
    params_bytes: int | None
    arena_bytes: int | None

    @property
    def kernels_ms(self) -> float:
        """All layers together."""
        return sum(self.layer_us[layer] for layer in self.outline.layers) / 1e3

    @property
    def memory_bytes(self) -> int | None:
        """Weights and planned activations; None if they were not planned."""
        if self.params_bytes is None or self.arena_bytes is None:
            return None
        return self.params_bytes + self.arena_bytes


@dataclass(frozen=True)
class Estimate:
    """What a network would take."""

    latency_ms: float
    memory_bytes: float | None
    interpolated: float  # share of the time that is of shapes that were never measured


@dataclass(frozen=True)
class Errors:
    """How far estimates of measured networks are off, each made without that network."""

    networks: int
    median: float  # of the relative errors' absolute values
    p90: float


def timed(
    outline: Outline,
    kernels: Sequence[KernelTime],
    latency_ms: float,
    params_bytes: int | None = None,
    arena_bytes: int | None = None,
) -> Timed | None:
    """Return a network with the time of each of its layers; None if its kernels are others."""
    times = times_of(outline.layers, kernels)
    return Timed(outline, times, latency_ms, params_bytes, arena_bytes) if times else None


class Estimator:
    """Estimates from measured networks on one device, at one precision and thread count."""

    def __init__(self, networks: Sequence[Timed]) -> None:
        """Take the measured networks, LEAST_NETWORKS at least."""
        self._networks = tuple(networks)

    def estimate(self, outline: Outline) -> Estimate:
        """Return what a network would take."""
        total = interpolated = 0.0
        for layer in outline.layers:
            known = layer in self._times
            time = self._measured(outline, layer) if known else self._interpolate(layer)
            total += time
            interpolated += 0.0 if known else time
        whole = self._near(outline, [one.latency_ms / one.kernels_ms for one in self._networks])
        return Estimate(whole * total / 1e3, self._memory(outline), interpolated / total)

    @cached_property
    def _times(self) -> dict[Layer, float]:
        """The microseconds of each layer that was measured, the mean over networks."""
        found: dict[Layer, list[float]] = {}
        for network in self._networks:
            for layer, time in network.layer_us.items():
                found.setdefault(layer, []).append(time)
        return {layer: fmean(times) for layer, times in found.items()}

    @cached_property
    def _families(self) -> dict[str, "_Family"]:
        known: dict[str, list[Layer]] = {}
        for layer in self._times:
            known.setdefault(layer.family, []).append(layer)
        return {name: _Family(own, [self._times[o] for o in own]) for name, own in known.items()}

    def _measured(self, outline: Outline, layer: Layer) -> float:
        """Return what a layer took in the nearest networks: how much stays in caches differs."""
        networks = [one for one in self._networks if layer in one.layer_us]
        return self._near(outline, [one.layer_us[layer] for one in networks], networks)

    def _interpolate(self, layer: Layer) -> float:
        return self._families[layer.family].microseconds(layer)

    def _memory(self, outline: Outline) -> float | None:
        planned = [one for one in self._networks if one.memory_bytes is not None]
        if not planned:
            return None
        params = [(one.params_bytes or 0) / one.outline.params_count for one in planned]
        arena = [(one.arena_bytes or 0) / one.outline.largest_tensor_bytes for one in planned]
        return outline.params_count * self._near(outline, params, planned) + (
            outline.largest_tensor_bytes * self._near(outline, arena, planned)
        )

    def _near(
        self, outline: Outline, ratios: Sequence[float], networks: Sequence[Timed] = ()
    ) -> float:
        """Return the mean of what is known of networks, by default of all, near this one."""
        places = np.array([one.outline.place for one in networks or self._networks])
        return float(_nearest_mean(outline.place, places, np.array(ratios)))


def leave_one_out(networks: Sequence[Timed]) -> Errors:
    """Estimate each network from the others and return how far that is off."""
    off = []
    for index, one in enumerate(networks):
        others = [*networks[:index], *networks[index + 1 :]]
        off.append(abs(Estimator(others).estimate(one.outline).latency_ms / one.latency_ms - 1))
    return Errors(len(off), float(np.median(off)), float(np.quantile(off, 0.9)))


class _Family:
    """Kernels of one family, whose time is interpolated."""

    def __init__(self, layers: Sequence[Layer], microseconds: Sequence[float]) -> None:
        times = np.array(microseconds)
        self._places = _places(layers)
        # Relative errors count: a small kernel of many is worth as much as a large one.
        self._costs, _ = nnls(_costs(layers) / times[:, None], np.ones(len(layers)))
        self._ratios = times / (_costs(layers) @ self._costs)

    def microseconds(self, layer: Layer) -> float:
        """Return how long a layer takes that was never measured."""
        modelled = float((_costs([layer]) @ self._costs)[0])
        return modelled * float(_nearest_mean(_places([layer])[0], self._places, self._ratios))


def _costs(layers: Iterable[Layer]) -> Numbers:
    """Return what the time of a layer is a sum of: one call, arithmetic, activations, weights."""
    return np.array([[1.0, one.macs / 1e3, one.moved / 1e3, one.weights / 1e3] for one in layers])


def _places(layers: Iterable[Layer]) -> Numbers:
    """Return where layers lie among others: logarithms of their sizes, and their stride."""
    return np.array(
        [
            [
                np.log(one.height * one.width),
                np.log(one.inputs),
                np.log(one.channels),
                _OTHER_STRIDE * (one.stride - 1),
            ]
            for one in layers
        ]
    )


def _nearest_mean(place: Numbers, places: Numbers, ratios: Numbers) -> Any:
    """Return the geometric mean of the nearest ratios, by inverse squares of distances."""
    distances = np.linalg.norm(places - place, axis=1)
    nearest = np.argsort(distances, kind="stable")[:_NEIGHBOURS]
    weights = 1 / (distances[nearest] ** 2 + 1e-3)
    return np.exp(np.average(np.log(ratios[nearest]), weights=weights))
