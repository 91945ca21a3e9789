"""The steps of flat code."""

from typing import Any

from tvm import tirx


def statements_of(body: Any) -> list[Any]:
    """Return the statements of a function's body, which is no sequence if it has a single one."""
    return list(body.seq) if isinstance(body, tirx.SeqStmt) else [body]


def body_of(statements: list[Any]) -> Any:
    """Return a function's body of these statements, one at least."""
    return tirx.SeqStmt(statements) if len(statements) > 1 else statements[0]
