"""Depth and colour images, and the CameraInfo that belongs to them."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from distillnerf_core.language.label_set import OCC3D_LABELS, LabelSet
from distillnerf_ros.conversions.fields import byte_array

LABEL_COLORS = OCC3D_LABELS.palette()
"""Colours of the classes of the checkpoint."""


def depth_image(z_depth_m: NDArray[np.float32], header: Header) -> Image:
    """Returns a 32FC1 image of z-depth in metres (REP-118: NaN invalid, +inf beyond range).

    Args:
        z_depth_m: Depth along the optical axis, [height width].
        header: Camera frame and the stamp of that camera's image.
    """
    return _image(np.asarray(z_depth_m, dtype=np.float32), "32FC1", header)


def color_image(rgb: NDArray[np.uint8], header: Header) -> Image:
    """Returns an rgb8 image from red, green, blue values [height width 3]."""
    return _image(rgb, "rgb8", header)


def score_image(scores: NDArray[np.float32], header: Header) -> Image:
    """Returns a 32FC1 image of scores in [0, 1], [height width]."""
    return _image(np.asarray(scores, dtype=np.float32), "32FC1", header)


def label_image(labels: NDArray[np.uint8], header: Header, classes: LabelSet = OCC3D_LABELS) -> Image:
    """Returns an rgb8 image in class colours from labels [height width]; unknown pixels are black."""
    return color_image(classes.palette()[labels], header)


def camera_info(intrinsics: NDArray[np.float64], height: int, width: int, header: Header) -> CameraInfo:
    """Returns the calibration of a rectified pinhole image.

    Args:
        intrinsics: Camera matrix [3 3] in pixels of an image of `height` x `width`.
        height: Rows.
        width: Columns.
        header: Same as the image's.
    """
    message = CameraInfo()
    message.header = header
    message.height, message.width = height, width
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = np.asarray(intrinsics, dtype=np.float64).reshape(9)
    message.r = np.eye(3).reshape(9)
    message.p = np.hstack([np.asarray(intrinsics, dtype=np.float64), np.zeros((3, 1))]).reshape(12)
    return message


def _image(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    message = Image()
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = pixels.nbytes // pixels.shape[0]
    message.data = byte_array(pixels)
    return message
