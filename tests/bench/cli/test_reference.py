"""The reference pages say what the declarations of the options say."""

from pathlib import Path

from mobilebench.bench.cli.reference import options_page, suite_page

PAGES = Path(__file__).parents[3] / "docs" / "reference"
HOW = "write it with: python -m mobilebench.bench.cli.reference"


def test_the_page_of_options_is_the_one_that_the_code_writes() -> None:
    assert (PAGES / "options.md").read_text() == options_page(), HOW


def test_the_page_of_suite_keys_is_the_one_that_the_code_writes() -> None:
    assert (PAGES / "suite.md").read_text() == suite_page(), HOW
