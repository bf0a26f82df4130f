"""Whether tensors are those of a module."""

from collections.abc import Mapping

from torch import Tensor


def shape_problems(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Compares names and shapes.

    Args:
        expected: What a module's state dict holds; may be on the `meta` device.
        found: What a file holds.

    Returns:
        One line for each tensor that is missing, unexpected or of another shape, sorted; none if all fit.
    """
    problems = [f"missing {name}" for name in expected.keys() - found.keys()]
    problems += [f"unexpected {name}" for name in found.keys() - expected.keys()]
    problems += [
        f"{name} has shape {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if found[name].shape != expected[name].shape
    ]
    return sorted(problems)
