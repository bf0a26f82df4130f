"""Rigid transforms `target_from_source`: torch for batches of points, NumPy float64 for transform trees."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]


def invert_rigid(matrix: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Inverts rigid transforms exactly (transpose of the rotation), metres."""
    rotation = matrix[..., :3, :3].transpose(-1, -2)
    inverse = torch.zeros_like(matrix)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ matrix[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def transform_points(
    target_from_source: Float[Tensor, "4 4"], points_m: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Moves points from the source frame to the target frame, metres."""
    return points_m @ target_from_source[:3, :3].T + target_from_source[:3, 3]


def rigid_from_quaternion(translation_m: FloatArray, quaternion_xyzw: FloatArray) -> FloatArray:
    """Builds a 4x4 transform from a translation [3] and a quaternion [4] (x, y, z, w), normalised here."""
    x, y, z, w = quaternion_xyzw / np.linalg.norm(quaternion_xyzw)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation_m
    return matrix


def quaternion_from_matrix(rotation: FloatArray) -> FloatArray:
    """Returns the unit quaternion (x, y, z, w), w >= 0, of a rotation matrix [3 3] (Shepperd's method)."""
    trace = float(np.trace(rotation[:3, :3]))
    diagonal = np.diag(rotation)[:3]
    choices = np.array([*diagonal, trace])
    largest = int(np.argmax(choices))
    quaternion = np.empty(4)
    if largest == 3:
        quaternion[3] = 1 + trace
        quaternion[0] = rotation[2, 1] - rotation[1, 2]
        quaternion[1] = rotation[0, 2] - rotation[2, 0]
        quaternion[2] = rotation[1, 0] - rotation[0, 1]
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        quaternion[i] = 1 - trace + 2 * rotation[i, i]
        quaternion[j] = rotation[j, i] + rotation[i, j]
        quaternion[k] = rotation[k, i] + rotation[i, k]
        quaternion[3] = rotation[k, j] - rotation[j, k]
    quaternion /= np.linalg.norm(quaternion)
    return quaternion if quaternion[3] >= 0 else -quaternion


def interpolate_quaternion(first: FloatArray, second: FloatArray, fraction: float) -> FloatArray:
    """Spherical linear interpolation of unit quaternions along the shorter arc."""
    cosine = float(first @ second)
    if cosine < 0:
        second, cosine = -second, -cosine
    if cosine > 1 - 1e-10:
        blended = first + fraction * (second - first)
    else:
        angle = float(np.arccos(cosine))
        blended = (np.sin((1 - fraction) * angle) * first + np.sin(fraction * angle) * second) / np.sin(angle)
    return np.asarray(blended / np.linalg.norm(blended), dtype=np.float64)


def interpolate_rigid(first: FloatArray, second: FloatArray, fraction: float) -> FloatArray:
    """Interpolates between two 4x4 transforms: linear in translation, spherical in rotation.

    A fraction outside [0, 1] extrapolates.
    """
    quaternion = interpolate_quaternion(
        quaternion_from_matrix(first[:3, :3]), quaternion_from_matrix(second[:3, :3]), fraction
    )
    return rigid_from_quaternion((1 - fraction) * first[:3, 3] + fraction * second[:3, 3], quaternion)
