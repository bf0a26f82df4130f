from pathlib import Path

import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.layouts import (
    PRESETS,
    CameraTopics,
    Layout,
    camera_frames,
    detect_layout,
    load_layout,
    require_layout,
)
from distillnerf_core.streams.synchroniser import CameraSynchroniser, SynchroniserConfig

COMPRESSED, RAW = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"


def types_of(layout: Layout) -> dict[str, str]:
    return {camera.image_topic: COMPRESSED for camera in layout.cameras}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_recognises_its_own_topics_and_runs(name: str) -> None:
    layout = load_layout(name)
    assert layout.name == name
    assert detect_layout(types_of(layout)) == layout
    CameraSynchroniser(layout.names, layout.synchroniser_config(SynchroniserConfig()))


def test_a_rig_with_two_silent_cameras_is_still_recognised() -> None:
    types = dict(list(types_of(load_layout("nuscenes_lower")).items())[:4])
    found = detect_layout(types)
    assert found is not None
    assert found.name == "nuscenes_lower"


def test_topics_of_other_types_do_not_count() -> None:
    types = dict.fromkeys(types_of(load_layout("nuscenes_upper")), "std_msgs/msg/String")
    assert detect_layout(types) is None


def test_unknown_camera_names_are_taken_from_the_topics() -> None:
    found = require_layout("auto", {f"/CAMERA_0{n}/image_rect_compressed": COMPRESSED for n in (5, 1)})
    assert found.names == ("CAMERA_01", "CAMERA_05")
    assert found.cameras[0].info_topic == "/CAMERA_01/camera_info"
    assert found.synchroniser_config(SynchroniserConfig()).min_cameras == 2


def test_nothing_recognised_lists_the_image_topics() -> None:
    with pytest.raises(ConfigurationError, match="/stereo/left"):
        require_layout("auto", {"/stereo/left": RAW, "/tf": "tf2_msgs/msg/TFMessage"})


def test_a_copied_preset_is_a_layout(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("cameras:\n  - {name: left, image_topic: /left/image}\nrectified: false\n")
    layout = require_layout(str(path), {})
    assert (layout.names, layout.rectified) == (("left",), False)
    path.write_text("cameras: []\nlens: wide\n")
    with pytest.raises(ConfigurationError, match="lens"):
        load_layout(str(path))


def test_unknown_presets_are_refused_with_the_names() -> None:
    with pytest.raises(ConfigurationError, match="nuscenes_upper"):
        load_layout("nuscenes")


def test_custom_says_which_file_to_copy() -> None:
    with pytest.raises(ConfigurationError, match=r"copy (\S+\.yaml).* path as the preset") as info:
        load_layout("custom")
    assert load_layout(str(info.value).split("copy ")[1].split(", ")[0]).name == "nuscenes_upper"


@pytest.mark.parametrize(
    ("camera", "named"),
    [
        ("name: front-left, image_topic: /left", "camera name 'front-left'"),
        ("name: '2nd', image_topic: /left", "camera name '2nd'"),
        ("name: größe, image_topic: /left", "camera name 'größe'"),
        ("name: '', image_topic: /left", "camera name ''"),
        ("name: left, image_topic: /left image", "camera left, image_topic '/left image'"),
        ("name: left, image_topic: ''", "camera left, image_topic ''"),
        ("name: left, image_topic: /left/", "camera left, image_topic '/left/'"),
        ("name: left, image_topic: /left, info_topic: /a//b", "camera left, info_topic '/a//b'"),
        ("name: left, image_topic: /left, info_topic: /1/info", "camera left, info_topic '/1/info'"),
    ],
)
def test_names_that_ros_refuses_are_refused_with_file_and_camera(tmp_path: Path, camera: str, named: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"cameras:\n  - {{{camera}}}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"letters, digits and _ are allowed") as info:
        load_layout(str(path))
    assert str(path) in str(info.value)
    assert named in str(info.value)


@pytest.mark.parametrize("topic", ["~/left/image", "left/image", "/a/b__c/_d2"])
def test_all_topic_names_of_ros_are_taken(topic: str) -> None:
    assert rig_of(topic).topics() == (topic,)


def test_topics_with_names_that_ros_refuses_are_not_recognised() -> None:
    assert detect_layout({"/front-left/image_rect_compressed": COMPRESSED}) is None


def test_values_of_the_user_win_over_the_preset() -> None:
    layout = load_layout("nuscenes_upper")
    config = layout.synchroniser_config(SynchroniserConfig(reference="CAM_BACK", phases_ms={"CAM_BACK": 3.0}))
    assert config.reference == "CAM_BACK"
    assert config.phases_ms == {"CAM_BACK": 3.0}


def rig_of(*topics: str, rectified: bool | None = None) -> Layout:
    items = [CameraTopics(name=f"camera{index}", image_topic=topic) for index, topic in enumerate(topics)]
    return Layout(cameras=tuple(items), rectified=rectified)


def test_topic_names_say_which_images_are_rectified() -> None:
    topics = ("/a/image_rect", "/b/image_rect_color/compressed", "/c/image_rect_compressed", "/rectified/image")
    assert all(rig_of(*topics).rectified_cameras("auto").values())
    raw = ("/a/image_raw", "/direct/image", "/rectangle/image", "/b/image_raw/compressed", "/correct/image")
    assert not any(rig_of(*raw).rectified_cameras("auto").values())


def test_the_layout_wins_over_topic_names_and_the_user_over_both() -> None:
    assert rig_of("/a/image_raw", rectified=True).rectified_cameras("auto") == {"camera0": True}
    assert rig_of("/a/image_rect", rectified=False).rectified_cameras("off") == {"camera0": False}
    assert rig_of("/a/image_rect", rectified=True).rectified_cameras("on") == {"camera0": False}


def test_some_cameras_of_a_layout_are_a_layout() -> None:
    layout = load_layout("nuscenes_upper").select(("CAM_BACK", "CAM_FRONT_LEFT"))
    assert layout.names == ("CAM_FRONT_LEFT", "CAM_BACK")
    assert layout.phases_ms == {"CAM_FRONT_LEFT": 0.0, "CAM_BACK": 32.7}
    assert layout.reference == ""
    assert layout.select(()) is layout
    config = layout.synchroniser_config(SynchroniserConfig())
    assert (config.reference, config.min_cameras) == ("front", 2)
    with pytest.raises(ConfigurationError, match=r"no camera CAM_TOP; it has CAM_FRONT_LEFT, CAM_BACK"):
        layout.select(("CAM_TOP",))


def test_the_reference_of_a_layout_is_its_front() -> None:
    assert load_layout("autoware").synchroniser_config(SynchroniserConfig()).reference == "camera0"


def test_frames_of_cameras_can_be_overridden() -> None:
    layout = load_layout("nuscenes_upper")
    frames = camera_frames(layout, {"CAM_BACK": "rear_optical"})
    assert frames["CAM_BACK"] == "rear_optical"
    assert frames["CAM_FRONT"] == "CAM_FRONT"
    with pytest.raises(ConfigurationError, match="CAM_REAR"):
        camera_frames(layout, {"CAM_REAR": "rear_optical"})
