"""The image pyramid of the published depth stages (reference network, section 1.4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.model.reference import blocks
from distillnerf_core.model.reference.blocks import BottleneckBlock, OfficialNames, instance_norm, leaky, nest_names

STAGES = ((2, 2, 1), (2, 3, 2), (3, 5, 2), (4, 5, 2), (4, 5, 2))
"""Width in base widths, number of blocks and first stride of each stage."""

OFFICIAL_NAMES: OfficialNames = (
    (r"conv1\.weight", "stem.weight"),
    *(
        pair
        for stage in range(len(STAGES))
        for pair in nest_names(blocks.OFFICIAL_NAMES, rf"layer{stage + 1}\.(\d)\.", rf"stages.{stage}.\1.")
    ),
    (r"toplayer\.(weight|bias)", r"top.\1"),
    (r"latlayer(\d)\.0\.(weight|bias)", r"laterals.\1.\2"),
    (r"feat_final\.0\.(weight|bias)", r"output.\1"),
)
"""Names of an `ImagePyramid`; nested under the stages that hold one."""


class ImagePyramid(nn.Module):
    """Residual stages down to a sixteenth of the size, merged from the top down to the full size."""

    def __init__(self, width: int, output_channels: int) -> None:
        super().__init__()
        widths = [factor * width for factor, _, _ in STAGES]
        merged = 3 * width
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stages = nn.ModuleList(
            nn.Sequential(
                BottleneckBlock(before, after, stride), *(BottleneckBlock(after, after) for _ in range(count - 1))
            )
            for before, after, (_, count, stride) in zip([width, *widths], widths, STAGES, strict=False)
        )
        self.top = nn.Conv2d(widths[-1], merged, 1)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, merged, 1) for channels in reversed(widths[:-1]))
        self.output = nn.Conv2d(merged, output_channels, 3, padding=1)

    def forward(self, images: Float[Tensor, "cameras 3 h w"]) -> Float[Tensor, "cameras channels h w"]:
        """Returns features at the size of the images (RGB in [0, 1])."""
        hidden = torch.relu_(instance_norm(self.stem(images)))
        maps = []
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        merged = self.top(maps.pop())
        for lateral in self.laterals:
            side = leaky(lateral(maps.pop()))
            merged = side + nn.functional.interpolate(merged, side.shape[-2:], mode="bilinear", align_corners=False)
        return leaky(self.output(merged))
