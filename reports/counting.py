"""How many there are of something, in words."""


def counted(count: int, one: str, more: str = "") -> str:
    """Return a number of things: `1 row`, `2 rows`, `no rows`."""
    return f"1 {one}" if count == 1 else f"{count or 'no'} {more or one + 's'}"
