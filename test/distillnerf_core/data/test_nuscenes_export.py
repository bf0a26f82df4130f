import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from nuscenes_download import PHASES_US, SPEED_M_S, START_US, write_download
from typer.testing import CliRunner

from distillnerf_core.cli.bag import app
from distillnerf_core.data.nuscenes_export import export_scene
from distillnerf_core.data.nuscenes_tables import NuScenesTables, read_rows
from distillnerf_core.errors import BagError, DataError
from distillnerf_core.streams.bag_frames import frames_from_bag
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_summary import summarise_bag


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nuscenes")
    write_download(root)
    return root


def change(root: Path, table: str, **values: object) -> None:
    path = root / "v1.0-mini" / f"{table}.json"
    rows = json.loads(path.read_text())
    rows[0].update(values)
    path.write_text(json.dumps(rows))


def test_a_scene_becomes_a_bag_with_every_sweep_at_its_own_time(download: Path, tmp_path: Path) -> None:
    bag = tmp_path / "scene.mcap"
    done = export_scene(download, bag, "scene-0061")
    assert (done.images, done.clouds, done.missing) == (4 * 6 * 6, 4 * 10, ())
    summary = summarise_bag(bag)
    assert summary.problems == ()
    assert summary.layout == "nuscenes_upper"
    assert summary.topics["/CAM_FRONT/image_rect_compressed"].rate_hz == pytest.approx(12.0, abs=0.1)
    assert ("map", "base_link") in summary.transforms
    assert ("base_link", "RADAR_FRONT") in summary.transforms
    frames = list(frames_from_bag(bag, 18, 32))
    assert len(frames) == 24
    for step, frame in enumerate(frames):
        assert frame.camera_mask.all()
        assert frame.motion_compensated
        for index, name in enumerate(frame.rig.names):
            stamp = START_US + PHASES_US[name] + 500_000 * (step // 6) + round(step % 6 * 1e6 / 12)
            assert frame.camera_stamps_ns[index] == stamp * 1000
            later = (stamp * 1000 - frame.stamp_ns) * 1e-9
            place = list(PHASES_US).index(name)
            x = 1.0 + 0.1 * place + SPEED_M_S * later
            assert frame.rig.camera_to_ego[index, 0, 3] == pytest.approx(x, abs=1e-4)
            turn = np.array([[np.cos(0.3 * place), -np.sin(0.3 * place)], [np.sin(0.3 * place), np.cos(0.3 * place)]])
            np.testing.assert_allclose(frame.rig.camera_to_ego[index, :2, :2], turn, atol=1e-6)
            assert float(frame.images[index].mean()) * 255 == pytest.approx(20 * place, abs=1.5)
        np.testing.assert_allclose(frame.rig.intrinsics[0], [[20.0, 0.0, 16.0], [0.0, 20.0, 9.0], [0.0, 0.0, 1.0]])


def test_key_frames_alone_keep_the_dense_poses(download: Path, tmp_path: Path) -> None:
    bag = tmp_path / "scene.mcap"
    done = export_scene(download, bag, "scene-0103", sweeps=False)
    assert (done.images, done.clouds) == (24, 4)
    assert done.poses > 150
    assert len(list(frames_from_bag(bag, 18, 32))) == 4
    with BagReader(bag) as reader:
        cloud = next(iter(reader.messages(["/LIDAR_TOP"]))).message
    expected = np.arange(50, dtype="<f4").reshape(-1, 5)[:, :4]
    np.testing.assert_array_equal(np.frombuffer(bytes(cloud.data), "<f4").reshape(-1, 4), expected)


def test_the_command_reports_missing_files(tmp_path: Path) -> None:
    root, bag = tmp_path / "nuscenes", tmp_path / "scene.mcap"
    write_download(root, ("scene-0061",), glances=2)
    gone = sorted((root / "sweeps" / "CAM_BACK").glob("*.jpg"))[:3]
    for path in gone:
        path.unlink()
    arguments = ["from-nuscenes", str(root), str(bag), "--scene", "scene-0061", "--sweeps", "--version", "v1.0-mini"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "69 images" in result.output
    assert f"3 files are missing, the first is {gone[0]}" in result.output
    assert export_scene(root, bag, "scene-0061", overwrite=True).missing == tuple(gone)
    with pytest.raises(BagError, match="exists already"):
        export_scene(root, bag, "scene-0061")


def test_what_is_missing_is_named_with_what_there_is(download: Path, tmp_path: Path) -> None:
    bag = tmp_path / "scene.mcap"
    with pytest.raises(DataError, match=r"v1\.0-trainval has no scene\.json; versions in .*: v1\.0-mini"):
        export_scene(download, bag, "scene-0061", version="v1.0-trainval")
    with pytest.raises(DataError, match=r"versions in .*: none"):
        export_scene(tmp_path / "nowhere", bag, "scene-0061")
    with pytest.raises(DataError, match="no scene-1; it has scene-0061, scene-0103"):
        export_scene(download, bag, "scene-1")
    assert not bag.exists()


def test_a_download_without_images_is_an_error(tmp_path: Path) -> None:
    write_download(tmp_path, ("scene-0061",), glances=1)
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="no image of scene-0061"):
        export_scene(tmp_path, tmp_path / "scene.mcap", "scene-0061")


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("sample_data", {"filename": "../../etc/passwd"}, "leads out of"),
        ("sample_data", {"calibrated_sensor_token": "none"}, "sample_data"),
        ("ego_pose", {"rotation": [0, 0, 0, 0]}, "no rotation"),
        ("ego_pose", {"translation": [1, 2]}, "cannot use the row"),
        ("calibrated_sensor", {"camera_intrinsic": [[1, 2]]}, "calibrated_sensor"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, table: str, values: dict[str, object], words: str) -> None:
    write_download(tmp_path, ("scene-0061",), glances=1)
    change(tmp_path, table, **values)
    with pytest.raises(DataError, match=words):
        export_scene(tmp_path, tmp_path / "scene.mcap", "scene-0061")


@pytest.mark.parametrize("content", ["", "{}", "[", '[{"token": 1}', "[" * 100_000, '[{"token": "a", "x":', "\xff"])
def test_damaged_tables_are_named(tmp_path: Path, content: str) -> None:
    write_download(tmp_path, ("scene-0061",), glances=1)
    path = tmp_path / "v1.0-mini" / "sample_data.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=r"sample_data\.json"):
        NuScenesTables(tmp_path, "v1.0-mini").readings("scene-0061")


def test_a_large_table_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "sample_data.json"
    row = {"token": "x" * 32, "nested": {"text": 'a ] } " , [ {', "numbers": [1, 2.5, None]}, "padding": "y" * 900}
    path.write_text("[\n" + ",\n".join([json.dumps(row)] * 12_000) + "\n]\n")
    tracemalloc.start()
    try:
        count = sum(entry == row for entry in read_rows(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 12_000
    assert peak < 60_000_000


def test_the_real_tables_of_scenes_are_read(shared_dir: Path) -> None:
    rows = list(read_rows(shared_dir / "data" / "nuscenes_meta" / "scene_trainval.json"))
    assert rows == json.loads((shared_dir / "data" / "nuscenes_meta" / "scene_trainval.json").read_text())
