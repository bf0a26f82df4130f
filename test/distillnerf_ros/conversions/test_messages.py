"""Messages carry the values that were given."""

import numpy as np
from sensor_msgs.msg import PointField
from visualization_msgs.msg import Marker

from distillnerf_core.language.classes import CLASS_COLORS
from distillnerf_ros.conversions.clouds import OCCUPANCY_POINT, heat_colors, occupancy_cloud
from distillnerf_ros.conversions.fields import header, stamp_to_ns
from distillnerf_ros.conversions.images import camera_info, color_image, depth_image, label_image
from distillnerf_ros.conversions.voxels import class_markers, semantic_grid

STAMPED = header(1_700_000_000_123_456_789, "base_link")


def test_stamps_survive_to_the_nanosecond() -> None:
    assert stamp_to_ns(STAMPED.stamp) == 1_700_000_000_123_456_789


def test_depth_keeps_nan_and_infinity() -> None:
    depth = np.array([[1.5, np.nan], [np.inf, 60.0], [2.0, 3.0]], dtype=np.float32)
    message = depth_image(depth, STAMPED)
    assert (message.height, message.width, message.step, message.encoding) == (3, 2, 8, "32FC1")
    np.testing.assert_array_equal(np.frombuffer(message.data, np.float32).reshape(3, 2), depth)


def test_colors_are_red_green_blue() -> None:
    message = color_image(np.array([[[255, 2, 1]]], dtype=np.uint8), STAMPED)
    assert (message.encoding, list(message.data)) == ("rgb8", [255, 2, 1])
    assert tuple(label_image(np.array([[4]], dtype=np.uint8), STAMPED).data) == CLASS_COLORS[4]


def test_camera_info_describes_a_rectified_pinhole() -> None:
    intrinsics = np.array([[100.0, 0, 44], [0, 110, 24], [0, 0, 1]])
    message = camera_info(intrinsics, 48, 88, STAMPED)
    assert (message.height, message.width, message.distortion_model) == (48, 88, "plumb_bob")
    np.testing.assert_array_equal(np.reshape(message.k, (3, 3)), intrinsics)
    np.testing.assert_array_equal(np.reshape(message.p, (3, 4))[:, :3], intrinsics)


def test_cloud_fields_lie_where_they_say() -> None:
    centers = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)
    ones = np.ones(2, np.float32)
    message = occupancy_cloud(centers, np.array([4, 16], np.uint8), 2 * ones, 0.5 * ones, STAMPED)
    assert [field.name for field in message.fields] == ["x", "y", "z", "rgb", "label", "density", "confidence"]
    assert {field.name: field.datatype for field in message.fields}["label"] == PointField.UINT16
    assert message.row_step == message.width * message.point_step == len(message.data)
    points = np.frombuffer(message.data, OCCUPANCY_POINT)
    assert points["label"].tolist() == [4, 16]
    assert points["y"].tolist() == [2.0, 5.0]
    red, green, blue = CLASS_COLORS[4]
    assert points["rgb"][0] == red << 16 | green << 8 | blue


def test_grid_is_flattened_with_z_fastest() -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 18
    message = semantic_grid(labels, np.full((2, 3, 4), 0.5, np.float32), (-1.0, -2.0, 0.0), 0.4, STAMPED)
    assert list(message.size) == [2, 3, 4]
    assert message.label[(1 * 3 + 2) * 4 + 3] == labels[1, 2, 3]
    assert set(message.confidence) == {128}
    assert message.class_names[4] == "car"
    assert message.class_names[17] == "free"
    assert len(message.class_colors) == 18


def test_markers_clear_first_and_keep_the_nearest() -> None:
    centers = np.array([[9.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]], dtype=np.float32)
    message = class_markers(centers, np.array([4, 4, 11], np.uint8), 0.4, 2, STAMPED)
    assert [marker.action for marker in message.markers] == [Marker.DELETEALL, Marker.ADD, Marker.ADD]
    assert sorted(point.x for marker in message.markers[1:] for point in marker.points) == [1.0, 2.0]


def test_heat_rises_with_the_score() -> None:
    colors = heat_colors(np.linspace(0, 1, 11, dtype=np.float32)).astype(int)
    assert (np.diff(colors.sum(axis=1)) > 0).all()
