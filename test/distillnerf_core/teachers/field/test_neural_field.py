from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distillnerf_core.data.drive import BoxTrack
from distillnerf_core.teachers.field.box_poses import BoxPoses
from distillnerf_core.teachers.field.config import SMALL, FieldConfig, FieldLossWeights
from distillnerf_core.teachers.field.drive_rays import PixelBatch
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.grid_layout import GridConfig
from distillnerf_core.teachers.field.neural_field import NeuralField
from distillnerf_core.teachers.field.objective import pixel_objective
from distillnerf_core.teachers.field.parts import BoxPart, TimePart
from distillnerf_core.teachers.field.ray_spacing import to_distance
from distillnerf_core.teachers.field.scene_box import SceneBox

Golden = Callable[[str], dict[str, Tensor]]

SECOND = 1_000_000_000
BOX = SceneBox((-40.0, -40.0, -4.0), (40.0, 40.0, 20.0))


def golden_field(values: dict[str, Tensor]) -> NeuralField:
    """The published field without flow and features, with the golden weights."""
    grid = GridConfig(levels=4, features=4, base=8, finest=128, log2_entries=11)
    config = FieldConfig(static=grid, time=grid, width=16, geometry=12, appearance=5, shadows=True)
    low, high = values["aabb"][:3].tolist(), values["aabb"][3:].tolist()
    box = SceneBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    moving = TimePart(box, 1.0, 10_000, config)
    field = NeuralField(box, 21, config, moving)
    assert moving.shadow is not None

    def load(target: nn.Module, *names: str) -> None:
        for layer, name in zip((m for m in target.modules() if isinstance(m, nn.Linear)), names, strict=True):
            rows = layer.weight.shape[0]  # the semantic channels come last
            layer.weight.data.copy_(values[f"w.{name}.weight"][:rows])
            layer.bias.data.copy_(values[f"w.{name}.bias"][:rows])

    field.static.grid.table.data.copy_(values["w.xyz_encoder.tcnn_encoding.params"].view(-1, 4))
    moving.network.grid.table.data.copy_(values["w.dynamic_xyz_encoder.tcnn_encoding.params"].view(-1, 4))
    load(field.static.network, "base_mlp.0", "base_mlp.2")
    load(moving.network.network, "dynamic_base_mlp.0", "dynamic_base_mlp.2")
    load(moving.shadow, "shadow_head.0", "shadow_head.2")
    load(field.color_head, *(f"rgb_head.layers.{layer}" for layer in range(3)))
    load(field.sky_head, *(f"sky_head.layers.{layer}" for layer in range(3)))
    field.appearance.data.copy_(values["w.appearance_embedding.weight"])
    return field


@torch.no_grad()
def test_the_field_without_flow_matches_the_golden_tensors(golden: Golden) -> None:
    values = golden("field_noflow")
    field = golden_field(values)
    assert isinstance(field.moving, TimePart)
    points = values["positions"].flatten(0, 1)
    rays = FieldRays(points, values["dirs"].flatten(0, 1), values["t"].flatten(), values["img_idx"].flatten())
    zero = torch.zeros(len(rays), 1)

    def close(found: Tensor, name: str) -> None:
        expected = values[name].reshape(found.shape)
        torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-4)

    density, geometry = field.static.at(points[:, None])
    close(density[:, 0], "out_static_density")
    moving = field.moving(rays, zero)
    close(moving.density, "out_dynamic_density")
    close(moving.added_to(density)[:, 0], "out_density")
    close(moving.shadow, "out_shadow_ratio")
    appearance = field.appearance_of(rays)
    close(field.color_head(rays.directions, appearance, geometry[:, 0]), "out_static_rgb")
    close(field.color_head(rays.directions, appearance, moving.geometry), "out_dynamic_rgb")
    first = torch.arange(0, len(rays), 6)
    close(field.sky_head(rays.directions[first], appearance[first]), "out_rgb_sky")
    unknown = FieldRays(points, rays.directions, rays.times_s, torch.full_like(rays.images, -1))
    mean = field.appearance_of(unknown)
    close(field.color_head(rays.directions, mean, geometry[:, 0]), "mean_emb_static_rgb")
    close(field.sky_head(rays.directions[first], mean[first]), "mean_emb_rgb_sky")


