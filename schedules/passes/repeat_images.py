"""Run the network on each image of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.ir import Op

from mobilebench.schedules.arena import Lifetime, aligned, plan, total_bytes
from mobilebench.schedules.ir.chunks import find_chunk_loop, inside_chunk, run_chunks
from mobilebench.schedules.ir.kernel_sequence import is_constant
from mobilebench.schedules.ir.rewrite import redirect
from mobilebench.schedules.ir.statements import body_of, statements_of
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA, bytes_buffer
from mobilebench.schedules.templates.task import tensor_bytes
from mobilebench.targets.errors import BenchError

IMAGES = "mobilebench.images"  # annotation of a loop over images that all threads go through
_ARENA = "arena"  # parameter of the network; the others are weights, its input and its outputs
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
        """Rewrite the network and `main`; raises BenchError where kernels were not merged."""
        names = {name.name_hint: name for name in mod.functions}
        if NETWORK_IN_ARENA not in names:
            raise BenchError(
                "TVM cannot make one function of the network's operators, which a batch of several "
                "images needs; leave out --batch"
            )
        name = names[NETWORK_IN_ARENA]
        network = _Network.of(mod[name], _arguments(mod["main"], name))
        function, nbytes = _Repetition(network, self._machine, self._batch).function()
        left = (NETWORK_IN_ARENA, "main")
        others = {one: f for one, f in mod.functions_items() if one.name_hint not in left}
        rest = tvm.IRModule(others, attrs=mod.attrs)
        written = _write_main(rest, mod["main"], function, nbytes, self._batch)
        return tirx.transform.ConvertSSA()(written)


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


@dataclass(frozen=True)
class _Network:
    """A network for one image, taken apart."""

    function: tirx.PrimFunc
    handed: dict[Any, Any]  # the flat view of the input and of each output, by parameter
    placed: dict[Any, int]  # the place in the arena of each tensor between kernels
    arena_bytes: int
    constant: frozenset[Any]  # parameters that are weights
    declared: tuple[Any, ...]  # statements that declare weights
    kernels: tuple[_Kernel, ...]

    @classmethod
    def of(cls, function: tirx.PrimFunc, arguments: Sequence[Any]) -> "_Network":
        statements = statements_of(function.body)
        declarations = [one for one in statements if isinstance(one, tirx.DeclBuffer)]
        whole = {one.data.args[0]: one.buffer for one in declarations if one.data.op == _DATA}
        (arena,) = [one for one in function.params if one.name == _ARENA]
        view = whole.pop(arena)
        given = zip(function.params, arguments, strict=True)
        constant = frozenset(one for one, argument in given if is_constant(argument))
        handed = {
            one: whole[one] for one in function.params if one in whole and one not in constant
        }
        placed = {}
        for one in declarations:
            if one.data.op == _ADDRESS_OF and one.data.args[0].source.same_as(view):
                placed[one.buffer] = int(one.data.args[0].indices[0])
        tensors = {view, *handed.values(), *placed}
        weights = [one for one in declarations if one.buffer not in tensors]
        known = {one.buffer for one in weights}
        kernels = []
        for statement in statements:
            if not isinstance(statement, tirx.DeclBuffer):
                used = tirx.analysis.undefined_vars(statement, [])
                mine, read = ([u for u in used if u in some] for some in (tensors, known))
                kernels.append(_Kernel(statement, tuple(mine), tuple(read)))
        nbytes = int(view.shape[0])
        return cls(function, handed, placed, nbytes, constant, tuple(weights), tuple(kernels))


class _Repetition:
    """The same network for a batch."""

    def __init__(self, network: _Network, machine: Machine, batch: int) -> None:
        self._network, self._machine, self._batch = network, machine, batch
        self._threads = machine.threads // threads_of_an_image(machine.threads, batch)
        kernels = network.kernels
        begin = len(kernels)
        while begin and kernels[begin - 1].keeps_weights(machine, batch):
            begin -= 1
        self._one_by_one, self._all_at_once = kernels[:begin], kernels[begin:]
        self._each = aligned(network.arena_bytes) if begin else 0  # bytes of a thread's own arena
        self._places, kept_bytes = self._keep()
        self._bytes = self._threads * self._each + kept_bytes
        self._view = bytes_buffer("arena_bytes", self._bytes)
        # What has room for a whole batch, and the elements of an image in it, by that of an image.
        # A buffer is declared once: LLVM is told that buffers of different names do not overlap.
        self._batches: dict[Any, tuple[Any, int]] = {}

    def function(self) -> tuple[tirx.PrimFunc, int]:
        """Return the network for a batch, and the bytes of its arena."""
        params, body = self._parameters()
        body += self._network.declared
        if self._one_by_one:
            body.append(self._images_in_turn())
        body += map(self._kernel_for_all, self._all_at_once)
        attrs = self._network.function.attrs
        return tirx.PrimFunc(params, body_of(body), attrs=attrs), self._bytes

    def _keep(self) -> tuple[dict[Any, int], int]:
        """Return where tensors lie that a whole batch has at once, and how many bytes they take."""
        kernels = self._network.kernels
        used = {one for kernel in self._all_at_once for one in kernel.tensors}
        kept = [one for one in self._network.placed if one in used]
        lifetimes = []
        for one in kept:
            steps = [step for step, kernel in enumerate(kernels) if one in kernel.tensors]
            size = self._batch * aligned(tensor_bytes(one))
            lifetimes.append(Lifetime(size, steps[0], steps[-1]))
        offsets = plan(lifetimes)
        first = self._threads * self._each
        places = {one: first + offset for one, offset in zip(kept, offsets, strict=True)}
        return places, total_bytes(lifetimes, offsets)

    def _parameters(self) -> tuple[list[Any], list[Any]]:
        """Return the parameters, and the declarations of what has room for a batch."""
        params, body = [], []
        for old in self._network.function.params:
            if old in self._network.constant:
                params.append(old)
            elif old.name == _ARENA:
                params.append(bytes_buffer(_ARENA, self._bytes))
                body.append(tirx.DeclBuffer(self._view, data=params[-1].data))
            else:
                image = self._network.handed[old]
                params.append(tirx.decl_buffer(_batch_of(old, self._batch), old.dtype, old.name))
                whole = self._make_batch(image, int(image.shape[0]))
                body.append(tirx.DeclBuffer(whole, data=params[-1].data))
        for tensor, offset in self._places.items():
            nbytes, elements = tensor_bytes(tensor), int(tensor.shape[0])
            whole = self._make_batch(tensor, aligned(nbytes) * elements // nbytes)
            place = tirx.address_of(self._view[offset])
            body.append(tirx.DeclBuffer(whole, data=place))
        return params, body

    def _make_batch(self, image: Any, elements: int) -> Any:
        shape, name = (self._batch * elements,), f"{image.name}_batch"
        whole = tirx.decl_buffer(shape, image.dtype, name, scope=image.scope())
        self._batches[image] = whole, elements
        return whole

    def _own(self, thread: Any, used: Sequence[Any]) -> list[Any]:
        """Return declarations of the tensors in a thread's own arena that kernels use."""
        found = []
        for one in dict.fromkeys(used):
            if one not in self._batches:
                place = self._view[thread * self._each + self._network.placed[one]]
                found.append(tirx.DeclBuffer(one, data=tirx.address_of(place)))
        return found

    def _of_image(self, statement: Any, image: Any) -> Any:
        """Return a statement that reads and writes the part of an image in what has a batch."""

        def to(tensor: Any, indices: Any) -> tuple[Any, list[Any]] | None:
            if tensor not in self._batches:
                return None
            whole, elements = self._batches[tensor]
            return whole, [indices[0] + image * elements]

        moved = redirect(statement, to)
        left = [one for one in tirx.analysis.undefined_vars(moved, []) if one in self._batches]
        assert not left, "a tensor is used otherwise than element by element"
        return moved

    def _images_in_turn(self) -> Any:
        """Return the loop over images whose body is the first kernels."""
        used = [one for kernel in self._one_by_one for one in kernel.tensors]
        statements = [kernel.statement for kernel in self._one_by_one]
        image = tirx.Var("image", "int32")
        if self._threads < self._machine.threads:  # all of them share each image
            steps = [self._of_image(one, image) for one in statements]
            body = tirx.SeqStmt([*self._own(0, used), *steps])
            kind, marks = tirx.ForKind.SERIAL, {IMAGES: 1}
            return tirx.For(image, 0, self._batch, kind, body, annotations=marks)
        thread, each = tirx.Var("thread_images", "int32"), self._batch // self._threads
        number = thread * each + image
        steps = [self._of_image(_in_order(one), number) for one in statements]
        body = tirx.SeqStmt([*self._own(thread, used), *steps])
        loop = tirx.For(image, 0, each, tirx.ForKind.SERIAL, body)
        kind = tirx.ForKind.PARALLEL if self._threads > 1 else tirx.ForKind.SERIAL
        return tirx.For(thread, 0, self._threads, kind, loop)

    def _kernel_for_all(self, kernel: _Kernel) -> Any:
        """Return a kernel that goes through all images, in each of its chunks if it has any."""

        def repeated(body: Any) -> Any:
            image = tirx.Var("image", "int32")
            inner = self._of_image(body, image)
            return tirx.For(image, 0, self._batch, tirx.ForKind.SERIAL, inner)

        if find_chunk_loop(kernel.statement) is None:
            return repeated(kernel.statement)
        return inside_chunk(kernel.statement, repeated)


