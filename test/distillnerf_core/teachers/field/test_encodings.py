from collections.abc import Callable

import torch
from torch import Tensor

from distillnerf_core.teachers.field.densities import density_of_logit
from distillnerf_core.teachers.field.directions import CODE_WIDTH, encode_directions

Golden = Callable[[str], dict[str, Tensor]]


def test_density_and_its_gradient_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("activations")
    logit = values["x"].clone().requires_grad_()
    density = density_of_logit(logit)
    torch.testing.assert_close(density, values["trunc_exp_x_minus_1"], rtol=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(density.sum(), logit)
    torch.testing.assert_close(gradient, values["grad"], rtol=1e-6, atol=1e-6)


def test_gradient_of_the_density_is_bounded() -> None:
    logit = torch.tensor([0.0, 30.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(density_of_logit(logit).sum(), logit)
    torch.testing.assert_close(gradient, torch.tensor([-1.0, 15.0]).exp())


def test_codes_of_directions_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("activations")
    torch.testing.assert_close(encode_directions(values["dirs"]), values["dir_enc_sky"], rtol=1e-6, atol=2e-6)
    mapped = encode_directions(0.5 * (values["dirs"] + 1.0))
    torch.testing.assert_close(mapped, values["dir_enc_rgb"], rtol=1e-6, atol=2e-6)


def test_code_is_sines_and_cosines_of_octaves() -> None:
    direction = torch.tensor([0.6, -0.8, 0.1], dtype=torch.float64)
    code = encode_directions(direction)
    assert len(code) == CODE_WIDTH
    torch.testing.assert_close(code[3 + 6 : 3 + 9], (4.0 * direction).sin())
    torch.testing.assert_close(code[18 + 12 : 18 + 15], (16.0 * direction).cos())
