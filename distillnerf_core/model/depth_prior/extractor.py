"""Features of the frozen depth prior at the resolution of the network's images."""

from typing import Literal

import pydantic
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.model.depth_prior.dpt import DensePrediction, DensePredictionConfig
from distillnerf_core.model.depth_prior.vision_transformer import (
    PATCH_PX,
    VisionTransformer,
    VisionTransformerConfig,
)

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class DepthPriorConfig(Config):
    """The depth prior; the defaults are the published ones and the network's dearest stage.

    Attributes:
        short_side_px: Shorter side of the working image, a multiple of 14.
        precision: Of the inner computation. The weights and the result are float32 in either case.
        transformer: Image encoder.
        head: Fusion of its levels.
    """

    short_side_px: int = pydantic.Field(default=518, ge=PATCH_PX, multiple_of=PATCH_PX)
    precision: Literal["float32", "bfloat16"] = "float32"
    transformer: VisionTransformerConfig = VisionTransformerConfig()
    head: DensePredictionConfig = DensePredictionConfig()


def working_size(height: int, width: int, short_side_px: int) -> tuple[int, int]:
    """Returns the height and width at which the prior sees an image.

    The shorter side becomes `short_side_px`; the longer keeps the aspect ratio, cut down to whole patches:
    128 x 228 becomes 518 x 910.
    """
    short, long = sorted((height, width))
    longer = long * short_side_px // short // PATCH_PX * PATCH_PX
    return (short_side_px, longer) if height <= width else (longer, short_side_px)


class DepthPrior(nn.Module):
    """Depth Anything v1: the 128 channels before its disparity layers, which are not built.

    The parameters are frozen; nothing here is differentiated. Memory is that of one camera's working image
    whatever the number of cameras.
    """

    def __init__(self, config: DepthPriorConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = VisionTransformer(config.transformer)
        self.head = DensePrediction(config.transformer.width, config.head)
        self.requires_grad_(False)

    def forward(
        self, images: Float[Tensor, "cameras 3 height width"]
    ) -> Float[Tensor, "cameras channels height width"]:
        """Returns features of RGB images in [0, 1], at their resolution."""
        count, _, height, width = images.shape
        features = images.new_empty(count, self.config.head.channels, height, width)
        with torch.no_grad():
            for image, target in zip(images, features, strict=True):
                target.copy_(self._extract(image[None])[0])
        return features

    def _extract(self, image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 channels height width"]:
        height, width = image.shape[-2:]
        lowered = self.config.precision == "bfloat16"
        with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=lowered):
            fused: Tensor = self.head(self.transformer(self._prepare(image)))
        return _resize(fused.to(image.dtype), height, width)

    def _prepare(self, image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 3 h w"]:
        mean, std = image.new_tensor(_MEAN), image.new_tensor(_STD)
        height, width = image.shape[-2:]
        enlarged = _resize(image, *working_size(height, width, self.config.short_side_px))
        return (enlarged - mean[:, None, None]) / std[:, None, None]


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, size=(height, width), mode="bicubic", align_corners=False, antialias=True)
