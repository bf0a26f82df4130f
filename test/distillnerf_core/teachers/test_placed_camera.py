import numpy as np

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import VIRTUAL_OFFSETS_M


def _image() -> DriveImage:
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]  # looks along world x, z up
    pose[:3, 3] = 2000.0, -1000.0, 1.5
    return DriveImage("CAM_FRONT", 0, 0, np.array([[400.0, 0, 400], [0, 400, 225], [0, 0, 1]]), pose, 450, 800)


def test_points_along_the_rays_project_to_their_pixel_centres() -> None:
    camera = PlacedCamera.of(_image(), 45, 100)
    distance = np.random.default_rng(0).uniform(1.0, 80.0, (45, 100)).astype(np.float32)
    points = camera.points(distance).reshape(-1, 3)
    u, v, depth = camera.project(points)
    rows, columns = np.divmod(np.arange(45 * 100), 100)
    np.testing.assert_allclose(u, columns + 0.5, atol=2e-3)
    np.testing.assert_allclose(v, rows + 0.5, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(points - camera.camera_to_world[:3, 3], axis=1), distance.ravel(), 1e-5)
    assert (depth > 0).all()


def test_the_virtual_cameras_stand_left_right_and_above() -> None:
    camera = PlacedCamera.of(_image(), 45, 80)
    places = {name: camera.moved(offset).camera_to_world[:3, 3] for name, offset in VIRTUAL_OFFSETS_M.items()}
    centre = camera.camera_to_world[:3, 3]
    np.testing.assert_allclose(places["left"] - centre, [0, 1, 0], atol=1e-12)  # the vehicle's left is world y
    np.testing.assert_allclose(places["right"] - centre, [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(places["up"] - centre, [0, 0, 1], atol=1e-12)


def test_a_step_to_the_right_moves_a_point_left_by_the_parallax() -> None:
    camera = PlacedCamera.of(_image(), 450, 800)
    point = camera.camera_to_world[:3, 3] + np.array([[20.0, 3.0, 0.5]])
    before, _, _ = camera.project(point)
    after, _, _ = camera.moved((1.0, 0.0, 0.0)).project(point)
    np.testing.assert_allclose(after - before, -400.0 / 20.0, rtol=1e-4)