def moving_car() -> BoxTrack:
    """Drives along x at 10 m/s, turning to the left by a quarter on the way."""
    start, end = np.eye(4), np.eye(4)
    end[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    end[0, 3] = 20.0
    return BoxTrack("a", "car", (4.0, 2.0, 1.5), np.array([0, 2 * SECOND]), np.stack([start, end]))


@pytest.mark.parametrize("seconds", [-0.25, 0.0, 0.7, 2.0, 2.2, 2.4])
def test_poses_are_those_of_the_track(seconds: float) -> None:
    world = np.eye(4)
    world[:3, 3] = [5.0, -1.0, 0.5]
    track = moving_car()
    centers, yaws, there = BoxPoses([track], world, 0, 1.0).at(torch.tensor([seconds]))
    expected = track.pose(round(seconds * SECOND))
    assert bool(there[0, 0]) == (expected is not None)
    if expected is not None:
        np.testing.assert_allclose(centers[0, 0].numpy(), expected[:3, 3] + world[:3, 3], atol=1e-5)
        assert yaws[0, 0].item() == pytest.approx(np.arctan2(expected[1, 0], expected[0, 0]), abs=1e-5)


def test_samples_in_boxes_are_those_that_a_plain_test_finds() -> None:
    generator = torch.Generator().manual_seed(0)
    rays = FieldRays(
        torch.randn(200, 3, generator=generator) * torch.tensor([4.0, 4.0, 0.5]) + torch.tensor([10.0, 0.0, 0.0]),
        nn.functional.normalize(torch.randn(200, 3, generator=generator) * torch.tensor([1.0, 1.0, 0.2]), dim=1),
        torch.rand(200, generator=generator) * 2.0,
        torch.zeros(200, dtype=torch.int64),
    )
    distances = torch.rand(200, 16, generator=generator).sort(dim=1).values * 15.0
    track = moving_car()
    index, box, place = BoxPoses([track], np.eye(4), 0, 1.1).inside(rays, distances)
    points = rays.points_m(distances).double().numpy()
    expected = []
    for ray, seconds in enumerate(rays.times_s.tolist()):
        pose = track.pose(round(seconds * SECOND))
        assert pose is not None
        local = (points[ray] - pose[:3, 3]) @ pose[:3, :3]
        local[:, 2] -= 0.05 * track.size_lwh_m[2]  # the bottom stays where it is
        within = (np.abs(local) < 0.55 * np.array(track.size_lwh_m)).all(axis=1)
        expected += (ray * 16 + np.flatnonzero(within)).tolist()
    assert len(expected) > 20
    assert sorted(index.tolist()) == expected
    assert bool((box == 0).all()) and bool(((place > 0) & (place < 1)).all())


def small_field(moving: bool = True) -> NeuralField:
    torch.manual_seed(0)
    part = BoxPart(BoxPoses([moving_car()], np.eye(4), 0, 1.1), SMALL.field) if moving else None
    return NeuralField(BOX, 3, SMALL.field, part)


def fan(count: int) -> FieldRays:
    angles = torch.linspace(-0.5, 0.5, count)
    directions = torch.stack((angles.cos(), angles.sin(), 0.05 * angles), dim=1)
    return FieldRays(
        torch.zeros(count, 3),
        nn.functional.normalize(directions, dim=1),
        torch.full((count,), 0.8),
        torch.arange(count) % 3,
    )


@torch.no_grad()
def test_chunks_of_any_size_render_the_same() -> None:
    field, rays = small_field(), fan(24)
    whole = field(rays)
    assert whole.densities.moving is not None
    assert len(whole.densities.moving.index) > 0
    parts = [field(part) for part in rays.chunks(1)]
    for name in ("distance_m", "median_m", "opacity", "spread_m", "moving_opacity"):
        single = torch.cat([getattr(part.rendered, name) for part in parts])
        torch.testing.assert_close(single, getattr(whole.rendered, name), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.cat([part.color for part in parts]), whole.color, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_nothing_that_stands_is_inside_moving_boxes() -> None:
    field, rays = small_field(), fan(24)
    cleared = field(rays).densities
    assert cleared.moving is not None
    inside = torch.zeros(cleared.total.numel(), dtype=torch.bool)
    inside[cleared.moving.index] = True
    share = cleared.static_share.flatten()
    assert inside.any() and (share[inside] == 0).all() and (share[~inside] > 0.99).all()
    field.config = field.config.model_copy(update={"clear_boxes": False})
    both = field(rays).densities
    assert both.moving is not None
    shares = both.static_share.flatten()[both.moving.index]
    assert (shares > 0.1).all() and (shares < 0.9).all()


def test_vehicles_in_labelled_boxes_need_not_be_sparse() -> None:
    rays, phases = fan(6), torch.full((3, 6, 1), 0.5)
    batch = PixelBatch(rays, torch.rand(6, 3), None)
    in_boxes = pixel_objective(small_field(), batch, FieldLossWeights(), phases, proposals=False)
    assert set(in_boxes.terms) == {"color"}
    unlabelled = small_field(moving=False)
    unlabelled.moving = TimePart(BOX, 2.0, 5, SMALL.field)
    over_time = pixel_objective(unlabelled, batch, FieldLossWeights(), phases, proposals=False)
    assert set(over_time.terms) == {"color", "moving"}


def test_final_intervals_gather_where_the_proposals_are_dense() -> None:
    field = small_field(moving=False)
    edges, rounds = field.sample(fan(5))
    assert [len(sampled.edges[0]) - 1 for sampled in rounds] == list(SMALL.field.proposal_intervals)
    assert edges.shape == (5, SMALL.field.intervals + 1)
    # The density of a new proposal is about exp(-1): nearly all light stops within some metres.
    assert float(to_distance(edges).median()) < 12.0


def test_gradients_reach_every_part_and_proposals_only_on_request() -> None:
    field = small_field()
    output = field(fan(6), proposals=True)
    assert output.color is not None
    (output.color.sum() + sum(sampled.cumulative.sum() for sampled in output.rounds)).backward()
    assert all(value.grad is not None for value in field.parameters())
    plain = field(fan(6))
    assert not any(sampled.cumulative.requires_grad for sampled in plain.rounds)
    assert not plain.final.cumulative.requires_grad
