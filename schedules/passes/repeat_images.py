"""Run the network on each image of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.ir import Op

from mobilebench.schedules.arena import ALIGNMENT, Lifetime, plan, total_bytes
from mobilebench.schedules.ir.chunks import find_chunk_loop, run_chunks
from mobilebench.schedules.ir.statements import body_of, statements_of
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA
from mobilebench.schedules.templates.task import tensor_bytes

IMAGES = "mobilebench.images"  # annotation of a loop over images that all threads go through
_ADDRESS_OF, _DATA = Op.get("tirx.address_of"), Op.get("tirx.buffer_data")


def threads_of_an_image(threads: int, batch: int) -> int:
    """Return how many threads share the work of an image: one, if each takes as many images."""
    return 1 if batch > 1 and batch % threads == 0 else threads


@tvm.transform.module_pass(opt_level=0, name="RepeatImages")
class RepeatImages:
    """Make a network for one image one for a batch of them.

    Images go through the network one after the other, so that what lies between two kernels stays
    in the caches. If there are as many for each thread, each takes its own, with an arena of its
    own, and waits for nobody. The last kernels have many weights and small tensors (a classifier
    has nothing but weights): from the first of these on, each kernel runs for all images before the
    next, and inside it each chunk, so that its weights are read from memory once for the batch.

    The network takes, and returns, tensors whose first axis is the batch. Runs after PoolParams.
    """

    def __init__(self, machine: Machine, batch: int) -> None:
        """Take the machine with all its threads, and how many images a batch has."""
        self._machine, self._batch = machine, batch

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network and its caller."""
        name = {name.name_hint: name for name in mod.functions}[NETWORK_IN_ARENA]
        network, nbytes = _Repeated(mod[name], self._machine, self._batch).build()
        left = (NETWORK_IN_ARENA, "main")
        others = {one: f for one, f in mod.functions_items() if one.name_hint not in left}
        rest = tvm.IRModule(others, attrs=mod.attrs)
        caller = _BatchCaller(nbytes, self._batch)
        return tirx.transform.ConvertSSA()(caller.write(rest, mod["main"], network))


