"""The loop of a kernel whose iterations (chunks) are shared by threads, or run strip by strip."""

from collections.abc import Callable
from typing import Any

import tvm_ffi
from tvm import tirx


def find_chunk_loop(statement: Any) -> Any | None:
    """Return the parallel loop of a nest around which there are loops only; None without one."""
    while isinstance(statement, (tirx.AttrStmt, tirx.For)):
        if isinstance(statement, tirx.For) and statement.kind == tirx.ForKind.PARALLEL:
            return statement
        statement = statement.body
    return None


def run_chunks(statement: Any, begin: Any, end: Any) -> Any:
    """Return the nest with its parallel loop run in order, from one chunk up to another."""
    if isinstance(statement, tirx.AttrStmt):  # what a schedule noted about the loop inside
        body = run_chunks(statement.body, begin, end)
        return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, body)
    variable, body = statement.loop_var, statement.body
    if statement.kind == tirx.ForKind.PARALLEL:
        # From zero: where a loop begins elsewhere, TVM's CanonicalizeLoop shifts its variable, but
        # not in the beginnings of the loops inside it, which would then be wrong.
        shifted = tvm_ffi.structural_map(
            body, (tirx.Var, lambda one: one + begin if one.same_as(variable) else one)
        )
        return tirx.For(variable, 0, end - begin, tirx.ForKind.SERIAL, shifted)
    inner = run_chunks(body, begin, end)
    return tirx.For(variable, statement.min, statement.extent, statement.kind, inner)


def part_of(extent: Any, part: Any, parts: int) -> tuple[Any, Any]:
    """Return where a part of so many chunks begins and ends.

    Parts differ by one chunk at most, and none is longer than the first.
    """
    before = parts - 1  # rounds up
    return (extent * part + before) // parts, (extent * (part + 1) + before) // parts


def inside_chunk(statement: Any, change: Callable[[Any], Any]) -> Any:
    """Return a nest that has a parallel loop with that loop's body changed."""
    if isinstance(statement, tirx.AttrStmt):
        body = inside_chunk(statement.body, change)
        return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, body)
    parallel = statement.kind == tirx.ForKind.PARALLEL
    body = change(statement.body) if parallel else inside_chunk(statement.body, change)
    return tirx.For(statement.loop_var, statement.min, statement.extent, statement.kind, body)
