"""From a published state dict to the parameters of our modules, with nothing left unaccounted for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.reference.building import Shapes, build_predictor, expected_shapes
from distillnerf_core.model.reference.names import OUR_PRIOR_PREFIX, NameMap, reference_names, strip_wrappers
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.recognition import fitting_variants, read_traits
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig

AUTO = "auto"
_ASKED = "asked for"
_REPLACED = "depth prior: replaced by another"


@dataclass(frozen=True)
class ConvertedWeights:
    """A checkpoint in our names.

    Attributes:
        variant: Name of the variant that it was converted for.
        fitting: Variants whose shapes and image size are those of the checkpoint.
        tensors: Every parameter of the variant's predictor, 32-bit floats.
        ignored: Official names that were not taken, and why.
    """

    variant: str
    fitting: tuple[str, ...]
    tensors: dict[str, Tensor]
    ignored: dict[str, str]

    def reasons(self) -> dict[str, int]:
        """Returns how many tensors were ignored for each reason."""
        return dict(Counter(self.ignored.values()))


@dataclass
class _Sorted:
    """State of one conversion: what was taken, what was not, and what is wrong."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Returns one line for each problem."""
        return [
            *(f"missing: {name}" for name in self.missing),
            *(f"mismatched: {text}" for text in self.mismatched),
            *(f"unexpected: {key}" for key in self.unexpected),
        ]


def convert_state_dict(
    state_dict: Mapping[str, Tensor],
    variant: str = AUTO,
    shapes: Shapes | None = None,
    drop: Sequence[str] = (),
    source: str = "state dict",
    prior: Mapping[str, Tensor] | None = None,
) -> ConvertedWeights:
    """Renames the tensors of a published checkpoint.

    Args:
        state_dict: Official names, with or without the prefixes `model.` and `module.`.
        variant: Name of a variant, or `auto` to tell it from the shapes. Weights may be converted for another variant
            whose parameters have the same shapes, such as those of nuScenes for Waymo.
        shapes: Names and shapes of our parameters; default: those of the variant's `ReferencePredictor`.
        drop: Beginnings of official names to ignore as well.
        source: What to call the checkpoint in errors.
        prior: Tensors of a `DepthPrior` that take the place of the checkpoint's; None: the checkpoint's own.

    Raises:
        CheckpointError: Naming every missing, mismatched and unexpected tensor, or the variants to choose from.
    """
    traits = read_traits(state_dict)
    fitting = fitting_variants(traits)
    if variant == AUTO:
        alike = [name for name, config in VARIANTS.items() if config.feature_head == traits.feature_head]
        config = VARIANTS[(fitting or alike)[0]]
    else:
        config = _variant(variant)
    wanted = expected_shapes(config) if shapes is None else shapes
    given = {OUR_PRIOR_PREFIX + name: value for name, value in (prior or {}).items()}
    found = _sort(state_dict, reference_names(config.feature_head), wanted, drop, given)
    problems = found.problems()
    if problems:
        raise CheckpointError(_complaint(source, config, found, fitting))
    if variant == AUTO and len(fitting) != 1:
        raise CheckpointError(
            f"{source}: the shapes do not tell which variant this is; name it with --variant: {', '.join(fitting)}"
        )
    return ConvertedWeights(config.name, fitting, found.tensors, found.ignored)


def from_state_dict(
    state_dict: Mapping[str, Tensor],
    variant: str = AUTO,
    *,
    input_size: tuple[int, int] | None = None,
    rig_frame: Literal["ego", "field"] = "ego",
) -> ReferencePredictor:
    """Returns the published network with the weights of a published checkpoint, in evaluation mode.

    Args:
        state_dict: Official names, with or without the prefixes `model.` and `module.`. Its 32-bit tensors are shared
            with the predictor.
        variant: Name of a variant, or `auto` to tell it from the shapes.
        input_size: Height and width of the images in pixels; None: the variant's. The render grid has half of it.
        rig_frame: Frame in which rigs are calibrated: the ego frame, or already the field's (nuScenes' LIDAR_TOP).

    Raises:
        CheckpointError: As `convert_state_dict`.
    """
    converted = convert_state_dict(state_dict, variant)
    config = VARIANTS[converted.variant]
    if input_size is not None:
        config = config.at_size(*input_size)
    if rig_frame == "field":
        config = config.in_field_frame()
    return build_predictor(config, converted.tensors)


def _variant(name: str) -> ReferenceConfig:
    if name not in VARIANTS:
        raise CheckpointError(f"unknown variant {name!r}; expected {AUTO} or one of {', '.join(VARIANTS)}")
    return VARIANTS[name]


def _sort(
    state_dict: Mapping[str, Tensor],
    names: NameMap,
    wanted: Shapes,
    drop: Sequence[str],
    given: Mapping[str, Tensor],
) -> _Sorted:
    """Finds a place for every tensor; those given already have theirs."""
    found = _Sorted(dict(given))
    for key, tensor in state_dict.items():
        translation = names.translate(key)
        if any(key.startswith(start) or strip_wrappers(key).startswith(start) for start in drop):
            found.ignored[key] = _ASKED
        elif translation.reason is not None:
            found.ignored[key] = translation.reason
        elif translation.name in given:
            found.ignored[key] = _REPLACED
        elif translation.name is None or translation.name not in wanted:
            found.unexpected.append(key)
        else:
            _take(found, key, tensor, translation.name, wanted[translation.name])
    mismatched = {text.partition(" ")[0] for text in found.mismatched}
    found.missing = [name for name in wanted if name not in found.tensors and name not in mismatched]
    return found


def _take(found: _Sorted, key: str, tensor: Tensor, name: str, shape: tuple[int, ...]) -> None:
    """Takes one tensor, or says what is wrong with it; the line begins with our name."""
    if name in found.tensors:
        found.mismatched.append(f"{name} ({key}) occurs twice")
    elif tuple(tensor.shape) != shape:
        found.mismatched.append(f"{name} ({key}) has shape {tuple(tensor.shape)}, expected {shape}")
    elif not tensor.is_floating_point():
        found.mismatched.append(f"{name} ({key}) holds {tensor.dtype}, expected floating-point numbers")
    elif not (tensor.is_meta or bool(tensor.isfinite().all())):
        found.mismatched.append(f"{name} ({key}) holds values that are not finite")
    else:
        found.tensors[name] = tensor.detach().float().contiguous()


def _complaint(source: str, config: ReferenceConfig, found: _Sorted, fitting: tuple[str, ...]) -> str:
    counts = f"{len(found.missing)} missing, {len(found.mismatched)} mismatched, {len(found.unexpected)} unexpected"
    hints = []
    if fitting and config.name not in fitting:
        hints.append(f"the shapes fit {' or '.join(fitting)}")
    if found.unexpected and not (found.missing or found.mismatched):
        hints.append("tensors that the network does not need can be left out with --drop")
    if len(found.tensors) == 0:
        hints.append("nothing in it belongs to DistillNeRF")
    elif found.missing and all(name.startswith(OUR_PRIOR_PREFIX) for name in found.missing):
        hints.append("only the depth prior lacks: --depth-prior takes it from a folder of Depth Anything v1")
    lines = [f"{source}: no weights of {config.name}: {counts} tensors", *(f"  ({hint})" for hint in hints)]
    return "\n".join([*lines, *(f"  {problem}" for problem in found.problems())])
