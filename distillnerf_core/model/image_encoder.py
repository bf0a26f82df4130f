"""Image pyramid with lateral connections, shared by all cameras."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.blocks import ConvNormAct, ResidualBlock
from distillnerf_core.model.ray_encoding import RAY_CHANNELS, encode_rays


class ImageEncoderConfig(Config):
    """Widths of the image pyramid.

    Attributes:
        widths: Channels at strides 2, 4, 8, 16 and 32.
        blocks: Residual blocks at each stride.
        output_channels: Channels of the returned map at stride 2.
    """

    widths: tuple[int, ...] = (32, 48, 96, 128, 160)
    blocks: tuple[int, ...] = (1, 1, 2, 2, 2)
    output_channels: int = 48


class ImageEncoder(nn.Module):
    """U-shaped convolution network from images to features at half resolution.

    Args:
        config: Widths of the pyramid.

    Attributes:
        autocast_dtype: Precision of its inner computation where that is not the weights' own.
    """

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.autocast_dtype: torch.dtype | None = None
        widths, out = config.widths, config.output_channels
        sources = (3 + RAY_CHANNELS, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNormAct(source, width, stride=2), *(ResidualBlock(width) for _ in range(blocks)))
            for source, width, blocks in zip(sources, widths, config.blocks, strict=True)
        )
        self.ray_stages = nn.ModuleList(nn.Conv2d(RAY_CHANNELS, width, 1) for width in widths)
        fused = (*widths[1:-1], widths[-1])
        self.merges = nn.ModuleList(
            ConvNormAct(width + above, width) for width, above in zip(widths[:-1], fused, strict=True)
        )
        self.head = ConvNormAct(widths[0], out)

    def forward(
        self, images: Float[Tensor, "cameras 3 height width"], rig: CameraRig
    ) -> Float[Tensor, "cameras channels h w"]:
        """Encodes RGB in [0, 1]; the calibration enters at every scale."""
        lowered = self.autocast_dtype is not None
        with torch.autocast(images.device.type, dtype=self.autocast_dtype, enabled=lowered):
            return self._encode(images, encode_rays(rig)).to(images.dtype)

    def _encode(self, images: Tensor, rays: Tensor) -> Tensor:
        x = torch.cat((2.0 * images - 1.0, rays), dim=1)
        levels = []
        for stage, ray_stage in zip(self.stages, self.ray_stages, strict=True):
            x = stage(x)
            x = x + ray_stage(F.interpolate(rays, size=x.shape[-2:], mode="area"))
            levels.append(x)
        for merge, level in zip(reversed(self.merges), reversed(levels[:-1]), strict=True):
            above = F.interpolate(x, size=level.shape[-2:], mode="bilinear", align_corners=False)
            x = merge(torch.cat((level, above), dim=1))
        output: Tensor = self.head(x)
        return output
