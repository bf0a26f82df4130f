import torch

from distillnerf_core.model.tensor_shapes import shape_problems


def test_missing_unexpected_and_misshapen_tensors_are_listed_in_order() -> None:
    expected = {"a": torch.ones(2, 3), "b": torch.ones(2, device="meta"), "c": torch.ones(())}
    found = {"a": torch.ones(3, 2), "b": torch.zeros(2), "d": torch.ones(1)}
    assert shape_problems(expected, found) == ["a has shape (3, 2), expected (2, 3)", "missing c", "unexpected d"]
    assert shape_problems(expected, expected) == []
