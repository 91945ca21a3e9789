"""Every option is declared so that help, reference and refusals can tell what it is."""

import pytest

from mobilebench.bench.config import commands
from mobilebench.bench.config.check import from_command_line
from mobilebench.bench.config.commands import RunOptions, TuneOptions
from mobilebench.bench.config.declaration import Option, Options, options_of
from mobilebench.bench.config.suite import Suite, SuiteFile
from mobilebench.targets.errors import BenchError

MODELS = [
    model
    for model in vars(commands).values()
    if isinstance(model, type) and issubclass(model, Options)
]


def option(model: type[Options], key: str) -> Option:
    return next(one for one in options_of(model) if one.key == key)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_option_says_what_it_means_in_a_sentence(model: type[Options]) -> None:
    for one in options_of(model):
        assert one.help[0].isupper()
        assert one.help.endswith(".")


def test_a_suite_file_has_the_options_of_run_that_are_not_about_one_run() -> None:
    of_run = {one.key for one in options_of(RunOptions)}
    assert {one.key for one in options_of(SuiteFile)} == of_run - {"suite", "resume"}


def test_an_option_tells_its_flag_its_range_and_its_default() -> None:
    limit = option(RunOptions, "time_limit")
    assert (limit.attribute, limit.flag, limit.metavar) == (
        *("time_limit_s", "--time-limit", "SECONDS"),
    )
    assert (limit.kind, limit.repeated, limit.default) == (float, False, "300")
    assert limit.expected() == "a number of seconds above 0 and at most 86400"
    threads = option(RunOptions, "threads")
    assert threads.repeated
    assert threads.expected() == "a list of whole numbers from 1 to 1024"
    assert threads.expected(one=True) == "a whole number from 1 to 1024"
    assert option(RunOptions, "effort").choices == ("quick", "standard", "rigorous")


def test_values_of_the_command_line_are_converted() -> None:
    options = from_command_line(RunOptions, {"threads": ["1", "2"], "time_limit_s": "7.5"})
    assert options.given(Suite) == {"threads": (1, 2), "time_limit_s": 7.5}
    assert options.values_of(TuneOptions)["time_limit_s"] == 7.5


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ({"threads": ["1", "two"]}, "--threads must be a whole number from 1 to 1024, not two"),
        ({"wait_s": "soon"}, "--wait must be a number of seconds above 0 and at most 86400, not"),
        ({"cool_below_c": "200"}, "--cool-below must be a number above 0 and below 200, not 200"),
        ({"trials": "-1"}, "--trials must be a whole number from 0 to 10000, not -1"),
        ({"retries": "11"}, "--retries must be a whole number from 0 to 10, not 11"),
        ({"effort": "quik"}, "unknown effort 'quik'; did you mean quick?"),
    ],
)
def test_a_bad_value_is_refused_with_the_allowed_ones(
    words: dict[str, object], refusal: str
) -> None:
    with pytest.raises(BenchError) as caught:
        from_command_line(RunOptions, words)
    assert str(caught.value).startswith(refusal)