def _in_order(statement: Any) -> Any:
    """Return a kernel with its chunks run one after the other."""
    chunks = find_chunk_loop(statement)
    return run_chunks(statement, 0, chunks.extent) if chunks else statement


def _write_main(
    mod: tvm.IRModule, main: relax.Function, network: tirx.PrimFunc, nbytes: int, batch: int
) -> tvm.IRModule:
    """Return the module with the network, and a `main` like the old one that hands it a batch."""
    builder = relax.BlockBuilder(mod)
    name = builder.add_func(network, NETWORK_IN_ARENA)
    arena = relax.ShapeExpr([nbytes])
    (old,) = main.params
    image = relax.Var(old.name, relax.TensorType(_batch_of(old.ty, batch), old.ty.dtype))
    known: dict[Any, Any] = {old: image}

    def step(value: Any) -> Any:
        if isinstance(value, relax.Tuple):
            return relax.Tuple([known[one] for one in value.fields])
        if not isinstance(value, relax.Call):
            return known[value]
        args = [known.get(one, one) for one in value.args]
        if value.op == Op.get("relax.builtin.alloc_tensor"):
            (kind,) = value.ty_args
            shape = relax.ShapeExpr(_batch_of(kind, batch))
            call = relax.op.builtin.alloc_tensor(shape, str(kind.dtype), 0, "global")
        elif value.op == Op.get("relax.memory.alloc_storage"):
            call = relax.op.memory.alloc_storage(arena, 0, "global", "uint8")
        elif value.op == Op.get("relax.memory.alloc_tensor"):
            call = relax.op.memory.alloc_tensor(args[0], 0, arena, "uint8")
        else:
            call = relax.Call(name, args, value.attrs, value.ty_args)
        return builder.emit(call)

    with builder.function("main", [image], attrs=dict(main.attrs)):
        for block in main.body.blocks:
            for binding in block.bindings:
                known[binding.var] = step(binding.value)
        builder.emit_func_output(known[main.body.body])
    written: tvm.IRModule = builder.get()
    return written


def _arguments(main: relax.Function, network: Any) -> Sequence[Any]:
    """Return what `main` calls the network with."""
    bindings = (binding for block in main.body.blocks for binding in block.bindings)
    calls = (one.value for one in bindings if isinstance(one.value, relax.Call))
    return next(call.args for call in calls if call.op.same_as(network))


def _batch_of(tensor: Any, batch: int) -> list[int]:
    """Return the shape of as many of a tensor."""
    first, *rest = (int(one) for one in tensor.shape)
    return [batch * first, *rest]
