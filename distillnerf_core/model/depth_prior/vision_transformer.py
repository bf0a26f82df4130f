"""The vision transformer of DINOv2 (ViT-B/14 without registers), as far as Depth Anything v1 uses it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config

PATCH_PX = 14
"""Side of a patch in pixels."""
LEVELS = 4
"""Number of blocks, counted from the last, whose output is returned."""
_POSITION_OFFSET = 0.1
_NORM_EPS = 1e-6


class VisionTransformerConfig(Config):
    """Size of the transformer; the defaults are those of ViT-B/14.

    Attributes:
        width: Channels of a token.
        depth: Number of blocks.
        heads: Attention heads; they divide the width.
        position_grid: Rows and columns of the learned position embedding.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    position_grid: int = 37


class SelfAttention(nn.Module):
    """Multi-head self-attention over all tokens of an image."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "images tokens channels"]) -> Float[Tensor, "images tokens channels"]:
        """Lets each token gather from all tokens."""
        images, count, width = tokens.shape
        heads = self.qkv(tokens).reshape(images, count, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        gathered = F.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.projection(gathered.transpose(1, 2).reshape(images, count, width))
        return output


class TransformerBlock(nn.Module):
    """Pre-normalised attention and perceptron, each scaled per channel before it is added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=_NORM_EPS)
        self.attention = SelfAttention(width, heads)
        self.attention_scale = nn.Parameter(torch.ones(width))
        self.mlp_norm = nn.LayerNorm(width, eps=_NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mlp_scale = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Float[Tensor, "images tokens channels"]) -> Float[Tensor, "images tokens channels"]:
        """Refines the tokens."""
        tokens = tokens + self.attention_scale * self.attention(self.attention_norm(tokens))
        output: Tensor = tokens + self.mlp_scale * self.mlp(self.mlp_norm(tokens))
        return output


class VisionTransformer(nn.Module):
    """Images to patch features at the depth of the last four blocks."""

    def __init__(self, config: VisionTransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, positions = config.width, config.position_grid**2
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embedding = nn.Parameter(0.02 * torch.randn(1, 1 + positions, width))
        self.patch_embedding = nn.Conv2d(3, width, PATCH_PX, stride=PATCH_PX)
        self.blocks = nn.ModuleList(TransformerBlock(width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=_NORM_EPS)

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> tuple[Float[Tensor, "images channels rows columns"], ...]:
        """Encodes normalised images whose sides are multiples of a patch.

        Returns:
            The normalised outputs of the last four blocks, first to last, without the class token; a row
            and a column per patch.
        """
        patches = self.patch_embedding(images)
        rows, columns = patches.shape[-2:]
        class_token = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat((class_token, patches.flatten(2).transpose(1, 2)), dim=1)
        tokens = tokens + self.interpolate_positions(rows, columns)
        levels = []
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            if number > len(self.blocks) - LEVELS:
                patches = self.norm(tokens)[:, 1:]
                levels.append(patches.transpose(1, 2).unflatten(2, (rows, columns)))
        return tuple(levels)

    def interpolate_positions(self, rows: int, columns: int) -> Float[Tensor, "1 tokens channels"]:
        """Stretches the learned position embedding over another grid of patches.

        Bicubic without antialiasing, in float32. The weights were trained with coordinates scaled by
        (size + 0.1) / grid instead of size / grid, which is kept.
        """
        grid = self.config.position_grid
        if rows == columns == grid:
            return self.position_embedding
        table = self.position_embedding[:, 1:].float().reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        scale = ((rows + _POSITION_OFFSET) / grid, (columns + _POSITION_OFFSET) / grid)
        stretched = F.interpolate(table, scale_factor=scale, mode="bicubic", align_corners=False)
        patches = stretched.flatten(2).transpose(1, 2).to(self.position_embedding.dtype)
        return torch.cat((self.position_embedding[:, :1], patches), dim=1)
