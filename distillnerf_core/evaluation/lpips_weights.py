"""LPIPS from files of the user; nothing is downloaded and nothing in a file is executed."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from distillnerf_core.errors import CheckpointError
from distillnerf_core.evaluation.lpips import Lpips

_GET_HEADS = "pip download --no-deps lpips && unzip -j lpips-*.whl 'lpips/weights/v0.1/{short}.pth'"


@dataclass(frozen=True)
class _Convolution:
    """A layer and the ReLU behind it; `number` is its place in `features` of torchvision."""

    number: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.outputs, self.inputs, self.kernel, self.kernel


@dataclass(frozen=True)
class _Backbone:
    """A classifier of torchvision: stages of convolutions, with pooling between some."""

    title: str
    short: str
    pool_px: int
    pooled: tuple[int, ...]
    stages: tuple[tuple[_Convolution, ...], ...]
    least_px: int

    @property
    def get_features(self) -> str:
        return (
            f"python -c \"import torchvision; torchvision.models.{self.title}(weights='DEFAULT')\", which writes "
            f"{self.title}-*.pth to ~/.cache/torch/hub/checkpoints"
        )

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(stage[-1].outputs for stage in self.stages)


_VGG16 = _Backbone(
    title="vgg16",
    short="vgg",
    pool_px=2,
    pooled=(1, 2, 3, 4),
    stages=(
        (_Convolution(0, 3, 64), _Convolution(2, 64, 64)),
        (_Convolution(5, 64, 128), _Convolution(7, 128, 128)),
        (_Convolution(10, 128, 256), _Convolution(12, 256, 256), _Convolution(14, 256, 256)),
        (_Convolution(17, 256, 512), _Convolution(19, 512, 512), _Convolution(21, 512, 512)),
        (_Convolution(24, 512, 512), _Convolution(26, 512, 512), _Convolution(28, 512, 512)),
    ),
    least_px=16,
)
_ALEXNET = _Backbone(
    title="alexnet",
    short="alex",
    pool_px=3,
    pooled=(1, 2),
    stages=(
        (_Convolution(0, 3, 64, kernel=11, stride=4, padding=2),),
        (_Convolution(3, 64, 192, kernel=5, padding=2),),
        (_Convolution(6, 192, 384),),
        (_Convolution(8, 384, 256),),
        (_Convolution(10, 256, 256),),
    ),
    least_px=31,
)


def load_lpips(features: Path, heads: Path) -> Lpips:
    """Builds LPIPS with VGG16, as published results have it, or AlexNet, whichever the files are of.

    Args:
        features: Weights of torchvision's vgg16 or alexnet (.pth or .safetensors): `features.N.weight` and `.bias`.
        heads: Weights of the channels, as the package `lpips` holds them: `linK.model.1.weight` of [1 channels 1 1].

    Raises:
        CheckpointError: If a file is missing, damaged, or holds something else; says how to get the right
            one.
    """
    tensors = _read(features, "the features of a classifier", _VGG16.get_features)
    first = tensors.get("features.0.weight")
    backbone = _ALEXNET if first is not None and tuple(first.shape) == _ALEXNET.stages[0][0].shape else _VGG16
    stages = [_stage(backbone, number, tensors, features) for number in range(len(backbone.stages))]
    found = _read(heads, "the weights of their channels", _GET_HEADS.format(short=backbone.short))
    weights = [_head(found, number, channels, backbone, heads) for number, channels in enumerate(backbone.channels)]
    return Lpips(stages, weights, backbone.least_px)


def _stage(backbone: _Backbone, number: int, tensors: Mapping[str, Tensor], file: Path) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(backbone.pool_px, 2)] if number in backbone.pooled else []
    for part in backbone.stages[number]:
        expected = {f"features.{part.number}.weight": part.shape, f"features.{part.number}.bias": (part.outputs,)}
        for name, shape in expected.items():
            if name not in tensors or tuple(tensors[name].shape) != shape:
                there = tuple(tensors[name].shape) if name in tensors else "nothing"
                raise CheckpointError(
                    f"LPIPS: {file}: {name}: expected {list(shape)}, got {there}; the file must hold torchvision's "
                    f"vgg16 or alexnet; get it, where there is internet, with: {backbone.get_features}"
                )
        layer = nn.Conv2d(part.inputs, part.outputs, part.kernel, part.stride, part.padding)
        weight, bias = (tensors[name].float() for name in expected)
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers)


def _head(tensors: Mapping[str, Tensor], number: int, channels: int, backbone: _Backbone, file: Path) -> Tensor:
    name = f"lin{number}.model.1.weight"
    weight = tensors.get(name)
    if weight is None or tuple(weight.shape) != (1, channels, 1, 1) or bool((weight < 0).any()):
        there = "nothing" if weight is None else f"{list(weight.shape)}, least {float(weight.min()):.3g}"
        raise CheckpointError(
            f"LPIPS: {file}: {name}: expected [1, {channels}, 1, 1], not negative, for {backbone.title}, got {there}; "
            f"get the file, where there is internet, with: {_GET_HEADS.format(short=backbone.short)}"
        )
    return weight.float().flatten()


def _read(file: Path, what: str, remedy: str) -> dict[str, Tensor]:
    if not file.is_file():
        raise CheckpointError(
            f"LPIPS needs {what}, and {file} does not exist; get the file, where there is internet, with: {remedy}"
        )
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, safetensors.SafetensorError) as err:
        raise CheckpointError(f"LPIPS: cannot read {file}: {err}; get it again with: {remedy}") from err
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"LPIPS: {file} holds no mapping of names to tensors; get it again with: {remedy}")
    return {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
