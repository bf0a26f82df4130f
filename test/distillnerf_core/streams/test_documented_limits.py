"""The table of limits in docs/security.md says what the code does."""

import re
from pathlib import Path

import pytest

from distillnerf_core.perception.config import QueryConfig
from distillnerf_core.streams import (
    bag_limits,
    camera_info,
    chunk_compression,
    compressed_images,
    ego_masks,
    frame_stream,
    image_decoding,
    mcap_check,
    message_fields,
    stamped_transform,
    synchroniser,
    transform_buffer,
    transform_edge,
)
from distillnerf_core.streams.stream_config import InputOptions, TransformConfig

TABLE = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
LIMITS = {
    "pixels of an image, claimed or real": [InputOptions().max_image_pixels],
    "bytes of a compressed image": [image_decoding._MOST_BYTES_PER_PIXEL],
    "scans of a JPEG": [image_decoding.MAX_PASSES],
    "segments of a JPEG header, chunks of a PNG": [compressed_images._MOST_SEGMENTS],
    "side of an image in a CameraInfo": [camera_info.MAX_SIDE_PX],
    "focal length, principal point, distortion coefficients": [camera_info.MAX_FOCAL_PX],
    "distortion coefficients": [camera_info._MOST_COEFFICIENTS],
    "frames of the transform tree": [TransformConfig().max_frames],
    "poses kept of one transform": [TransformConfig().history_s, transform_edge.MAX_POSES],
    "transforms read of one message": [transform_buffer.MAX_TRANSFORMS],
    "length of a frame name": [message_fields.MAX_NAME_LENGTH],
    "sweeps that wait for images; for transforms": [synchroniser._REMEMBERED_SETS, frame_stream._MAX_WAITING],
    "ego masks, and bytes of one": [ego_masks.MAX_MASKS, ego_masks.MAX_FILE_BYTES],
    "record or unpacked chunk of an MCAP file": [chunk_compression.MAX_CHUNK_BYTES >> 20],
    "chunks of an MCAP file that overlap in time": [mcap_check.MAX_OPEN_BYTES >> 30],
    "`metadata.yaml` of a recording": [bag_limits.MAX_METADATA_BYTES >> 20],
    "texts of a request, and characters of one": [QueryConfig().max_texts, QueryConfig().max_text_length],
    "queries that are kept": [QueryConfig().max_keep],
}


@pytest.mark.parametrize("what", sorted(LIMITS))
def test_the_documented_limit_is_that_of_the_code(what: str) -> None:
    row = next(line for line in TABLE.splitlines() if line.startswith(f"| {what} |"))
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", row.split("|")[2])]
    assert numbers == LIMITS[what]


def test_the_longest_translation_is_documented() -> None:
    assert stamped_transform.MAX_DISTANCE_M == 10**9
    assert "| translation of a transform | 10^9 m |" in TABLE
