"""The predictions of several feature maps in one tensor, one map after the other."""

from typing import Any

from tvm import te, tirx

CORE = "concat"
ENDS = "mobilebench.ends"  # annotation of the core block: where in the output each map ends


def compute(*maps: te.Tensor, values: int) -> te.Tensor:
    """Return (1, anchors, values) of maps (1, H, W, anchors of a place * values).

    In memory each map is a piece of the output as it is.
    """
    ends, total = [], 0
    for one in maps:
        _, height, width, channels = (int(extent) for extent in one.shape)
        total += height * width * channels // values
        ends.append(total)

    def read(batch: Any, anchor: Any, value: Any) -> Any:
        found = None
        for one, end, begin in reversed(list(zip(maps, ends, [0, *ends[:-1]], strict=True))):
            _, _, width, channels = (int(extent) for extent in one.shape)
            at_place = channels // values
            place, number = (anchor - begin) // at_place, (anchor - begin) % at_place
            here = one[batch, place // width, place % width, number * values + value]
            found = here if found is None else tirx.if_then_else(anchor < end, here, found)
        return found

    return te.compute((1, total, values), read, name=CORE, attrs={ENDS: ends})
