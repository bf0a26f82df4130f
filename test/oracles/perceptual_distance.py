"""LPIPS in NumPy, from the published description alone: patches as rows of a matrix, everything in double precision."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Layers of torchvision's `features`: c(onvolution), r(elu), p(ool). Taps are the layers whose output is compared:
# relu1_2, relu2_2, relu3_3, relu4_3, relu5_3 of VGG16, relu1 to relu5 of AlexNet.
VGG16 = (*"crcrp", *"crcrp", *"crcrcrp", *"crcrcrp", *"crcrcr")
VGG16_TAPS = (3, 8, 15, 22, 29)
ALEXNET = (*"crp", *"crp", *"crcrcr")
ALEXNET_TAPS = (1, 4, 7, 9, 11)


def distance(
    network: str, tensors: Mapping[str, NDArray[np.floating]], heads: list[NDArray[np.floating]], x: Array, y: Array
) -> float:
    """Returns the distance of two pictures [3 height width] in [0, 1]."""
    layers, taps = (VGG16, VGG16_TAPS) if network == "vgg16" else (ALEXNET, ALEXNET_TAPS)
    first, second = (_taps(network, layers, taps, tensors, picture) for picture in (x, y))
    total = 0.0
    for head, one, other in zip(heads, first, second, strict=True):
        for row in range(one.shape[1]):
            for column in range(one.shape[2]):
                a, b = one[:, row, column], other[:, row, column]
                difference = a / (np.linalg.norm(a) + 1e-10) - b / (np.linalg.norm(b) + 1e-10)
                total += float(head.ravel() @ difference**2) / (one.shape[1] * one.shape[2])
    return total


def _taps(
    network: str,
    layers: tuple[str, ...],
    taps: tuple[int, ...],
    tensors: Mapping[str, NDArray[np.floating]],
    picture: Array,
) -> list[Array]:
    mean, deviation = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    value = ((picture * 2 - 1) - mean[:, None, None]) / deviation[:, None, None]
    found = []
    for number, kind in enumerate(layers):
        if kind == "c":
            weight, bias = tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"]
            stride, padding = (4, 2) if weight.shape[2] == 11 else (1, weight.shape[2] // 2)
            value = _convolve(value, weight.astype(np.float64), bias.astype(np.float64), stride, padding)
        elif kind == "r":
            value = np.maximum(value, 0)
        else:
            value = _pool(value, 2 if network == "vgg16" else 3)
        if number in taps:
            found.append(value)
    return found


def _convolve(value: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    size = weight.shape[2]
    padded = np.pad(value, ((0, 0), (padding, padding), (padding, padding)))
    rows, columns = ((length - size) // stride + 1 for length in padded.shape[1:])
    matrix = weight.reshape(len(weight), -1)
    result = np.empty((len(weight), rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            patch = padded[:, top : top + size, left : left + size]
            result[:, row, column] = matrix @ patch.ravel() + bias
    return result


def _pool(value: Array, size: int) -> Array:
    rows, columns = ((length - size) // 2 + 1 for length in value.shape[1:])
    result = np.empty((len(value), rows, columns))
    for row in range(rows):
        for column in range(columns):
            result[:, row, column] = value[:, 2 * row : 2 * row + size, 2 * column : 2 * column + size].max(axis=(1, 2))
    return result
