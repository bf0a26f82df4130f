"""Cameras differ in exposure, darken their corners and are noisy, reproducibly."""

import numpy as np

from distillnerf_core.simulation.camera_effects import CameraEffects

GREY = np.full((60, 80, 3), 100, dtype=np.uint8)


def test_without_effects_images_stay() -> None:
    assert CameraEffects().apply(GREY, 1, 2, 3) is GREY


def test_exposures_differ_between_cameras_but_not_in_time() -> None:
    effects = CameraEffects(exposure_stops=0.3)
    factors = [effects.exposure(5, camera) for camera in range(6)]
    assert len({round(factor, 6) for factor in factors}) == 6
    for camera in range(6):
        first, second = (effects.apply(GREY, 5, camera, stamp) for stamp in (0, 10**9))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, min(255.0, 100 * factors[camera]), atol=0.51)
    many = np.log2([effects.exposure(seed, 0) for seed in range(400)])
    assert abs(many.mean()) < 0.05 and abs(many.std() - 0.3) < 0.04


def test_corners_lose_their_share() -> None:
    seen = CameraEffects(vignetting=0.4).apply(GREY, 0, 0, 0)
    assert abs(int(seen[0, 0, 0]) - 60) <= 2 and abs(int(seen[30, 40, 0]) - 100) <= 1


def test_noise_follows_the_root_of_the_signal_and_repeats() -> None:
    effects = CameraEffects(noise=0.1)
    for level in (40, 160):
        flat = np.full((100, 100, 3), level, dtype=np.uint8)
        noisy = effects.apply(flat, 3, 1, 77)
        np.testing.assert_array_equal(noisy, effects.apply(flat, 3, 1, 77))
        assert not np.array_equal(noisy, effects.apply(flat, 3, 1, 78))
        assert abs(noisy.mean() - level) < 1.0
        assert abs(noisy.std() / 255 - 0.1 * np.sqrt(level / 255)) < 0.003
