from mobilebench.reports.records.calibration import calibration_change


def test_a_change_says_faster_or_slower_than_when() -> None:
    assert calibration_change(1.38, "after the measurement", "before it") == (
        "the calibration kernel took 38% more time after the measurement: the device was slower "
        "than before it"
    )
    assert calibration_change(0.8, "in HEAD", "in BASE") == (
        "the calibration kernel took 20% less time in HEAD: the device was faster than in BASE"
    )
