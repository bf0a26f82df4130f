import pytest
import torch

from distillnerf_core.errors import CalibrationError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays, pixel_directions, ray_distance_to_z_depth
from distillnerf_core.geometry.transforms import invert_rigid


def make_rig(height: int = 90, width: int = 160) -> CameraRig:
    intrinsics = torch.tensor([[126.0, 0.0, 81.0], [0.0, 126.0, 49.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    forward = torch.tensor([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.1], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    left = torch.tensor([[1.0, 0, 0, 0.0], [0, 0, 1, 0.5], [0, -1, 0, 1.6], [0, 0, 0, 1]])
    return CameraRig(("front", "left"), intrinsics, torch.stack((forward, left)), height, width)


def test_projecting_a_point_on_a_ray_gives_back_the_pixel_centre() -> None:
    rig = make_rig()
    rays = camera_rays(rig)
    points = rays.origins_m + 7.5 * rays.directions
    to_camera = invert_rigid(rig.camera_to_ego)
    for camera in range(2):
        in_camera = points[camera] @ to_camera[camera, :3, :3].T + to_camera[camera, :3, 3]
        image = in_camera @ rig.intrinsics[camera].T
        pixels = image[..., :2] / image[..., 2:]
        torch.testing.assert_close(pixels[12, 34], torch.tensor([34.5, 12.5]), rtol=1e-4, atol=1e-3)


def test_rays_are_unit_vectors_and_the_front_camera_looks_forward() -> None:
    rays = camera_rays(make_rig())
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(2, 90, 160))
    assert rays.directions[0, 49, 81, 0].item() == pytest.approx(1.0, abs=1e-3)
    assert rays.directions[1, 49, 81, 1].item() == pytest.approx(1.0, abs=1e-3)


def test_resizing_keeps_the_directions_of_the_image_corners() -> None:
    rig, small = make_rig(), make_rig().resized(45, 80)
    full, half = pixel_directions(rig), pixel_directions(small)
    pairs = full.unflatten(1, (45, 2)).unflatten(3, (80, 2)).mean(dim=(2, 4))
    torch.testing.assert_close(half, pairs, rtol=1e-4, atol=1e-5)


def test_z_depth_of_a_wall_is_constant() -> None:
    rig = make_rig()
    distance = 10.0 * pixel_directions(rig).norm(dim=-1)
    torch.testing.assert_close(ray_distance_to_z_depth(distance, rig), torch.full((2, 90, 160), 10.0))


def test_select_keeps_names_and_tensors_together() -> None:
    rig = make_rig().select([1])
    assert rig.names == ("left",)
    assert rig.camera_to_ego[0, 2, 3].item() == pytest.approx(1.6)


def test_a_rig_of_mismatched_tensors_is_refused() -> None:
    rig = make_rig()
    with pytest.raises(CalibrationError, match="rig of 1 cameras"):
        CameraRig(("front",), rig.intrinsics, rig.camera_to_ego, 90, 160)
