"""The README and the documentation: links lead somewhere, commands and paths exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from mobilebench.bench.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
COMMANDS_IN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "docs/guide/nightly/crontab",
    ROOT / "docs/guide/nightly/mobilebench-nightly.service",
    ROOT / "docs/guide/nightly/workflow.yml",
]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^\s*(?:[A-Z_]+=\S+ )*|/bin/)mobilebench ([a-z].*)")  # and its words
FOLDERS = ("bench", "docs", "reports", "schedules", "targets", "tests")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_ci_runs_the_test_command_of_the_readme_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = [line.strip() for line in readme.splitlines() if line.startswith("python3 -m venv")]
    run, test = lines[:2]
    assert run.endswith("mobilebench run")
    assert test.endswith("tox")
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


def without_code(text: str) -> str:
    return FENCE.sub("", text)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text()), flags=re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), f"{name_of(page)}: {link}"
        if anchor:
            assert anchor in anchors_of(linked), f"{name_of(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_of_this_project_that_is_named_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # names what was, too
        return
    for path in re.findall(r"`([\w./-]+)`", page.read_text()):
        if path.split("/")[0] in FOLDERS and "/" in path and "NAME" not in path:
            assert (ROOT / path).exists(), f"{name_of(page)}: {path}"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "docs/index.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", without_code(page.read_text())):
            if "://" not in link:
                ahead.append((page.parent / link).resolve())
    assert set((ROOT / "docs").rglob("*.md")) <= reached


def commands_in(text: str, fenced: bool) -> Iterator[list[str]]:
    """Yield the words of each `mobilebench` command, without the word itself.

    Those of a Markdown page stand in its shell blocks; elsewhere any line may have one.
    """
    blocks = [code for kind, code in FENCE.findall(text) if kind in ("sh", "yaml")]
    for block in blocks if fenced else [text]:
        for line in block.replace("\\\n", " ").splitlines():
            found = COMMAND.search(line.split(" # ")[0])
            if found:
                yield shlex.split(re.split(r" (?:&&|\|\||>>?|\|) ", found[1])[0])


COMMANDS = [
    pytest.param(words, id=f"{name_of(page)}: {' '.join(words)}")
    for page in COMMANDS_IN
    for words in commands_in(page.read_text(), fenced=page.suffix == ".md")
]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_is_shown_is_one_of_the_command_line(words: list[str]) -> None:
    """Parse it as the program does, without running it: unknown names and options are errors."""
    command, info, rest = get_command(app), "mobilebench", words
    context = typer.Context(command, info_name=info)
    while hasattr(command, "resolve_command"):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = typer.Context(command, info_name=command.name)
    command.make_context(command.name, list(rest), resilient_parsing=False)


def test_many_commands_were_found() -> None:
    assert len(COMMANDS) > 60


def test_the_example_of_a_suite_file_in_the_readme_is_one(tmp_path: Path) -> None:
    from mobilebench.bench.config.suite_file import read_suite

    (block,) = [
        code for kind, code in FENCE.findall((ROOT / "README.md").read_text()) if kind == "toml"
    ]
    file = tmp_path / "suite.toml"
    file.write_text(block)
    assert read_suite(file)
    assert read_suite(ROOT / "docs/guide/nightly/nightly.toml")
