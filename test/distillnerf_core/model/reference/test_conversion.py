"""Every published tensor finds its place or a reason; most tests look at shapes alone, on the `meta` device."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.reference.building import Shapes, empty_predictor, expected_shapes
from distillnerf_core.model.reference.conversion import (
    ConvertedWeights,
    convert_state_dict,
    from_state_dict,
)
from distillnerf_core.model.reference.mmcv import read_checkpoint
from distillnerf_core.model.reference.names import reference_names, strip_wrappers
from distillnerf_core.model.reference.variants import VARIANTS

LISTS = {
    # list of tensors: variants of these shapes, parameters
    "linearspace": (("reference-linear",), 113_273_927),
    "parameterized": (("reference-parameterized",), 113_276_267),
    "param_400x224": (("reference-400x224",), 113_276_267),
    "linearspace_clip_dino": (("reference-clip", "reference-dino"), 113_286_407),
    "param_400x224_clip_dino": (("reference-400x224-clip", "reference-400x224-dino"), 113_288_747),
    "waymo_linear": (("reference-waymo-linear",), 113_273_927),
    "waymo_param": (("reference-waymo-parameterized",), 113_276_267),
}
DTYPES = {"float32": torch.float32, "int64": torch.int64}
DECODER_PARAMETERS = 1_062_659
COARSE = "model.coarse_monodepth_estimator."
HEAD_WEIGHT, HEAD_BIAS = COARSE + "depthnet.2.weight", COARSE + "depthnet.2.bias"
VOXELS = "model.multi_view_pooling_octree_encoder.sparse_voxel_convnet."

StateDict = dict[str, Tensor]
Converter = Callable[..., ConvertedWeights]


@pytest.fixture(scope="session")
def official(shared_dir: Path) -> Callable[[str], StateDict]:
    """Reads a list of tensors as a state dict without content."""

    def read(name: str) -> StateDict:
        lines = (shared_dir / "spec/state_dict" / f"state_dict_{name}.tsv").read_text().splitlines()[1:]
        rows = [line.split("\t") for line in lines]
        return {
            key: torch.empty([int(size) for size in shape.split("x")], dtype=DTYPES[dtype], device="meta")
            for key, shape, dtype, *_ in rows
        }

    return read


@pytest.fixture
def linear(official: Callable[[str], StateDict]) -> StateDict:
    return official("linearspace")


@pytest.fixture(scope="session")
def shapes_of() -> Callable[[str], Shapes]:
    """Parameters of each kind of predictor; building one takes a moment even without memory."""
    known: dict[tuple[int, bool], Shapes] = {}

    def find(name: str) -> Shapes:
        config = VARIANTS[name]
        kind = (config.depth_bin_count, config.feature_head)
        if kind not in known:
            known[kind] = expected_shapes(config)
        return known[kind]

    return find


@pytest.fixture
def convert(shapes_of: Callable[[str], Shapes]) -> Converter:
    def convert_with_known_shapes(
        state_dict: StateDict, variant: str = "auto", like: str = "reference-linear", **options: Any
    ) -> ConvertedWeights:
        shapes = shapes_of(like if variant == "auto" else variant)
        return convert_state_dict(state_dict, variant, shapes, **options)

    return convert_with_known_shapes


@pytest.fixture(scope="session")
def tensor_for(golden_dir: Path) -> Callable[[str, tuple[int, ...]], Tensor]:
    specification = importlib.util.spec_from_file_location("recipe", golden_dir / "recipe.py")
    assert specification is not None and specification.loader is not None
    recipe = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(recipe)
    return lambda key, shape: torch.from_numpy(recipe.tensor_for(key, shape))


@pytest.mark.parametrize("name", LISTS)
def test_every_published_tensor_is_accounted_for(
    name: str, official: Callable[[str], StateDict], convert: Converter, shapes_of: Callable[[str], Shapes]
) -> None:
    variants, parameters = LISTS[name]
    state_dict = official(name)
    variant = variants[0] if len(variants) > 1 else "auto"
    converted = convert(state_dict, variant, like=variants[0])
    assert converted.variant == variants[0]
    assert converted.fitting == variants
    assert set(converted.tensors) == set(shapes_of(variants[0]))
    assert len(converted.tensors) + len(converted.ignored) == len(state_dict)
    buffers = {key for key, value in state_dict.items() if "kernel_vectors" in key or "frust" in key or value.ndim == 1}
    buffers -= {key for key in buffers if key.endswith(("bias", "weight", "gamma"))}
    ignored = set(converted.ignored) - buffers
    # Disparity layers, the unit without a skip connection, the mask token, and an unused decoder.
    assert buffers <= set(converted.ignored) and len(buffers) == 13
    assert all("depth_head" in key or "mask_token" in key or key.startswith("model.decoder.") for key in ignored)
    unused = sum(state_dict[key].numel() for key in ignored)
    assert sum(value.numel() for value in converted.tensors.values()) == parameters - unused
    assert any("decoder" in key for key in ignored) == VARIANTS[converted.variant].feature_head
    assert ("decoder" in "".join(converted.tensors)) != VARIANTS[converted.variant].feature_head
    assert sum(converted.reasons().values()) == len(converted.ignored)


def test_all_parameters_are_stored_and_nothing_else_is() -> None:
    for name in ("reference-linear", "reference-clip"):
        predictor = empty_predictor(VARIANTS[name])
        assert all(parameter.is_meta for parameter in predictor.parameters())
        assert not any(buffer.is_meta for buffer in predictor.buffers())
        assert set(predictor.state_dict()) == {parameter for parameter, _ in predictor.named_parameters()}


def test_names_lead_to_the_layers_that_they_belong_to() -> None:
    linear_names, feature_names = reference_names(with_features=False), reference_names(with_features=True)
    for key, ours in {
        VOXELS + "init_conv.1.conv.weight": "voxel_network.coarse_input.convolution.weight",
        VOXELS + "processing_layers.1.norm.bias": "voxel_network.fine_layers.1.norm.bias",
        VOXELS + "processing_layers.2.conv.weight": "voxel_network.coarse_layers.0.convolution.weight",
        VOXELS + "processing_layers.3.norm.weight": "voxel_network.coarse_layers.1.norm.weight",
        VOXELS + "output_head.conv.bias": "voxel_network.coarse_head.bias",
        HEAD_BIAS: "coarse_depth.density_head.2.bias",
    }.items():
        assert linear_names.translate(key).name == ours
    assert feature_names.translate("model.projector.volume_renderer.net.2.bias").name == "feature_head.layers.2.bias"
    assert linear_names.translate("model.decoder.last_conv.bias").name == "decoder.output.bias"
    assert "do not use" in str(feature_names.translate("model.decoder.last_conv.bias").reason)
    unknown = linear_names.translate(COARSE + "depthnet.2.scale")
    assert unknown.name is None and unknown.reason is None


@pytest.mark.parametrize("prefix", ["", "module.", "module.model."])
def test_wrapper_prefixes_do_not_matter(prefix: str, linear: StateDict, convert: Converter) -> None:
    bare = {prefix + strip_wrappers(key): value for key, value in linear.items()}
    assert convert(bare).tensors.keys() == convert(linear).tensors.keys()


def test_training_only_modules_are_ignored_with_a_reason(linear: StateDict, convert: Converter) -> None:
    extra = ("lpips_loss.lpips.lin0.model.1.weight", "lpips_loss.lpips.net.slice1.0.weight", "seg_model.backbone.x")
    converted = convert(linear | {key: torch.zeros(1) for key in extra})
    assert all("training" in converted.ignored[key] for key in extra)


def test_kernel_vectors_may_be_int16_and_weights_half(linear: StateDict, convert: Converter) -> None:
    key, half = VOXELS + "output_head.conv.kernel_vectors", COARSE + "depthnet.0.bias"
    changed = linear | {key: torch.zeros(27, 3, dtype=torch.int16), half: torch.full((64,), 0.5).half()}
    converted = convert(changed)
    assert key in converted.ignored
    weight = converted.tensors["coarse_depth.density_head.0.bias"]
    assert weight.dtype == torch.float32 and weight.eq(0.5).all()


def test_clip_and_dino_must_be_told_apart(official: Callable[[str], StateDict], convert: Converter) -> None:
    state_dict = official("linearspace_clip_dino")
    with pytest.raises(CheckpointError, match=r"--variant: reference-clip, reference-dino$"):
        convert(state_dict, like="reference-clip")
    assert convert(state_dict, "reference-dino").variant == "reference-dino"


def test_without_the_pixel_buffers_the_data_set_must_be_named(linear: StateDict, convert: Converter) -> None:
    stripped = {key: value for key, value in linear.items() if "frust" not in key}
    with pytest.raises(CheckpointError, match=r"--variant: reference-linear, reference-waymo-linear$"):
        convert(stripped)
    assert convert(stripped, "reference-linear").variant == "reference-linear"


def test_weights_of_nuscenes_serve_for_waymo_when_asked_for(linear: StateDict, convert: Converter) -> None:
    converted = convert(linear, "reference-waymo-linear")
    assert converted.variant == "reference-waymo-linear"
    assert converted.fitting == ("reference-linear",)


def test_another_variant_fails_with_the_one_that_fits(linear: StateDict, convert: Converter) -> None:
    expected = (
        r"(?s)no weights of reference-parameterized: 0 missing, 2 mismatched, 0 unexpected.*fit reference-linear.*"
    )
    with pytest.raises(CheckpointError, match=expected + r"depthnet\.2\.weight.*\(250, 64, 1, 1\).*\(286, 64, 1, 1\)"):
        convert(linear, "reference-parameterized")


def test_a_feature_head_does_not_fit_a_variant_with_colour(
    official: Callable[[str], StateDict], convert: Converter
) -> None:
    with pytest.raises(
        CheckpointError, match=r"(?s)6 unexpected.*fit reference-clip or reference-dino.*net\.0\.weight"
    ):
        convert(official("linearspace_clip_dino"), "reference-linear")


def test_a_truncated_state_dict_fails_with_the_list(linear: StateDict, convert: Converter) -> None:
    for key in (HEAD_WEIGHT, HEAD_BIAS, "model.decoder.last_conv.bias"):
        del linear[key]
    with pytest.raises(CheckpointError) as caught:
        convert(linear)
    text = str(caught.value)
    assert "3 missing, 0 mismatched, 0 unexpected" in text
    for name in ("coarse_depth.density_head.2.weight", "coarse_depth.density_head.2.bias", "decoder.output.bias"):
        assert f"missing: {name}" in text


def test_a_foreign_state_dict_fails_with_the_list(convert: Converter, shapes_of: Callable[[str], Shapes]) -> None:
    with pytest.raises(CheckpointError, match="nothing in it belongs to DistillNeRF") as caught:
        convert({"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, source="resnet.pth")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("resnet.pth: ") and "unexpected: layer1.0.conv1.weight" in lines[-1]
    assert sum("missing:" in line for line in lines) == len(shapes_of("reference-linear"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(251), r"shape \(251,\), expected \(250,\)"),
        (torch.zeros(250, dtype=torch.int64), "torch.int64, expected floating-point"),
        (torch.full((250,), torch.nan), "not finite"),
        (torch.full((250,), torch.inf, dtype=torch.float16), "not finite"),
    ],
)
def test_a_wrong_tensor_is_described(value: Tensor, message: str, linear: StateDict, convert: Converter) -> None:
    with pytest.raises(CheckpointError, match=rf"(?s)0 missing, 1 mismatched.*depthnet\.2\.bias.*{message}"):
        convert(linear | {HEAD_BIAS: value})


def test_a_tensor_may_not_occur_twice(linear: StateDict, convert: Converter) -> None:
    with pytest.raises(CheckpointError, match=r"0 missing, 1 mismatched(?s:.*)density_head\.2\.bias.*occurs twice"):
        convert(linear | {"module." + HEAD_BIAS: linear[HEAD_BIAS]})


def test_unknown_tensors_fail_until_they_are_dropped(linear: StateDict, convert: Converter) -> None:
    more = linear | {"sky_model.weight": torch.zeros(1), "model.pose.bias": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"(?s)2 unexpected.*--drop.*unexpected: sky_model\.weight"):
        convert(more)
    converted = convert(more, drop=("sky_model.", "pose."))
    assert converted.reasons()["asked for"] == 2


def test_an_unknown_variant_lists_the_known_ones(linear: StateDict) -> None:
    with pytest.raises(CheckpointError, match=r"'tiny'; expected auto or one of reference-linear, "):
        convert_state_dict(linear, "tiny")


def test_seeded_weights_come_from_the_file_to_the_predictor(
    linear: StateDict, tensor_for: Callable[[str, tuple[int, ...]], Tensor], tmp_path: Path
) -> None:
    # The recipe's values where they are cheap; large tensors are one zero, repeated, so that the file is small.
    seeded = {
        key: tensor_for(key, tuple(value.shape))
        if value.is_floating_point() and value.numel() < 20_000
        else torch.zeros((), dtype=value.dtype).expand(value.shape)
        for key, value in linear.items()
    }
    path = tmp_path / "model.pth"
    torch.save({"meta": {"epoch": 1}, "state_dict": seeded, "optimizer": {"state": {}, "param_groups": []}}, path)
    predictor = from_state_dict(read_checkpoint(path))
    assert not predictor.training and predictor.config == VARIANTS["reference-linear"]
    parameters, names = dict(predictor.named_parameters()), reference_names(with_features=False)
    assert torch.equal(parameters["coarse_depth.density_head.2.bias"], seeded[HEAD_BIAS])
    taken = {key: names.translate(key).name for key in seeded}
    assert sum(name is not None for name in taken.values()) == len(parameters)
    for key, name in taken.items():
        assert name is None or torch.equal(parameters[name], seeded[key]), key
