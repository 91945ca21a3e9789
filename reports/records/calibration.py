"""Whether a device was faster or slower at one time than at another, in words."""


def calibration_change(ratio: float, now: str, before: str) -> str:
    """Say how the time of the calibration kernel, which is always the same code, has changed.

    `ratio` is its time `now` over its time `before`; both are phrases, such as "in HEAD".
    """
    amount, was = ("more", "slower") if ratio > 1 else ("less", "faster")
    return (
        f"the calibration kernel took {abs(ratio - 1):.0%} {amount} time {now}: "
        f"the device was {was} than {before}"
    )