@dataclass(frozen=True)
class _Kernel:
    """A statement of the network, and the tensors and weights that it touches."""

    statement: Any
    tensors: tuple[Any, ...]
    weights: tuple[Any, ...]

    def keeps_weights(self, machine: Machine, batch: int) -> bool:
        """Whether its weights are worth more room in the caches than the tensors of a batch."""
        tensors = batch * sum(map(tensor_bytes, self.tensors))
        return tensors <= max(sum(map(tensor_bytes, self.weights)), machine.l2_bytes // 2)


class _Repeated:
    """A network that is being rewritten."""

    def __init__(self, network: tirx.PrimFunc, machine: Machine, batch: int) -> None:
        self._network, self._machine, self._batch = network, machine, batch
        self._threads = machine.threads // threads_of_an_image(machine.threads, batch)
        self._arena = next(one for one in network.params if one.name == "arena")
        statements = statements_of(network.body)
        self._declared = [one for one in statements if isinstance(one, tirx.DeclBuffer)]
        self._whole: dict[Any, Any] = {}  # the flat view of each tensor that is handed over
        for one in self._declared:
            if one.data.op == _DATA and one.data.args[0].same_as(self._arena):
                self._view = one.buffer
            elif one.data.op == _DATA and _among(one.data.args[0], _handed(network)):
                self._whole[one.data.args[0]] = one.buffer
        self._placed = [one for one in self._declared if self._offset(one) is not None]
        self._moved = [*self._whole.values(), *(one.buffer for one in self._placed)]
        self._kernels = []
        for statement in statements:
            if not isinstance(statement, tirx.DeclBuffer):
                used = tirx.analysis.undefined_vars(statement, [])
                tensors = tuple(one for one in used if _among(one, self._moved))
                declared = [one.buffer for one in self._declared]
                read = (one for one in used if _among(one, declared))
                weights = tuple(one for one in read if not _among(one, self._moved))
                self._kernels.append(_Kernel(statement, tensors, weights))

    def build(self) -> tuple[tirx.PrimFunc, int]:
        """Return the network for a batch, and the bytes of its arena."""
        begin = self._first_for_all()
        first, last = self._kernels[:begin], self._kernels[begin:]
        kept = self._kept(last)
        lifetimes = [
            Lifetime(self._batch * _aligned(tensor_bytes(one)), *self._steps(one)) for one in kept
        ]
        offsets = plan(lifetimes)
        stride = _aligned(int(self._view.shape[0]))
        alone = self._threads * stride if first else 0
        nbytes = alone + total_bytes(lifetimes, offsets)
        handed, params = _handed(self._network), []
        view = tirx.decl_buffer((nbytes,), "uint8", "arena_bytes", data_alignment=ALIGNMENT)
        body, flat = [], {}
        for one in self._network.params:
            if one.same_as(self._arena):
                arena = tirx.decl_buffer((nbytes,), "uint8", one.name, data_alignment=ALIGNMENT)
                params.append(arena)
                body.append(tirx.DeclBuffer(view, data=arena.data))
            elif _among(one, handed):
                image = self._whole[one]
                shape = [self._batch * int(one.shape[0]), *one.shape[1:]]
                params.append(tirx.decl_buffer(shape, one.dtype, one.name))
                size = self._batch * int(image.shape[0])
                flat[image] = tirx.decl_buffer((size,), one.dtype, f"{one.name}_batch")
                body.append(tirx.DeclBuffer(flat[image], data=params[-1].data))
            else:
                params.append(one)
        body += [
            one for one in self._declared if not _among(one.buffer, [*self._moved, self._view])
        ]

        def views(image: Any, thread: Any, used: Sequence[Any]) -> list[Any]:
            found = []
            for one in self._whole.values():
                if _among(one, used):
                    place = flat[one][image * int(one.shape[0])]
                    found.append(tirx.DeclBuffer(one, data=tirx.address_of(place)))
            for one in self._placed:
                if not _among(one.buffer, used):
                    continue
                index = next((i for i, b in enumerate(kept) if b.same_as(one.buffer)), None)
                if index is None:
                    place = view[thread * stride + self._offset(one)]
                else:
                    each = _aligned(tensor_bytes(one.buffer))
                    place = view[alone + offsets[index] + image * each]
                found.append(tirx.DeclBuffer(one.buffer, data=tirx.address_of(place)))
            return found

        if first:
            body.append(self._one_by_one(first, views))
        body += [self._all_at_once(kernel, views) for kernel in last]
        return tirx.PrimFunc(params, body_of(body), attrs=self._network.attrs), nbytes

    def _one_by_one(self, kernels: Sequence[_Kernel], views: Any) -> Any:
        used = [one for kernel in kernels for one in kernel.tensors]
        number = tirx.Var("image", "int32")
        if self._threads == 1 and self._machine.threads > 1:
            body = [*views(number, 0, used), *(kernel.statement for kernel in kernels)]
            return tirx.For(
                *(number, 0, self._batch, tirx.ForKind.SERIAL, tirx.SeqStmt(body)),
                annotations={IMAGES: 1},
            )
        each = self._batch // self._threads
        thread = tirx.Var("thread_images", "int32")
        body = [*views(thread * each + number, thread, used)]
        for kernel in kernels:
            chunks = find_chunk_loop(kernel.statement)
            body.append(
                run_chunks(kernel.statement, 0, chunks.extent) if chunks else kernel.statement
            )
        loop = tirx.For(number, 0, each, tirx.ForKind.SERIAL, tirx.SeqStmt(body))
        kind = tirx.ForKind.PARALLEL if self._threads > 1 else tirx.ForKind.SERIAL
        return tirx.For(thread, 0, self._threads, kind, loop)

    def _all_at_once(self, kernel: _Kernel, views: Any) -> Any:
        number = tirx.Var("image", "int32")

        def repeated(body: Any) -> Any:
            steps = [*views(number, 0, kernel.tensors), *statements_of(body)]
            return tirx.For(number, 0, self._batch, tirx.ForKind.SERIAL, tirx.SeqStmt(steps))

        def inside(statement: Any) -> Any:
            if isinstance(statement, tirx.AttrStmt):
                return tirx.AttrStmt(
                    *(statement.node, statement.attr_key, statement.value, inside(statement.body))
                )
            parallel = statement.kind == tirx.ForKind.PARALLEL
            body = repeated(statement.body) if parallel else inside(statement.body)
            return tirx.For(
                *(statement.loop_var, statement.min, statement.extent, statement.kind, body)
            )

        if find_chunk_loop(kernel.statement) is None:
            return repeated(kernel.statement)
        return inside(kernel.statement)

    def _first_for_all(self) -> int:
        begin = len(self._kernels)
        while begin and self._kernels[begin - 1].keeps_weights(self._machine, self._batch):
            begin -= 1
        return begin

    def _kept(self, last: Sequence[_Kernel]) -> list[Any]:
        used = [one for kernel in last for one in kernel.tensors]
        return [one.buffer for one in self._placed if _among(one.buffer, used)]

    def _steps(self, tensor: Any) -> tuple[int, int]:
        steps = [i for i, one in enumerate(self._kernels) if _among(tensor, one.tensors)]
        return steps[0], steps[-1]

    def _offset(self, declared: Any) -> int | None:
        if declared.data.op != _ADDRESS_OF:
            return None
        load = declared.data.args[0]
        return int(load.indices[0]) if load.source.same_as(self._view) else None


class _BatchCaller:
    """Writes `main` anew, which hands the network tensors of a batch."""

    def __init__(self, nbytes: int, batch: int) -> None:
        self._bytes, self._batch = nbytes, batch
        self._known: dict[Any, Any] = {}

    def write(self, mod: tvm.IRModule, main: relax.Function, network: tirx.PrimFunc) -> Any:
        """Return the module with a `main` like the old one, and the network."""
        builder = relax.BlockBuilder(mod)
        name = builder.add_func(network, NETWORK_IN_ARENA)
        (old,) = main.params
        image = relax.Var(old.name, relax.TensorType(self._shape(old.ty), old.ty.dtype))
        self._known[old] = image
        with builder.function("main", [image], attrs=dict(main.attrs)):
            for block in main.body.blocks:
                for binding in block.bindings:
                    self._known[binding.var] = self._step(builder, binding.value, name)
            builder.emit_func_output(self._known[main.body.body])
        return builder.get()

    def _step(self, builder: relax.BlockBuilder, value: Any, network: Any) -> Any:
        if isinstance(value, relax.Tuple):
            return relax.Tuple([self._known[one] for one in value.fields])
        if not isinstance(value, relax.Call):
            return self._known[value]
        if value.op == Op.get("relax.builtin.alloc_tensor"):
            (kind,) = value.ty_args
            shape = relax.ShapeExpr(self._shape(kind))
            return builder.emit(relax.op.builtin.alloc_tensor(shape, str(kind.dtype), 0, "global"))
        if value.op == Op.get("relax.memory.alloc_storage"):
            shape = relax.ShapeExpr([self._bytes])
            return builder.emit(relax.op.memory.alloc_storage(shape, 0, "global", "uint8"))
        args = [self._known.get(one, one) for one in value.args]
        if value.op == Op.get("relax.memory.alloc_tensor"):
            shape = relax.ShapeExpr([self._bytes])
            return builder.emit(relax.op.memory.alloc_tensor(args[0], 0, shape, "uint8"))
        return builder.emit(relax.Call(network, args, value.attrs, value.ty_args))

    def _shape(self, kind: Any) -> list[int]:
        first, *rest = (int(one) for one in kind.shape)
        return [self._batch * first, *rest]


def _handed(network: tirx.PrimFunc) -> list[Any]:
    """Return the parameters that are the network's input and outputs."""
    return [one for one in network.params if one.name not in ("params", "arena")]


def _among(one: Any, others: Sequence[Any]) -> bool:
    return any(one.same_as(other) for other in others)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
