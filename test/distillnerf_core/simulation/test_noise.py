"""Patterns keep their averages under filtering."""

import torch

from distillnerf_core.simulation.noise import band, cell_noise, faded, pulse, value_noise


def test_pulse_is_filtered_exactly() -> None:
    x = torch.linspace(-3.0, 3.0, 601)
    sharp = pulse(x, 0.3, torch.full_like(x, 1e-4))
    assert torch.equal(sharp.round(), ((x - x.floor()) < 0.3).float()) or (sharp - sharp.round()).abs().mean() < 0.02
    whole = pulse(x, 0.3, torch.ones_like(x))
    torch.testing.assert_close(whole, torch.full_like(x, 0.3), atol=1e-4, rtol=0)


def test_band_covers_its_share_of_the_pixel() -> None:
    x = torch.tensor([0.0, 1.0, 2.0, 3.0])
    torch.testing.assert_close(band(x, 1.0, 2.0, torch.full_like(x, 0.5)), torch.tensor([0.0, 0.5, 0.5, 0.0]))


def test_noise_is_smooth_bounded_and_reproducible() -> None:
    x = torch.linspace(0.0, 20.0, 2001)
    noise = value_noise(x, 0.3 * x)
    assert torch.equal(noise, value_noise(x, 0.3 * x))
    assert noise.min() >= 0.0 and noise.max() <= 1.0
    assert (noise[1:] - noise[:-1]).abs().max() < 0.05
    assert abs(float(value_noise(x, -x, 0.7 * x).mean()) - 0.5) < 0.1


def test_cells_are_constant_inside() -> None:
    x = torch.tensor([0.1, 0.9, 1.1])
    values = cell_noise(x, torch.zeros(3))
    assert values[0] == values[1] != values[2]


def test_fine_noise_fades_to_its_mean() -> None:
    noise, feature = torch.tensor([0.9]), 0.1
    assert faded(noise, feature, torch.tensor([0.01])).item() == noise.item()
    assert faded(noise, feature, torch.tensor([1.0])).item() == 0.5
