from typing import Any

from mobilebench.reports.records.activations import ARENA, LATENCY_PLAN, MEMORY_PLAN, PATTERN_PLAN
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.memory_analysis import accounts_frame, gather_accounts

RUN = "20260102-030405-abcd"


def test_runtimes_of_a_network_share_an_account(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    for runtime in ("onnxruntime", "torch", "tvm"):
        store.add(make_record(runtime=runtime), activations=make_needs(runtime))
    (account,) = gather_accounts(store, [RUN])
    assert list(account.rows["runtime"]) == ["tvm", "onnxruntime", "torch"]
    assert list(account.needs.plans) == [LATENCY_PLAN, MEMORY_PLAN, PATTERN_PLAN, ARENA]
    assert list(account.rows["added_heap_bytes"]) == [2_100_000] * 3


def test_rows_without_an_account_and_failed_ones_are_left_out(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    store.add(make_record())
    failed = make_record("mobilenet_v2_0.5_160", status="crashed", latency_ms=None)
    store.add(failed, activations=make_needs())
    assert gather_accounts(store, [RUN]) == []


def test_the_newest_run_counts(store: Store, make_record: Any, make_needs: Any) -> None:
    for run, nbytes in ((RUN, 1), ("20260102-030406-abcd", 2)):
        needs = make_needs(total_bytes=nbytes)
        store.add(make_record(run_id=run), activations=needs)
    (account,) = gather_accounts(store, [RUN, "20260102-030406-abcd"])
    assert account.needs.total_bytes == 2


def test_each_setup_has_accounts_of_its_own_the_smallest_network_first(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    for optimize_for in ("latency", "memory"):
        for variant in ("mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96"):
            run = f"{RUN}-{optimize_for}"
            record = make_record(variant, optimize_for=optimize_for, run_id=run)
            store.add(record, activations=make_needs())
    accounts = gather_accounts(store, [f"{RUN}-latency", f"{RUN}-memory"])
    assert [(one.setup.cell.optimize_for, one.variant) for one in accounts] == [
        ("latency", "mobilenet_v2_0.35_96"),
        ("latency", "mobilenet_v2_1.0_224"),
        ("memory", "mobilenet_v2_0.35_96"),
        ("memory", "mobilenet_v2_1.0_224"),
    ]


def test_two_checkpoints_of_a_network_are_separate(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    for weights in ("a.pth", "b.pth"):
        store.add(make_record(weights=weights), activations=make_needs())
    accounts = gather_accounts(store, [RUN])
    assert [one.variant for one in accounts] == [
        "mobilenet_v2_1.0_224 (a.pth)",
        "mobilenet_v2_1.0_224 (b.pth)",
    ]
    assert {one.network for one in accounts} == {"mobilenet_v2_1.0_224"}


def test_every_need_and_plan_is_a_row(store: Store, make_record: Any, make_needs: Any) -> None:
    store.add(make_record(), activations=make_needs())
    frame = accounts_frame(gather_accounts(store, [RUN]))
    assert dict(zip(frame["what"], frame["bytes"], strict=True)) == {
        "all apart": 9_000_000,
        "working set": 4_000_000,
        "greedy by size": 4_500_000,
        LATENCY_PLAN: 2_000_000,
        MEMORY_PLAN: 1_000_000,
    }
    assert set(frame["target"]) == {"native"}
