"""The benchmark of the field measures what it says, and leaves out what a variant lacks."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.field_teacher import (
    VARIANTS,
    build_table,
    depth_figures,
    mean_psnr,
    overlap,
    run,
    simulated_drive,
    variant_config,
)
from benchmarks.held_out import PartialDrive
from distillnerf_core.data.simulated_drive import SimulatedView
from distillnerf_core.teachers.field.views import FieldView


def test_variants_differ_in_what_they_lack() -> None:
    configs = {name: variant_config(name, 10, 8) for name in VARIANTS}
    assert configs["no_lidar"].lidar_rays == 0
    assert configs["no_moving"].field.moving == "none"
    assert configs["no_sky"] == configs["fusion"] == configs["full"]  # the masks are not a part of the settings


def pair(found_m: list[float], true_m: list[float]) -> tuple[FieldView, SimulatedView]:
    found, true = np.array([found_m], dtype=np.float32), np.array([true_m], dtype=np.float32)
    rest, nothing = (np.zeros_like(found),) * 4, np.zeros(true.shape, dtype=bool)
    pixels = np.full((*found.shape, 3), 100, dtype=np.uint8)
    labels = nothing.astype(np.uint8)
    truth = SimulatedView(pixels + np.uint8(51), true, labels, labels.astype(np.int64), nothing)
    return FieldView(pixels, found, *rest), truth


def test_figures_are_those_of_all_pixels_below_80_m() -> None:
    pairs = [pair([11.0, 30.0, 5.0], [10.0, 20.0, math.inf]), pair([20.0, 1.0, 1.0], [20.0, 90.0, math.inf])]
    figures = depth_figures([(view.distance_m, true) for view, true in pairs], "left_")
    assert figures["left_abs_rel"] == pytest.approx((0.1 + 0.5 + 0.0) / 3, rel=1e-5)
    assert figures["left_median_rel"] == pytest.approx(0.1, rel=1e-5)
    assert figures["left_delta1"] == pytest.approx(2 / 3)
    assert figures["left_coverage"] == 1.0
    assert mean_psnr(pairs) == pytest.approx(-20.0 * math.log10(0.2))


def test_overlap_is_over_all_images() -> None:
    found = [np.array([True, True, False]), np.array([False, False, False])]
    true = [np.array([True, False, False]), np.array([True, False, False])]
    assert overlap(found, true) == pytest.approx(1 / 3)


def test_figures_leave_out_what_a_teacher_does_not_claim() -> None:
    view, true = pair([math.nan, 30.0, 5.0], [10.0, 20.0, math.inf])
    figures = depth_figures([(view.distance_m, true)], "")
    assert figures["abs_rel"] == pytest.approx(0.5)
    assert figures["coverage"] == 0.5


def test_fusion_lacks_the_lidar_of_held_out_sweeps() -> None:
    drive = simulated_drive(2, 0.5, 12.0, 24, 40)
    figures = run(drive, "fusion", variant_config("fusion", 10, 8), Path("unused"))
    assert 0.0 < figures["abs_rel"] < 0.2
    assert figures["coverage"] > 0.8
    assert figures["left_psnr"] > 15.0


def test_partial_drive_numbers_the_revolutions_that_are_left() -> None:
    drive = simulated_drive(2, 1.0, 5.0, 24, 40)
    part = PartialDrive(drive, (1, 4))
    assert part.scan_stamps_ns == (drive.scan_stamps_ns[1], drive.scan_stamps_ns[4])
    np.testing.assert_array_equal(part.read_scan(1).points_m, drive.read_scan(4).points_m)


def test_table_has_the_means_of_streets_and_gaps() -> None:
    table = build_table(
        {"full": [{"psnr": 20.0, "abs_rel": 0.1}, {"psnr": 22.0, "abs_rel": 0.3}], "fusion": [{"abs_rel": 0.4}]}
    )
    cells = [list(column.cells) for column in table.columns]
    assert cells == [["psnr", "abs_rel"], ["21.000", "0.200"], ["", "0.400"]]
