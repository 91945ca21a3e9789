"""Now, as records write it."""

from datetime import UTC, datetime


def utc_now() -> str:
    """Return the time in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
