import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.language.label_set import OCC3D_LABELS
from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.rerun_result import log_answer, log_result
from distillnerf_core.perception.rerun_scene import BASE, RerunScene, load_rerun
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.perception.surfaces import voxel_labels

NEEDED = "rerun-sdk (extra view) is not installed"
STAMP = 1_700_000_000_123_456_789


def read_chunks(path: Path) -> dict[str, list[Any]]:
    """Reads a recording back with rerun's own reader."""
    reader: Any = pytest.importorskip("rerun.chunk", reason=NEEDED)
    chunks: dict[str, list[Any]] = {}
    for chunk in reader.RrdReader(path).stream():
        chunks.setdefault(chunk.entity_path, []).append(chunk.to_record_batch())
    return chunks


def column(batches: list[Any], name: str) -> Any:
    """Values of the first row that has a component whose name ends so."""
    for batch in batches:
        for field in batch.schema.names:
            if field.endswith(name):
                return batch.column(field)[0].as_py()
    raise AssertionError(f"{name} not in {[batch.schema.names for batch in batches]}")


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ConfigurationError, match=r"rerun is missing: .* -m pip install rerun-sdk"):
        load_rerun()


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason=NEEDED)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        RerunScene().save(tmp_path / "file" / "a.rrd")


def test_a_perceived_frame_is_read_back(result: PerceptionResult, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason=NEEDED)
    assert result.occupancy is not None
    path = tmp_path / "new" / "a.rrd"
    centers = result.occupancy.occupied.centers_m(result.occupancy.grid)
    scores = torch.linspace(0, 1, len(centers))[None]
    count = (scores >= 0.4).sum(dim=1)
    answer = QueryResult(("oak tree",), 0.4, centers, scores, scores.amax(dim=1), count, ())
    pose = np.eye(4)
    pose[:3, 3] = (7.0, 8.0, 9.0)
    scene = RerunScene("points")
    scene.save(path)
    scene.arrange(result.frame.rig.names, answer.texts)
    log_result(scene, result, pose)
    log_answer(scene, result, answer)
    scene.close()

    chunks = read_chunks(path)
    cameras = {name for name in result.frame.rig.names if f"/{BASE}/{name}/depth" in chunks}
    assert cameras == {"CAM_FRONT", "CAM_BACK"}
    voxels = chunks[f"/{BASE}/occupancy"]
    np.testing.assert_allclose(column(voxels, "positions"), centers.numpy(), atol=1e-5)
    red = OCC3D_LABELS.palette()[voxel_labels(result.occupancy).numpy()][:, 0]
    np.testing.assert_array_equal(np.array(column(voxels, "colors")) >> 24, red)
    assert len(column(chunks[f"/{BASE}/query/oak\\ tree"], "positions")) == int(count[0])
    np.testing.assert_allclose(column(chunks[f"/{BASE}"], "translation"), [[7.0, 8.0, 9.0]])
    stamps = {batch.column("stamp")[0].value for batch in voxels if "stamp" in batch.schema.names}
    assert stamps == {result.stamp_ns}


def test_depth_without_a_value_is_left_out_and_boxes_have_the_edge(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason=NEEDED)
    scene = RerunScene("boxes")
    scene.save(tmp_path / "a.rrd")
    scene.set_time(STAMP)
    depth = np.array([[1.5, np.nan], [np.inf, 4.0]], dtype=np.float32)
    scene.log_depth("CAM", depth, np.eye(3))
    scene.log_voxels(np.array([[1.0, 2.0, 3.0]]), np.array([[255, 0, 0]], dtype=np.uint8), edge_m=0.4)
    scene.close()
    chunks = read_chunks(tmp_path / "a.rrd")
    stored = np.array(column(chunks[f"/{BASE}/CAM/depth"], "buffer")[0], dtype=np.uint8).view(np.float32)
    assert stored.tolist() == [1.5, 0.0, 0.0, 4.0]
    np.testing.assert_allclose(column(chunks[f"/{BASE}/occupancy"], "half_sizes"), [[0.2, 0.2, 0.2]])
