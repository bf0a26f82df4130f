import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.teachers.features.patches import (
    check_stride,
    embed_patches,
    fitted_size,
    interpolate_positions,
    resize_image,
    standardise,
)


def test_the_published_size_and_grid() -> None:
    height, width = fitted_size(900, 1600, 602, patch_px=14, stride_px=7)
    assert (height, width) == (602, 1071)
    assert ((height - 14) // 7 + 1, (width - 14) // 7 + 1) == (85, 152)


@given(
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
    short=st.integers(1, 700),
    patch=st.integers(1, 32),
    data=st.data(),
)
def test_patches_fill_the_working_image(height: int, width: int, short: int, patch: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, patch))
    sides = fitted_size(height, width, short, patch, stride)
    scale = short / min(height, width)
    for side, length in zip(sides, (height, width), strict=True):
        assert side >= patch
        assert (side - patch) % stride == 0
        assert abs(side - length * scale) <= stride / 2 + 1e-6 or side == patch


def test_overlapping_patches_hold_the_separate_ones() -> None:
    torch.manual_seed(0)
    images, weight, bias = torch.randn(1, 3, 12, 20), torch.randn(5, 3, 4, 4), torch.randn(5)
    apart = embed_patches(images, weight, bias, 4)
    close = embed_patches(images, weight, bias, 2)
    assert close.shape[-2:] == (5, 9)
    torch.testing.assert_close(close[..., ::2, ::2], apart)
    shifted = embed_patches(images[..., 2:, 2:], weight, bias, 4)
    torch.testing.assert_close(close[..., 1::2, 1::2], shifted)


def test_rows_stay_rows_and_columns_columns() -> None:
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    table = torch.stack((rows, columns), dim=-1).reshape(16, 2)
    stretched = interpolate_positions(table, 3, 8).reshape(3, 8, 2)
    assert (stretched[1:, :, 0] > stretched[:-1, :, 0] + 0.5).all()
    torch.testing.assert_close(stretched[:, :, 0], stretched[:, :1, 0].expand(3, 8))
    torch.testing.assert_close(stretched[:, :, 1], stretched[:1, :, 1].expand(3, 8))
    # The middle of the grid is the middle of the table.
    torch.testing.assert_close(stretched[1].mean(dim=0), torch.tensor([1.5, 1.5]))


def test_the_table_itself_at_its_own_size() -> None:
    table = torch.randn(9, 2)
    assert interpolate_positions(table, 3, 3) is table


@pytest.mark.parametrize("stride", [0, 15])
def test_a_stride_beyond_a_patch_is_refused(stride: int) -> None:
    with pytest.raises(ConfigurationError, match="expected 1 to 14 pixels"):
        check_stride(stride, 14)


def test_standardised_colours() -> None:
    image = torch.tensor([0.5, 0.3, 0.2]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    expected = torch.tensor([0.0, 0.5, -1.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    torch.testing.assert_close(standardise(image, (0.5, 0.2, 0.4), (0.1, 0.2, 0.2)), expected)


def test_resizing_keeps_a_plain_colour_and_the_range() -> None:
    plain = torch.full((3, 9, 16), 0.25)
    torch.testing.assert_close(resize_image(plain, 5, 7), torch.full((3, 5, 7), 0.25))
    noise = torch.rand(3, 9, 16).round()
    resized = resize_image(noise, 20, 30)
    assert resized.min() >= 0 and resized.max() <= 1
    assert resize_image(noise, 9, 16) is noise
