"""The channels of pixels that lie one after the other: red, green, blue, red, green, blue …

Processors load what is side by side. So a vector of one channel is shuffled out of one load of all.
"""

from typing import Any

from tvm import te, tirx
from tvm.ir.expr import TensorLoad

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector


def _channel(call: Any) -> Any:
    which, *channels = call.args
    lanes = lanes_of(call)
    number = which.value if isinstance(which, tirx.Broadcast) else which
    if not isinstance(number, tirx.IntImm):
        return _selected(number, channels, lanes)
    first = channels[0]
    index: Any = first.indices[0] if isinstance(first, TensorLoad) else None
    if not isinstance(index, tirx.Ramp) or int(index.stride) != len(channels):
        return channels[int(number)]
    together = lanes * len(channels)
    whole = first.source.vload([tirx.Ramp(index.base, 1, together)], vector("uint8", together))
    return tirx.Shuffle([whole], list(range(int(number), together, len(channels))))


def _selected(number: Any, channels: list[Any], lanes: int) -> Any:
    found = channels[-1]
    for at, channel in enumerate(channels[:-1]):
        here = number == at
        found = tirx.Select(tirx.Broadcast(here, lanes) if lanes > 1 else here, channel, found)
    return found


CHANNEL = pure_operator("mobilebench_channel", _channel)
"""Of its number and all channels of a pixel that one."""


def channel_of(pixels: te.Tensor, y: Any, x: Any, channel: Any) -> Any:
    """Return a channel of a pixel of an image (1, H, W, C) of uint8."""
    channels = [pixels[0, y, x, one] for one in range(int(pixels.shape[3]))]
    return tirx.call_intrin("uint8", CHANNEL, channel, *channels)
