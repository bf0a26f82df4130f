"""Bundles of neighbouring rays, and which primitives each bundle can meet."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distillnerf_core.simulation.primitives import Primitives, bounding_half_size


@dataclass(frozen=True)
class Tiles:
    """An image of rays from one point, cut into square tiles (padded by repeating the last row and column).

    Attributes:
        origin_m: Common origin of all rays, world frame, metres.
        directions: Unit directions, tile by tile, component first.
        height: Rows of the image before padding.
        width: Columns of the image before padding.
        edge: Rows and columns of a tile.
    """

    origin_m: Float[Tensor, " 3"]
    directions: Float[Tensor, "3 tiles rays"]
    height: int
    width: int
    edge: int

    @property
    def grid(self) -> tuple[int, int]:
        """Number of tile rows and tile columns."""
        return -(-self.height // self.edge), -(-self.width // self.edge)

    def untile(self, values: Tensor) -> Tensor:
        """Puts values [tiles, rays] back into an image [height, width]."""
        rows, columns = self.grid
        image = values.reshape(rows, columns, self.edge, self.edge).transpose(1, 2)
        return image.reshape(rows * self.edge, columns * self.edge)[: self.height, : self.width]


def cut_tiles(origin_m: Float[Tensor, " 3"], directions: Float[Tensor, "height width 3"], edge: int) -> Tiles:
    """Cuts an image of rays from one point into tiles of `edge` x `edge`."""
    height, width = directions.shape[:2]
    rows, columns = -(-height // edge), -(-width // edge)
    row = torch.arange(rows * edge, device=directions.device).clamp(max=height - 1)
    column = torch.arange(columns * edge, device=directions.device).clamp(max=width - 1)
    padded = directions[row][:, column].reshape(rows, edge, columns, edge, 3)
    tiled = padded.permute(4, 0, 2, 1, 3).reshape(3, rows * columns, edge * edge)
    return Tiles(origin_m, tiled.contiguous(), height, width, edge)


def candidates(tiles: Tiles, primitives: Primitives) -> Bool[Tensor, "tiles primitives"]:
    """Tells which primitives may meet a ray of each tile; never misses one, may name too many.

    A primitive is excluded when its bounding box lies outside one of the four planes through the origin that
    bound the tile, or behind the origin.
    """
    normals = _inward_normals(tiles)
    half = bounding_half_size(primitives)
    axes = (primitives.rotation * half[:, None, :]).permute(2, 1, 0)
    offset = primitives.center_m - tiles.origin_m
    count = len(primitives)
    possible = torch.ones(normals.shape[1], count, dtype=torch.bool, device=half.device)
    for plane in normals:
        reach = (plane @ axes[0]).abs() + (plane @ axes[1]).abs() + (plane @ axes[2]).abs()
        possible &= plane @ offset.T + reach >= 0
    return possible


def compact(possible: Bool[Tensor, "tiles primitives"]) -> tuple[Int[Tensor, " tiles"], Int[Tensor, "tiles slots"]]:
    """Turns a candidate mask into lists.

    Returns:
        The tiles in order of falling list length, and for these the candidate primitives, filled up with -1.
    """
    tile, primitive = possible.nonzero(as_tuple=True)
    length = tile.bincount(minlength=possible.shape[0])
    order = length.argsort(descending=True)
    slots = int(length.max()) if length.numel() else 0
    start = length.cumsum(0) - length
    slot = torch.arange(tile.numel(), device=tile.device) - start[tile]
    lists = torch.full((possible.shape[0], slots), -1, dtype=torch.long, device=possible.device)
    lists[tile, slot] = primitive
    return order, lists[order]


def _inward_normals(tiles: Tiles) -> Float[Tensor, "planes tiles 3"]:
    edge = tiles.edge
    image = tiles.directions.permute(1, 2, 0).reshape(-1, edge, edge, 3)
    corners = torch.stack((image[:, 0, 0], image[:, 0, -1], image[:, -1, -1], image[:, -1, 0]))
    middle = torch.nn.functional.normalize(corners.mean(dim=0), dim=-1)
    corners = corners + 0.05 * (corners - middle)
    sides = torch.cross(corners, corners.roll(-1, dims=0), dim=-1)
    inward = torch.where((sides * middle).sum(dim=-1, keepdim=True) < 0, -sides, sides)
    return torch.cat((inward, middle[None]))
