"""Predictors built around given weights, without drawing random ones first."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import ReferenceConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of parameters by their names."""


def build_predictor(config: ReferenceConfig, tensors: Mapping[str, Tensor]) -> ReferencePredictor:
    """Returns a predictor in evaluation mode whose parameters are the given tensors, not copies of them.

    Raises:
        RuntimeError: If they are not those of this variant.
    """
    predictor = empty_predictor(config)
    predictor.load_state_dict(dict(tensors), assign=True)
    return predictor.eval().requires_grad_(False)


def expected_shapes(config: ReferenceConfig) -> Shapes:
    """Returns the names and shapes of all parameters of a variant's predictor."""
    return {name: tuple(value.shape) for name, value in empty_predictor(config).named_parameters()}


def empty_predictor(config: ReferenceConfig) -> ReferencePredictor:
    """Returns a predictor whose parameters lie on the `meta` device, where they take neither memory nor time."""
    # PyTorch documents that such a hook may return a parameter; its annotation says None.
    hook = register_module_parameter_registration_hook(_without_memory)  # type: ignore[arg-type]
    try:
        return ReferencePredictor(config)
    finally:
        hook.remove()


def _without_memory(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
    return None if parameter is None else nn.Parameter(parameter.to("meta"), parameter.requires_grad)
