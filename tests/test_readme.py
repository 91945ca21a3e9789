"""What the README opens with is what CI runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_ci_runs_the_readme_s_test_command_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = [line.strip() for line in readme.splitlines() if line.startswith("python3 -m venv")]
    run, test = lines[:2]
    assert run.endswith("mobilebench run")
    assert test.endswith("tox")
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_document_that_is_linked_is_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)  # code has no links
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
