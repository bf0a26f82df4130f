from dataclasses import replace

import torch

from distillnerf_core.frames import MultiViewFrame, SupervisedFrame


def masked(frame: MultiViewFrame) -> MultiViewFrame:
    valid = torch.ones(2, 32, 64, dtype=torch.bool)
    valid[0, 31, 63] = False
    valid[1, :, :32] = False
    return replace(frame, valid=valid)


def test_valid_pixels_follow_their_cameras(flat_road: SupervisedFrame) -> None:
    frame = masked(flat_road.frame)
    assert frame.valid is not None
    left = replace(frame, camera_mask=torch.tensor([False, True])).visible()
    assert left.valid is not None
    assert torch.equal(left.valid, frame.valid[1:])
    assert torch.equal(frame.to("cpu").valid, frame.valid)  # type: ignore[arg-type]


def test_a_pixel_of_another_size_is_valid_if_all_that_it_covers_is(flat_road: SupervisedFrame) -> None:
    frame = masked(flat_road.frame)
    half = frame.valid_at(16, 32)
    assert half is not None
    assert int((~half[0]).sum()) == 1
    assert not half[0, 15, 31]
    assert not half[1, :, :16].any()
    assert half[1, :, 16:].all()
    twice = frame.valid_at(64, 128)
    assert twice is not None
    assert int((~twice[0]).sum()) == 4
    uneven = frame.valid_at(5, 7)
    assert uneven is not None
    assert int((~uneven[0]).sum()) == 1
    assert flat_road.frame.valid_at(16, 32) is None
