import torch

from distillnerf_core.teachers.resizing import resize_distance


def test_a_receding_plane_stays_a_plane() -> None:
    def plane(height: int) -> torch.Tensor:
        rows = (torch.arange(height) + 0.5) / height
        return (1.0 / (0.03 + 0.08 * rows))[None, :, None].expand(1, height, height)

    small = resize_distance(plane(64), 16, 16)
    torch.testing.assert_close(small[:, 1:-1], plane(16)[:, 1:-1], rtol=1e-4, atol=0)


def test_nothing_floats_between_two_surfaces() -> None:
    distance = torch.full((1, 12, 36), 10.0)
    distance[:, :, 17:] = 40.0  # the edge falls inside a pixel of the smaller image
    small = resize_distance(distance, 4, 12)
    near, far = (small - 10.0).abs() < 1.0, (small - 40.0).abs() < 1.0
    assert bool((near | far).all())
    assert bool(near.any()) and bool(far.any())


def test_unknown_pixels_neither_spread_nor_count() -> None:
    distance = torch.full((1, 16, 16), 20.0)
    distance[:, :, :4] = torch.nan
    distance[:, 8, 8] = torch.nan
    small = resize_distance(distance, 4, 4)
    assert bool(small[:, :, 0].isnan().all())
    torch.testing.assert_close(small[:, :, 1:], torch.full((1, 4, 3), 20.0))
