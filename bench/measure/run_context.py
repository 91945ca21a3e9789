"""What every step of a run needs: the run, its suite, and its inputs."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from mobilebench.bench.accuracy.evaluation import Dataset
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.config.suite import Suite
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.load import LoadPlan, plan_load
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.reports.records.store import Run
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import Target, find_target
from mobilebench.targets.devices.farm import Farm, find_farm


@dataclass(frozen=True)
class RunContext:
    """A run, its suite, and what was read before it began."""

    run: Run
    suite: Suite
    weights: tuple[Weights, ...]
    cache_dir: Path
    dataset: Dataset | None = None
    calibration: Calibration = field(default_factory=Calibration)
    stage_images: tuple[Path, ...] = ()  # on which all stages are timed; none: they are not
    networks: tuple[OnnxNetwork, ...] = ()  # of the user's own
    power_meter: str = ""  # a command of the user's
    bundles: tuple[Bundle, ...] = ()  # measured instead of the suite's variants

    @property
    def databases(self) -> tuple[Path, ...]:
        """Directories of tuned tiles; none if the templates' default tiles were asked for."""
        return () if self.suite.trials == 0 else directories()

    @property
    def targets(self) -> list[Target]:
        """The targets that are measured."""
        exported = {one.target.name: one.target for one in self.bundles}
        return [self.cooled(exported.get(name) or find_target(name)) for name in self.suite.targets]

    @property
    def load(self) -> LoadPlan | None:
        """The load that follows the measurement of latency; None if none was asked for."""
        suite = self.suite
        return plan_load(suite.sustained_minutes, suite.pace_fps, suite.energy, self.power_meter)

    def network(self, name: str) -> Network:
        """Return what a row of this run is about, by its name."""
        own: dict[str, Network] = {one.name: one for one in self.networks}
        own |= {one.variant.name: one.variant for one in self.bundles}
        return own.get(name) or parse_variant(name)

    def cooled(self, target: Target) -> Target:
        """Return a target with the suite's temperature limit, if it has one."""
        cool_below_c = self.suite.cool_below_c
        return target if cool_below_c is None else replace(target, cool_below_c=cool_below_c)

    def farm(self, target: Target) -> Farm | None:
        """Return the farm of a target's boards; None if this machine is its device."""
        suite = self.suite
        return find_farm(target, suite.tracker, self.cache_dir, suite.wait_s)

    def build_options(self, cell: PlannedCell) -> BuildOptions:
        """Return how a cell's network is built; each cell has its own directory for a dump."""
        dump_ir = self.suite.dump_ir
        return BuildOptions(
            target=cell.target,
            threads=cell.threads,
            databases=self.databases,
            batch=cell.batch,
            precision=cell.precision,
            optimize_for=self.suite.optimize_for,
            dump_ir=dump_ir / cell.file_name if dump_ir else None,
        )

    def measurement_config(
        self, target: Target, threads: int, streams: int = 1
    ) -> MeasurementConfig:
        """Return where a target is measured, and how thoroughly."""
        farm, load = self.farm(target), self.load
        if farm and load:  # a board ends a session after a time
            whole_s = load.seconds * len(self.suite.runtimes)
            farm = replace(farm, session_s=farm.session_s + whole_s)
        return MeasurementConfig(
            target=target,
            threads=threads,
            streams=streams,
            time_limit_s=self.suite.time_limit_s,
            cache_dir=self.cache_dir,
            farm=farm,
            effort=find_effort(self.suite.effort),
            retries=self.suite.retries,
            load=load,
        )
