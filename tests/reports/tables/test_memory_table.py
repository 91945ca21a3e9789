from typing import Any

import pytest

from mobilebench.reports.records.activations import Largest
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.memory_analysis import Account, gather_accounts
from mobilebench.reports.tables.memory_table import (
    differences,
    megabytes,
    plans_table,
    processes_table,
    sizes_table,
)

RUN = "20260102-030405-abcd"
V2 = (  # of MobileNetV2 1.0-224, as the graph has them
    Largest(224, 224, 3, 3, ()),
    Largest(112, 112, 96, 16, (16,)),
    Largest(56, 56, 144, 24, (24,)),
    Largest(28, 28, 192, 32, (32,)),
    Largest(14, 14, 576, 96, (64, 96)),
    Largest(7, 7, 1280, 1280, (160, 320)),
    Largest(1, 1, 1280, 1280, ()),
)
V1 = tuple(
    Largest(size, size, channels, channels, ())
    for size, channels in ((112, 64), (56, 128), (28, 256), (14, 512), (7, 1024), (1, 1024))
)


@pytest.fixture
def accounts(store: Store, make_record: Any, make_needs: Any) -> list[Account]:
    """Return an account of MobileNetV2, measured in three runtimes, and one of another variant."""
    for runtime in ("tvm", "onnxruntime", "torch"):
        record = make_record(runtime=runtime, base_rss_bytes=90_000_000)
        store.add(record, activations=make_needs(runtime, V2))
    store.add(make_record("mobilenet_v2_1.4_224"), activations=make_needs())
    return gather_accounts(store, [RUN])


@pytest.fixture
def mobilenet_v1(store: Store, make_record: Any, make_needs: Any) -> Account:
    """Return an account of MobileNetV1."""
    store.add(make_record("mobilenet_v1_1.0_224"), activations=make_needs(sizes=V1))
    (account,) = gather_accounts(store, [RUN])
    return account


def cells(table: Any, row: int) -> dict[str, str]:
    return dict(zip(table.headers, table.rows[row], strict=True))


def test_needs_and_plans_stand_side_by_side_in_megabytes(accounts: list[Account]) -> None:
    table = plans_table(accounts[0].setup, accounts)
    assert cells(table, 0) == {
        "network": "mobilenet_v2_1.0_224",
        "all apart": "9.00",
        "working set": "4.00",
        "greedy by size": "4.50",
        "TVM, latency": "2.00",
        "TVM, memory": "1.00",
        "onnxruntime, pattern": "5.00",
        "onnxruntime, arena": "8.00",
        "input": "0.602",
        "output": "0.00400",
    }
    assert cells(table, 1)["onnxruntime, pattern"] == "-"
    assert "32 bits a number" in table.caption


def test_a_process_stands_beside_the_plan_of_what_ran_in_it(accounts: list[Account]) -> None:
    table = processes_table(accounts[0].setup, accounts)
    tvm, onnxruntime, torch, _ = (cells(table, row) for row in range(4))
    assert (tvm["runtime"], tvm["heap added"], tvm["before"]) == ("tvm", "2.10", "90.0")
    assert float(tvm["plan"]) == pytest.approx(accounts[0].rows["arena_bytes"].max() / 1e6, 0.01)
    assert (onnxruntime["plan"], onnxruntime["peak"]) == ("5.00", "200")
    assert (torch["plan"], torch["heap added"], torch["params"]) == ("-", "-", "-")
    assert torch["peak"] == "200"


def test_a_gpu_s_activations_are_not_on_the_heap(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    record = make_record(target="opencl", accelerator="Imaginary GPU")
    store.add(record, activations=make_needs())
    (account,) = gather_accounts(store, [RUN])
    assert cells(processes_table(account.setup, [account]), 0)["heap added"] == "-"


def test_the_paper_s_table_is_rebuilt_beside_it(accounts: list[Account]) -> None:
    table = sizes_table(accounts[0])
    assert cells(table, 1) == {
        "size": "112×112",
        "all": "96 / 2408",
        "left by 5.1": "16 / 401",
        "bottlenecks": "16 / 401",
        "paper": "16 / 400",
    }
    assert cells(table, 0)["paper"] == "-"
    assert table.rows[-1] == ("largest, kB", "2408", "401", "401", "400")
    assert "arXiv 1801.04381, Table 3" in table.caption


def test_unpublished_figures_have_no_column(accounts: list[Account]) -> None:
    table = sizes_table(accounts[1])
    assert table.headers == ("size", "all", "left by 5.1", "bottlenecks")
    assert differences(accounts[1]) == []


def test_every_difference_has_its_reason(accounts: list[Account]) -> None:
    notes = differences(accounts[0])
    assert [note.partition(":")[0] for note in notes] == ["56×56", "28×28", "14×14", "7×7"]
    assert "32 channels, as bottlenecks have at 28×28; at 56×56 they have 24" in notes[0]
    assert "64 channels, as bottlenecks have at 14×14" in notes[1]
    assert "160 channels, as bottlenecks have at 7×7" in notes[2]
    assert "bottlenecks alone, which have 320 channels; the tensor of 1280" in notes[3]


def test_a_published_size_that_contradicts_its_channels_is_noted(mobilenet_v1: Account) -> None:
    (note,) = differences(mobilenet_v1)
    assert note == "7×7: 1024 channels of 16 bits are 100 kB; the paper prints 199."
    assert sizes_table(mobilenet_v1).rows[0][3] == "-"  # no bottlenecks


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, "0.00"), (28_672, "0.0287"), (1_605_632, "1.61"), (134_217_728, "134"), (2e9, "2000")],
)
def test_megabytes_have_three_digits(nbytes: float, text: str) -> None:
    assert megabytes(nbytes) == text
    assert megabytes(None) == megabytes(float("nan")) == "-"
