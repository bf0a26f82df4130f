import torch

from distillnerf_core.voxels.segments import gather_sorted

SEGMENTS = torch.tensor([0, 0, 2, 2, 2, 5])


def test_every_member_receives_the_row_of_its_segment() -> None:
    table = torch.arange(12.0).view(6, 2)
    assert torch.equal(gather_sorted(table, SEGMENTS), table[SEGMENTS])


def test_gradient_of_gathering() -> None:
    table = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: gather_sorted(value, SEGMENTS), (table,))


def test_gathering_nothing() -> None:
    table = torch.randn(3, 2, requires_grad=True)
    torch.autograd.backward(gather_sorted(table, SEGMENTS[:0]).sum())
    assert torch.equal(table.grad, torch.zeros(3, 2))  # type: ignore[arg-type]
