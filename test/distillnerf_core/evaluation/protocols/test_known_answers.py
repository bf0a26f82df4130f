"""The truth gets perfect scores from every protocol, and known errors the scores that follow from them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from plane_drive import ROAD, Omniscient, PlaneDrive, plane_occupancy

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.occupancy_truth import Occ3dFolder
from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.evaluation.protocols.base import EvaluationProtocol, Glance
from distillnerf_core.evaluation.protocols.depth import LidarDepthProtocol
from distillnerf_core.evaluation.protocols.features import FeatureProtocol
from distillnerf_core.evaluation.protocols.novel_view import NovelView
from distillnerf_core.evaluation.protocols.occupancy import OccupancyProtocol, ray_origins
from distillnerf_core.evaluation.protocols.query import QueryProtocol
from distillnerf_core.evaluation.protocols.reconstruction import Reconstruction
from distillnerf_core.evaluation.running import run_protocol
from distillnerf_core.evaluation.samples import choose_samples

ROUNDING_DB = -10 * math.log10(1 / 12 / 255**2)
"""PSNR of images that differ by nothing but being rounded to bytes: 58.9 dB."""
DRIVE = PlaneDrive()


class ConstantTargets:
    """Everything is road."""

    description, normalised = "road everywhere", False

    def read(self, drive: Drive, image: DriveImage, height: int, width: int) -> torch.Tensor:
        features = torch.zeros(18, height, width)
        features[ROAD] = 1.0
        return features


@pytest.fixture(scope="module")
def occ3d(tmp_path_factory: pytest.TempPathFactory) -> Occ3dFolder:
    path = tmp_path_factory.mktemp("gts")
    labels = plane_occupancy().numpy()
    mask = np.zeros_like(labels)
    mask[100:140, 80:120] = 1
    for sweep in DRIVE.key_sweeps:
        folder = path / DRIVE.name / DRIVE.sample_token(sweep)
        folder.mkdir(parents=True)
        np.savez_compressed(folder / "labels.npz", semantics=labels, mask_camera=mask, mask_lidar=mask)
    return Occ3dFolder(path)


def figures(protocol: EvaluationProtocol, drive: PlaneDrive = DRIVE) -> dict[str, float]:
    assert isinstance(protocol, EvaluationProtocol)
    found = run_protocol(protocol, choose_samples([drive], "second"))
    return {figure.name: figure.value for figure in found.figures}


def glance(**errors: float) -> Glance:
    return Glance(Omniscient(DRIVE, **errors))  # type: ignore[arg-type]


def test_true_colours_lose_nothing_but_rounding() -> None:
    row = figures(Reconstruction(glance()))
    assert row["psnr_db"] == pytest.approx(ROUNDING_DB, abs=0.3) and row["ssim"] > 0.999


def test_true_views_of_the_neighbours_lose_nothing_but_rounding() -> None:
    """Which they would if the pose of either key-frame or the time of an exposure were wrong."""
    row = figures(NovelView(glance()))
    assert row["next_psnr_db"] == pytest.approx(ROUNDING_DB, abs=0.3)
    assert row["previous_psnr_db"] == pytest.approx(ROUNDING_DB, abs=0.3)


@pytest.mark.parametrize(("brighter", "psnr_db"), [(0.1, 20.0), (0.01, 40.0)])
def test_colours_too_bright_have_the_psnr_of_the_difference(brighter: float, psnr_db: float) -> None:
    assert figures(Reconstruction(glance(brighter=brighter)))["psnr_db"] == pytest.approx(psnr_db, abs=0.1)


def test_only_the_clamped_psnr_forgives_colours_above_one() -> None:
    row = figures(Reconstruction(glance(brighter=2.0)))
    assert row["psnr_db"] == pytest.approx(-10 * math.log10(4.0), abs=0.01)
    assert row["psnr_clamped_db"] > row["psnr_db"] + 5


def test_a_drive_end_has_one_neighbour() -> None:
    found = NovelView(glance()).measure(DRIVE, 0).figures
    assert "next_psnr_db" in found and "previous_psnr_db" not in found
    with pytest.raises(DataError, match="single key-frame"):
        NovelView(glance()).measure(PlaneDrive(sweeps=1), 0)


@pytest.mark.parametrize("factor", [1.0, 1.1, 0.9])
def test_depth_errors_follow_from_the_factor_without_scaling(factor: float) -> None:
    # One camera: where two overlap, pixels hold points that are off their centres.
    drive = PlaneDrive(missing=((2, "left"),))
    row = figures(LidarDepthProtocol(glance(farther=factor)), drive)
    for kind in ("z", "median_z", "ray"):
        assert row[f"{kind}_abs_rel"] == pytest.approx(abs(factor - 1), abs=1e-4)
        assert row[f"{kind}_rmse_log"] == pytest.approx(abs(math.log(factor)), abs=1e-4)
        assert row[f"{kind}_delta1"] == 1.0
    assert row["pixels"] == 224
    if factor != 1.0:  # in metres the kinds differ, as distances are longer than z-depths
        assert row["ray_rmse"] > 1.01 * row["z_rmse"]


def test_true_occupancy_is_perfect(occ3d: Occ3dFolder) -> None:
    row = figures(OccupancyProtocol(glance(), occ3d))
    names = ("camera_miou_17", "camera_miou_15", "camera_iou", "all_miou_17", "all_iou", "ray_iou", "ray_iou_4m")
    assert [row[name] for name in names] == [1.0] * len(names)
    assert row["camera_iou_driveable_surface"] == 1.0 and math.isnan(row["camera_iou_car"])


def test_a_road_one_voxel_too_high_has_no_voxel_in_common_but_rays_forgive_it(occ3d: Occ3dFolder) -> None:
    row = figures(OccupancyProtocol(glance(lifted=1), occ3d))
    assert row["camera_miou_17"] == row["all_iou"] == 0.0
    assert 0.0 < row["ray_iou_1m"] < row["ray_iou_2m"] < row["ray_iou_4m"] < 1.0


def test_rays_begin_where_the_lidar_was(occ3d: Occ3dFolder) -> None:
    origins = ray_origins(DRIVE, 2, DRIVE.sweep_stamps_ns[2])
    assert len(origins) == len(DRIVE.key_sweeps)
    np.testing.assert_allclose(origins[1], (1.0, 0.0, 1.8), atol=1e-6)
    assert 3.5 < float(origins[2, 0] - origins[1, 0]) < 4.1  # 8 m/s for half a second


def test_features_too_large_have_the_psnr_of_the_difference() -> None:
    assert figures(FeatureProtocol(glance(), ConstantTargets()))["psnr_db"] == math.inf
    row = figures(FeatureProtocol(glance(feature_error=0.1), ConstantTargets()))
    assert row["psnr_db"] == pytest.approx(20.0, abs=1e-3) and row["known"] == 1.0


def test_a_word_is_found_by_its_voxels(occ3d: Occ3dFolder) -> None:
    words = {"asphalt road": "driveable_surface", "sofa": "driveable_surface", "automobile": "car"}
    row = figures(QueryProtocol(glance(), occ3d, words))
    assert row["ap asphalt road"] == 1.0
    assert row["ap sofa"] == pytest.approx(row["frequency sofa"]) == pytest.approx(1 / 16)
    assert "ap automobile" not in row  # nobody drives there
    assert row["mean_ap"] == pytest.approx((1 + 1 / 16) / 2)


@pytest.mark.parametrize("protocol", [Reconstruction, NovelView])
def test_a_network_without_colour_is_refused_by_name(protocol: type[Reconstruction]) -> None:
    with pytest.raises(CheckpointError, match=r"omniscient cannot be evaluated on .*not colour"):
        figures(protocol(glance(color=False)))


def test_samples_are_the_second_key_frame_or_all() -> None:
    assert [sample.sweep for sample in choose_samples([DRIVE, DRIVE], "second")] == [2, 2]
    assert [sample.sweep for sample in choose_samples([DRIVE], "all")] == [0, 2, 4, 6]
    with pytest.raises(DataError, match="no second one"):
        choose_samples([PlaneDrive(sweeps=1)], "second")
    with pytest.raises(DataError, match="no key-frame"):
        choose_samples([], "all")


def test_pictures_are_drawn_of_the_first_samples_only(occ3d: Occ3dFolder) -> None:
    protocols: list[EvaluationProtocol] = [
        Reconstruction(glance()),
        NovelView(glance()),
        LidarDepthProtocol(glance()),
        OccupancyProtocol(glance(), occ3d, rays=False),
        FeatureProtocol(glance(), ConstantTargets()),
        QueryProtocol(glance(), occ3d, {"road": "driveable_surface"}),
    ]
    samples = choose_samples([DRIVE], "all")[1:3]
    for protocol in protocols:
        found = run_protocol(protocol, samples, pictured=1)
        assert found.pictures and all(name.startswith("scene-plane_0002_") for name in found.pictures)
        assert all(picture.dtype == np.uint8 and picture.std() > 5 for picture in found.pictures.values())
        assert len(found.rows) == 2


def test_statements_name_what_decides(occ3d: Occ3dFolder, tmp_path: Path) -> None:
    occupancy = " ".join(OccupancyProtocol(glance(), occ3d).statements)
    assert all(
        word in occupancy for word in ("0.4 m", "camera mask", "over 15 without", "1, 2 or 4 m", "no camera mask")
    )
    assert "below 80 m" in " ".join(LidarDepthProtocol(glance()).statements)
    assert "not clamped" in " ".join(Reconstruction(glance()).statements)
