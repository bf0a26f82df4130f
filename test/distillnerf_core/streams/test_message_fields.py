from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from distillnerf_core.streams.message_fields import byte_view, float_array, split_stamp, stamp_ns


@pytest.mark.parametrize(
    "data", [b"\x01\x02\xff", bytearray(b"\x01\x02\xff"), array("B", [1, 2, 255]), [1, 2, 255], (1, 2, 255)]
)
def test_byte_fields_of_every_kind_read_alike(data: object) -> None:
    assert byte_view(data).tolist() == [1, 2, 255]
    assert byte_view(np.array([1, 2, 255], dtype=np.uint8)).dtype == np.uint8


def test_stamps_survive_a_round_trip_exactly() -> None:
    stamp = 1_532_402_927_612_460_001
    sec, nanosec = split_stamp(stamp)
    assert stamp_ns(SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec))) == stamp


def test_float_fields_are_copies() -> None:
    values = np.ones(3)
    float_array(values)[0] = 5.0
    assert values[0] == 1.0
