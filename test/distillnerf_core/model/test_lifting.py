from pathlib import Path

import numpy as np
import pytest
import torch

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.model.lifting import lift, pool
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.pooling import quantise


def make_frustum(rig: CameraRig, candidates: int = 3) -> Frustum:
    generator = torch.Generator().manual_seed(3)
    shape = (len(rig), rig.height, rig.width, candidates)
    distances = (2.0 + 20.0 * torch.rand(shape, generator=generator)).sort(dim=-1).values
    return Frustum(distances, torch.rand(shape, generator=generator), 12.0)


def test_lifted_points_project_back_to_their_pixels(rig: CameraRig) -> None:
    points = lift(make_frustum(rig), rig)
    for camera in range(len(rig)):
        pose = rig.camera_to_ego[camera]
        in_camera = (points[camera] - pose[:3, 3]) @ pose[:3, :3]
        pixels = in_camera @ rig.intrinsics[camera].T
        pixels = pixels[..., :2] / pixels[..., 2:]
        columns = (torch.arange(rig.width) + 0.5).expand(rig.height, -1)
        torch.testing.assert_close(pixels[..., 1, 0], columns, rtol=1e-4, atol=1e-3)


def test_lifting_matches_the_reference_network(golden_dir: Path) -> None:
    inputs, golden = np.load(golden_dir / "cameras_inputs.npz"), np.load(golden_dir / "geometry_lift.npz")
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[:, :3, :3] = torch.from_numpy(inputs["rots"][0])
    poses[:, :3, 3] = torch.from_numpy(inputs["trans"][0])
    intrinsics = torch.from_numpy(inputs["post_rots"][0]) @ torch.from_numpy(inputs["intrins"][0])
    # The reference looks through integer pixel coordinates, half a pixel up and left of the pixels' centres.
    intrinsics[:, :2, 2] += 0.5
    rig = CameraRig(("a", "b"), intrinsics, poses, 36, 64)
    depths = torch.from_numpy(golden["depths"])
    full = torch.zeros(2, 36, 64, depths.shape[1])
    full[:, ::5, ::7] = depths.permute(0, 2, 3, 1)
    points = lift(Frustum(full, torch.ones_like(full), 30.0), rig)[:, ::5, ::7]
    expected = golden["points"][0].transpose(0, 2, 3, 1, 4)
    np.testing.assert_allclose(points, expected, rtol=1e-5, atol=2e-5)


def test_pooling_averages_what_lies_in_each_voxel(rig: CameraRig) -> None:
    small = rig.resized(8, 16)
    frustum = make_frustum(small)
    features = torch.randn(2, 6, 8, 16, generator=torch.Generator().manual_seed(4))
    points, space = lift(frustum, small), ContractedSpace()
    lifted = pool(frustum, points, features, space, (4, 6))
    content = features.permute(0, 2, 3, 1)[:, :, :, None, :] * frustum.occupancy[..., None]
    rows = torch.cat((content, frustum.logits[..., None]), dim=-1).reshape(-1, 7)
    for level, channels, found, keys in (
        (4, [0, 1, 2, 6], lifted.coarse, lifted.structure.coarse_keys),
        (6, [3, 4, 5, 6], lifted.fine, lifted.structure.fine_keys),
    ):
        codes = morton_encode(quantise(space.contract(points.reshape(-1, 3)), level))
        expected = torch.stack([rows[codes == key][:, channels].mean(dim=0) for key in keys])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_pixels_that_are_not_valid_leave_no_trace(rig: CameraRig) -> None:
    small, space = rig.resized(8, 16), ContractedSpace()
    frustum, other = make_frustum(small), make_frustum(small, 3)
    features = torch.randn(2, 6, 8, 16, generator=torch.Generator().manual_seed(4))
    valid = torch.rand(2, 8, 16, generator=torch.Generator().manual_seed(5)) > 0.3
    points = lift(frustum, small)
    expected = pool(frustum, points, features, space, (4, 6), valid)
    wild = features.masked_fill(~valid[:, None], 1e6)
    occupancy = torch.where(valid[..., None], frustum.occupancy, 1.0 - other.occupancy)
    elsewhere = torch.where(valid[..., None, None], points, -points)
    found = pool(Frustum(frustum.distances_m, occupancy, 12.0), elsewhere, wild, space, (4, 6), valid)
    assert torch.equal(found.structure.fine_keys, expected.structure.fine_keys)
    assert torch.equal(found.fine, expected.fine)
    assert torch.equal(found.coarse, expected.coarse)
    everything = pool(frustum, points, features, space, (4, 6), torch.ones_like(valid))
    assert torch.equal(everything.fine, pool(frustum, points, features, space, (4, 6)).fine)
    with pytest.raises(QueryError, match="no pixel"):
        pool(frustum, points, features, space, (4, 6), torch.zeros_like(valid))
