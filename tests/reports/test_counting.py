from mobilebench.reports.counting import counted


def test_things_are_counted() -> None:
    assert [counted(n, "row") for n in (0, 1, 2)] == ["no rows", "1 row", "2 rows"]
