"""The benchmark of the field measures what it says, and leaves out what a variant lacks."""

import math

import numpy as np
import pytest

from benchmarks.field_teacher import VARIANTS, depth_figures, mean_psnr, overlap, variant_config
from distillnerf_core.data.simulated_drive import SimulatedView
from distillnerf_core.teachers.field.views import FieldView


def test_variants_differ_in_what_they_lack() -> None:
    configs = {name: variant_config(name, 10, 8) for name in VARIANTS}
    assert configs["no_lidar"].lidar_rays == 0
    assert configs["no_moving"].field.moving == "none"
    assert configs["no_sky"] == configs["full"]  # the masks are not a part of the settings


def pair(found_m: list[float], true_m: list[float]) -> tuple[FieldView, SimulatedView]:
    found, true = np.array([found_m], dtype=np.float32), np.array([true_m], dtype=np.float32)
    rest, nothing = (np.zeros_like(found),) * 4, np.zeros(true.shape, dtype=bool)
    pixels = np.full((*found.shape, 3), 100, dtype=np.uint8)
    labels = nothing.astype(np.uint8)
    truth = SimulatedView(pixels + np.uint8(51), true, labels, labels.astype(np.int64), nothing)
    return FieldView(pixels, found, *rest), truth


def test_figures_are_those_of_all_pixels_below_80_m() -> None:
    pairs = [pair([11.0, 30.0, 5.0], [10.0, 20.0, math.inf]), pair([20.0, 1.0, 1.0], [20.0, 90.0, math.inf])]
    figures = depth_figures(pairs, "left_")
    assert figures["left_abs_rel"] == pytest.approx((0.1 + 0.5 + 0.0) / 3, rel=1e-5)
    assert figures["left_median_rel"] == pytest.approx(0.1, rel=1e-5)
    assert figures["left_delta1"] == pytest.approx(2 / 3)
    assert mean_psnr(pairs) == pytest.approx(-20.0 * math.log10(0.2))


def test_overlap_is_over_all_images() -> None:
    found = [np.array([True, True, False]), np.array([False, False, False])]
    true = [np.array([True, False, False]), np.array([True, False, False])]
    assert overlap(found, true) == pytest.approx(1 / 3)
