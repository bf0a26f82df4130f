import logging
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.ego_masks import EgoMasks


def write(path: Path, mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    assert cv2.imwrite(str(path), mask)


def test_masks_are_read_by_camera_and_white_is_body(tmp_path: Path) -> None:
    mask = np.zeros((4, 6), np.uint8)
    mask[2:] = 200
    write(tmp_path / "left.png", mask)
    write(tmp_path / "right.png", np.repeat(mask[..., None], 3, axis=-1))
    masks = EgoMasks(str(tmp_path))
    expected = np.where(mask > 0, 255, 0)
    for camera in ("left", "right"):
        np.testing.assert_array_equal(masks.body(camera), expected)
    assert masks.body("rear") is None
    assert EgoMasks("").body("left") is None


def test_masks_of_no_camera_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "lft.png", np.zeros((4, 6), np.uint8))
    with caplog.at_level(logging.WARNING):
        EgoMasks(str(tmp_path)).report_strangers(("left",))
    assert "lft" in caplog.text


def test_a_wrong_folder_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigurationError, match=r"ego_mask_dir.*<camera>\.png"):
            EgoMasks(str(folder))


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"0" * 40])
def test_an_unreadable_mask_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "left.png").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"left\.png"):
        EgoMasks(str(tmp_path))


def test_a_huge_mask_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    (tmp_path / "left.png").write_bytes(png + end)
    with pytest.raises(ConfigurationError, match="100000x100000"):
        EgoMasks(str(tmp_path))
