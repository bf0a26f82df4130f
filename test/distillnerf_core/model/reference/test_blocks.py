import pytest
import torch
from torch import Tensor

from distillnerf_core.model.reference.blocks import BottleneckBlock, instance_norm, leaky, nest_names


def normalised(x: Tensor) -> Tensor:
    mean = x.mean(dim=(2, 3), keepdim=True)
    return (x - mean) / ((x - mean).square().mean(dim=(2, 3), keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize(("channels_out", "stride"), [(4, 1), (6, 1), (4, 2)])
def test_a_block_adds_its_shortcut_to_three_convolutions(channels_out: int, stride: int) -> None:
    torch.manual_seed(0)
    block = BottleneckBlock(4, channels_out, stride).double()
    x = torch.randn(2, 4, 7, 9, dtype=torch.float64)
    hidden = normalised(torch.einsum("bchw,oc->bohw", x, block.reduce.weight[..., 0, 0])).relu()
    hidden = torch.nn.functional.conv2d(hidden, block.spatial.weight, stride=stride, padding=1)
    hidden = torch.einsum("bchw,oc->bohw", normalised(hidden).relu(), block.expand.weight[..., 0, 0])
    shortcut = x
    if block.shortcut is not None:
        skipped = x[:, :, ::stride, ::stride]
        shortcut = normalised(torch.einsum("bchw,oc->bohw", skipped, block.shortcut.weight[..., 0, 0]))
    assert (block.shortcut is None) == (channels_out == 4 and stride == 1)
    torch.testing.assert_close(block(x), (normalised(hidden) + shortcut).relu())


def test_a_block_leaves_its_input_alone_and_passes_gradients() -> None:
    torch.manual_seed(0)
    block = BottleneckBlock(2, 3, 2).double()
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    before = x.detach().clone()
    assert torch.autograd.gradcheck(block, (x,))
    torch.testing.assert_close(x.detach(), before, rtol=0.0, atol=0.0)


def test_normalisation_takes_each_sample_alone() -> None:
    x = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 7 + 2
    result = instance_norm(x)
    torch.testing.assert_close(result.mean(dim=(2, 3, 4)), torch.zeros(2, 3), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(result.square().mean(dim=(2, 3, 4)), torch.ones(2, 3), rtol=1e-4, atol=0.0)
    torch.testing.assert_close(instance_norm(x[1:]), result[1:])


def test_the_rectifier_leaks_a_fifth() -> None:
    torch.testing.assert_close(leaky(torch.tensor([-5.0, 0.0, 3.0])), torch.tensor([-1.0, 0.0, 3.0]))


def test_names_nest() -> None:
    assert nest_names(((r"a\.b", "c"),), r"x(\d)\.", r"y.\1.") == ((r"x(\d)\.a\.b", r"y.\1.c"),)
