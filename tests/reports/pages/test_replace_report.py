"""A new report in the directory of an older one."""

from pathlib import Path

import pytest

from mobilebench.reports.pages.replace_report import LISTING, replace_report

LAST = "index.html"


def write(directory: Path, *names: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_text(f"{name} of {directory.name}")
    return directory


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_what_only_the_older_report_had_is_deleted(tmp_path: Path) -> None:
    report = write(tmp_path / "report")
    replace_report(write(tmp_path / "first", LAST, "a.png", "b.png"), report, LAST)
    replace_report(write(tmp_path / "second", LAST, "a.png"), report, LAST)
    assert names_in(report) == {LAST, "a.png", LISTING}
    assert (report / "a.png").read_text() == "a.png of second"


def test_files_that_no_report_wrote_are_left_alone(tmp_path: Path) -> None:
    report = write(tmp_path / "report", "holiday.png")
    replace_report(write(tmp_path / "first", LAST), report, LAST)
    replace_report(write(tmp_path / "second", LAST), report, LAST)
    assert names_in(report) == {LAST, "holiday.png", LISTING}


def test_a_listing_deletes_nothing_outside_its_directory(tmp_path: Path) -> None:
    report = write(tmp_path / "report")
    write(tmp_path / "report" / "deep", "kept.png")
    write(tmp_path, "kept.png")
    (report / LISTING).write_text("../kept.png\ndeep/kept.png\ndeep\n..\n\n")
    replace_report(write(tmp_path / "new", LAST), report, LAST)
    assert (tmp_path / "kept.png").exists()
    assert (report / "deep" / "kept.png").exists()


def test_a_listing_that_is_no_text_names_nothing(tmp_path: Path) -> None:
    report = write(tmp_path / "report", "a.png")
    (report / LISTING).write_bytes(b"a.png\n\xff\xfe\n")
    replace_report(write(tmp_path / "new", LAST), report, LAST)
    assert names_in(report) == {LAST, "a.png", LISTING}


def test_what_an_interrupted_replacement_left_is_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = write(tmp_path / "report")
    replace_report(write(tmp_path / "first", LAST, "old.png"), report, LAST)
    move = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == LAST:
            raise KeyboardInterrupt
        return move(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            replace_report(write(tmp_path / "second", LAST, "half.png"), report, LAST)
    assert (report / LAST).read_text() == f"{LAST} of first"
    replace_report(write(tmp_path / "third", LAST), report, LAST)
    assert names_in(report) == {LAST, LISTING}
