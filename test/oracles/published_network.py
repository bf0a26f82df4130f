"""The published network once more, written down plainly from its description, on official names.

It shares no code with the package, holds everything at once and is right rather than fast.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Weights = dict[str, Tensor]
Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Space:
    """What variants differ in: half height of the box, share of the linear part, far plane, depth edges."""

    z_inner_m: float
    ratio: float
    far_m: float
    edges: Tensor

    def contract(self, points: Tensor) -> Tensor:
        inner = points.new_tensor([50.0, 50.0, self.z_inner_m])
        far = torch.sign(points) * (1 - inner / points.abs().clamp_min(1e-9) * (1 - self.ratio))
        return torch.where(points.abs() < inner, self.ratio * points / inner, far)

    def cells(self, points: Tensor, level: int) -> Cells:
        scaled = (2**level * (self.contract(points) + 1) / 2).clamp(0, 2**level - 1).floor().long()
        numbers: Cells = scaled.numpy()
        return numbers


def conv(w: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w.get(f"{name}.bias"), stride, weight.shape[-1] // 2)


def block(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    y = F.relu(F.instance_norm(conv(w, f"{name}.conv1", x)))
    y = F.relu(F.instance_norm(conv(w, f"{name}.conv2", y, stride)))
    y = F.instance_norm(conv(w, f"{name}.conv3", y))
    if f"{name}.shortcut.0.weight" in w:
        x = F.instance_norm(conv(w, f"{name}.shortcut.0", x, stride))
    return F.relu(x + y)


def pyramid(w: Weights, name: str, image: Tensor) -> Tensor:
    c1 = F.relu(F.instance_norm(conv(w, f"{name}.conv1", image)))
    maps = [c1]
    for number, (count, stride) in enumerate(((2, 1), (3, 2), (5, 2), (5, 2), (5, 2)), start=1):
        x = maps[-1]
        for index in range(count):
            x = block(w, f"{name}.layer{number}.{index}", x, stride if index == 0 else 1)
        maps.append(x)
    top = conv(w, f"{name}.toplayer", maps[5])
    for index, lateral in enumerate(reversed(maps[1:5])):
        up = F.interpolate(top, lateral.shape[-2:], mode="bilinear", align_corners=False)
        top = up + F.leaky_relu(conv(w, f"{name}.latlayer{index}.0", lateral), 0.2)
    return F.leaky_relu(conv(w, f"{name}.feat_final.0", top), 0.2)


def clamp(x: Tensor, limit: float) -> Tensor:
    return limit * torch.tanh(x / limit)


def coarse_depth(w: Weights, bins: Tensor, images: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    name = "coarse_monodepth_estimator"
    x = torch.cat((pyramid(w, name, images), prior), dim=1)
    for index in range(2):
        x = block(w, f"{name}.depth_feature_combiner.combiner.{index}", x, 1)
    y = prior + F.instance_norm(conv(w, f"{name}.depth_feature_combiner.parameter_layer.0", x))
    features = F.leaky_relu(conv(w, f"{name}.depth_feature_combiner.last_layer.0", y), 0.2)
    hidden = F.leaky_relu(conv(w, f"{name}.depthnet.0", features), 0.2)
    density = torch.exp(clamp(conv(w, f"{name}.depthnet.2", hidden), 30.0) - 1.0)
    optical = density * (bins[1:] - bins[:-1])[:, None, None]
    before = torch.cat((torch.zeros_like(optical[:, :1]), optical.cumsum(1)[:, :-1]), dim=1)
    weights = (1 - torch.exp(-optical)) * torch.exp(-before)
    middles = (0.5 * (bins[1:] + bins[:-1]))[:, None, None]
    return features, (weights * middles).sum(1) / weights.sum(1).clamp(1e-6, 1.0)


def fine_depth(w: Weights, images: Tensor, features: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    name = "fine_mono_depth_estimator"
    offsets = torch.arange(-8.0, 7.0)[:, None, None]
    candidates = F.relu(depth[:, None] + offsets * (0.025 * depth[:, None]).clamp(0.05, 0.3))
    embedded = candidates[..., None] * w[f"{name}.depth_expander.0.weight"][:, 0] + w[f"{name}.depth_expander.0.bias"]
    norm = (w[f"{name}.depth_expander.1.weight"], w[f"{name}.depth_expander.1.bias"])
    embedded = F.layer_norm(embedded, (65,), *norm).permute(0, 4, 1, 2, 3)
    x = torch.cat((pyramid(w, name, images), features), dim=1)
    for index in (0, 3):
        x = F.leaky_relu(F.instance_norm(conv(w, f"{name}.combiner.{index}", x)), 0.2)
    phi = clamp(conv(w, f"{name}.featnet.2", F.leaky_relu(conv(w, f"{name}.featnet.0", x), 0.2)), 5.0)
    key = conv(w, f"{name}.depthnet.2", F.leaky_relu(conv(w, f"{name}.depthnet.0", x), 0.2))
    norm = (w[f"{name}.depth_feat_normalize.weight"], w[f"{name}.depth_feat_normalize.bias"])
    key = F.layer_norm(key.permute(0, 2, 3, 1), (65,), *norm).permute(0, 3, 1, 2)
    product = key[:, :, None] * embedded
    for index in (0, 3, 6):
        at = f"{name}.feature_predictor.{index}"
        product = F.conv3d(product, w[f"{at}.weight"], w[f"{at}.bias"], padding=(1, 0, 0))
        if index < 6:
            product = F.leaky_relu(F.instance_norm(product), 0.2)
    p = torch.sigmoid(product[:, 0])
    return candidates, p, phi


def interleave(cell: Cells) -> Cells:
    code = np.zeros(len(cell), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + 2 - axis)
    return code


def flat(cell: Cells) -> Cells:
    """Numbers cells one after the other; neighbours outside the box get numbers of their own."""
    numbers: Cells = (cell + 1) @ np.array([1024 * 1024, 1024, 1])
    return numbers


class Level:
    """Voxels of a level in Morton order."""

    def __init__(self, space: Space, points: Tensor, values: Tensor, level: int) -> None:
        self.space = space
        all_cells = space.cells(points, level)
        _, first, inverse = np.unique(interleave(all_cells), return_index=True, return_inverse=True)
        self.cells, self.level = all_cells[first], level
        sums = torch.zeros(len(first), values.shape[1], dtype=torch.double)
        sums.index_add_(0, torch.from_numpy(inverse), values.double())
        self.values = (sums / torch.from_numpy(np.bincount(inverse))[:, None]).float()
        numbers = flat(self.cells)
        self.order = np.argsort(numbers)
        self.sorted = numbers[self.order]

    def find(self, wanted: Cells) -> Tensor:
        """Numbers of the voxels with these coordinates, -1 where there is none."""
        numbers = flat(wanted)
        places = np.searchsorted(self.sorted, numbers).clip(max=len(self.sorted) - 1)
        return torch.from_numpy(np.where(self.sorted[places] == numbers, self.order[places], -1))


def sparse_conv(w: Weights, name: str, source: Level, x: Tensor, target: Level) -> Tensor:
    jump = 2 ** (source.level - target.level)
    padded = torch.cat((x, torch.zeros_like(x[:1])))
    total = w[f"{name}.bias"].expand(len(target.cells), -1).clone()
    for k in range(27):
        offset = np.array([k // 9 - 1, k // 3 % 3 - 1, k % 3 - 1])
        total += padded[source.find(target.cells * jump + offset)] @ w[f"{name}.weight"][k]
    return total


def refine(w: Weights, fine: Level, coarse: Level) -> Tensor:
    name = "multi_view_pooling_octree_encoder.sparse_voxel_convnet"

    def layer(at: str, source: Level, x: Tensor, target: Level) -> Tensor:
        y = F.leaky_relu(sparse_conv(w, f"{name}.{at}.conv", source, x, target), 0.2)
        if f"{name}.{at}.norm.weight" in w:
            y = F.layer_norm(y, (128,), w[f"{name}.{at}.norm.weight"], w[f"{name}.{at}.norm.bias"])
        return y

    x = layer("init_conv.0", fine, fine.values, fine)
    x = layer("processing_layers.1", fine, layer("processing_layers.0", fine, x, fine), fine)
    down = layer("downsample_layers.0", fine, x, coarse)
    x = torch.cat((down, layer("init_conv.1", coarse, coarse.values, coarse)), dim=1)
    x = layer("processing_layers.3", coarse, layer("processing_layers.2", coarse, x, coarse), coarse)
    head = sparse_conv(w, f"{name}.output_head.conv", coarse, x, coarse)
    return torch.cat((clamp(head[:, :32], 5.0), clamp(head[:, 32:], 30.0)), dim=1)


def look_up(fine: Level, coarse: Level, refined: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    found = [level.find(level.space.cells(points, level.level)) for level in (fine, coarse)]
    contents = []
    for table, rows in ((fine.values, found[0]), (refined, found[1])):
        content = torch.where(rows[:, None] > 0, table[rows.clamp_min(0)], 0.0)
        contents.append(content)
    logit = torch.where(found[1] >= 0, contents[1][:, 32], -30.0)
    logit = torch.where(found[0] >= 0, contents[0][:, 32], logit)
    return torch.cat((contents[0][:, :32], contents[1][:, :32]), dim=1), clamp(logit, 10.0)


def march(depths: Tensor, features: Tensor, logits: Tensor, far_m: float) -> tuple[Tensor, Tensor, Tensor]:
    gaps = depths[:, 1:] - depths[:, :-1]
    alpha = 1 - torch.exp(-torch.exp(0.5 * (logits[:, 1:] + logits[:, :-1]) - 1) * gaps)
    kept = torch.cumprod(torch.cat((torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10), dim=1), dim=1)[:, :-1]
    weights = (alpha + 1e-10) * kept
    mean = 0.5 * (features[:, 1:] + features[:, :-1])
    middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
    distance = (weights * middles).sum(1) / (1e-10 + weights.sum(1))
    return 2 * (weights[..., None] * mean).sum(1) - 1, distance.clamp(1e-5, far_m), weights


def decode(w: Weights, features: Tensor) -> Tensor:
    style = w["decoder.cam_emb.weight"][1]
    x = F.leaky_relu(conv(w, "decoder.conv1.0", features), 0.2)
    for index in range(4):
        x = F.group_norm(conv(w, f"decoder.convs.{index}.0", x), 32, eps=1e-6)
        scale = F.linear(style, w[f"decoder.convs.{index}.1.style.weight"], w[f"decoder.convs.{index}.1.style.bias"])
        x = F.leaky_relu(x * scale[:160, None, None] + scale[160:, None, None], 0.2)
        if index == 2:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
    return conv(w, "decoder.last_conv", x)


class Calibration:
    """Cameras of the golden inputs: pixels of the small image to rays of the LiDAR frame."""

    def __init__(self, inputs: dict[str, Tensor]) -> None:
        self.rotation, self.center = inputs["rots"][0], inputs["trans"][0]
        self.height, self.width = inputs["imgs"].shape[-2:]
        scale = torch.diag(torch.tensor([self.width / 1600, self.height / 900, 1.0]))
        self.matrices = scale @ inputs["intrins"][0]

    def rays(self, rows: int, columns: int) -> Tensor:
        u, v = torch.linspace(0, self.width - 1, columns), torch.linspace(0, self.height - 1, rows)
        grid = torch.stack((u.expand(rows, -1), v[:, None].expand(-1, columns), torch.ones(rows, columns)), dim=-1)
        local = F.normalize(torch.einsum("nij,hwj->nhwi", torch.linalg.inv(self.matrices), grid), dim=-1)
        return torch.einsum("nij,nhwj->nhwi", self.rotation, local)


def feature_head(w: Weights, content: Tensor) -> Tensor:
    name = "projector.volume_renderer.net"
    for index in (0, 2, 4):
        content = F.linear(content, w[f"{name}.{index}.weight"], w[f"{name}.{index}.bias"])
        content = F.relu(content) if index < 4 else clamp(content, 10.0)
    return content


@dataclass(frozen=True)
class Field:
    """Voxels of both levels, the coarse ones refined; with the head's weights if it holds features of a model."""

    fine: Level
    coarse: Level
    refined: Tensor
    head: Weights | None

    def sample(self, origins: Tensor, rays: Tensor, depths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        places = (origins[:, None] + depths[..., None] * rays[:, None]).reshape(-1, 3)
        content, logit = look_up(self.fine, self.coarse, self.refined, places)
        if self.head is not None:
            content = feature_head(self.head, content)
        return march(depths, content.view(*depths.shape, 64), logit.view(depths.shape), self.fine.space.far_m)


def encode(w: Weights, space: Space, inputs: dict[str, Tensor], head: bool) -> Field:
    images, calibration = inputs["imgs"][0], Calibration(inputs)
    features, depth = coarse_depth(w, space.edges, images, inputs["depthanything_feat"])
    candidates, p, phi = fine_depth(w, images, features, depth)
    rays = calibration.rays(*images.shape[-2:])
    points = (calibration.center[:, None, None, None] + candidates[..., None] * rays[:, None]).reshape(-1, 3)
    carried = (p[..., None] * phi.permute(0, 2, 3, 1)[:, None]).reshape(-1, 64)
    logits = (30 * (2 * p - 1)).reshape(-1, 1)
    coarse = Level(space, points, torch.cat((carried[:, :32], logits), dim=1), 7)
    fine = Level(space, points, torch.cat((carried[:, 32:], logits), dim=1), 9)
    return Field(fine, coarse, refine(w, fine, coarse), w if head else None)


def render(field: Field, inputs: dict[str, Tensor], rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Features [cameras 64 rows columns] and distances of the render grid."""
    calibration = Calibration(inputs)
    rays = calibration.rays(rows, columns).reshape(-1, 3)
    origins = calibration.center.repeat_interleave(rows * columns, dim=0)
    bins, far_m = field.fine.space.edges, field.fine.space.far_m
    first = (0.5 * (bins[1:] + bins[:-1])).expand(len(rays), -1)
    strongest = field.sample(origins, rays, first)[2].argmax(1, keepdim=True)
    extra = (first.gather(1, strongest) + 0.1 * torch.arange(-15, 15)).clamp(0, far_m)
    seen, distance, _ = field.sample(origins, rays, torch.cat((first, extra), dim=1).sort(1).values)
    shape = (-1, rows, columns)
    return seen.view(*shape, 64).permute(0, 3, 1, 2), distance.view(shape)


def colors(w: Weights, features: Tensor) -> Tensor:
    """RGB; the channel of zeros has become -1, as every channel is doubled and lowered by one."""
    return decode(w, F.pad(features, (0, 0, 0, 0, 0, 1), value=-1.0))
