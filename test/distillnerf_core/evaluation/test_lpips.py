"""LPIPS against small nets by hand, against NumPy, and its files against mistakes."""

from pathlib import Path

import numpy as np
import perceptual_distance
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from distillnerf_core.errors import CheckpointError
from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.evaluation.lpips_weights import load_lpips

SHAPES = {
    "vgg16": {
        number: (outputs, inputs, 3, 3)
        for number, inputs, outputs in zip(
            (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
            (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512),
            (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
            strict=True,
        )
    },
    "alexnet": {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    },
}
HEADS = {"vgg16": (64, 128, 256, 512, 512), "alexnet": (64, 192, 384, 256, 256)}


def random_tensors(network: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights that neither die nor explode, and heads, some of which are zero, as in the published ones."""
    generator = torch.Generator().manual_seed(0)
    features: dict[str, Tensor] = {"classifier.0.weight": torch.zeros(2, 2)}
    for number, shape in SHAPES[network].items():
        fan = shape[1] * shape[2] * shape[3]
        features[f"features.{number}.weight"] = torch.randn(shape, generator=generator) * (2.0 / fan) ** 0.5
        features[f"features.{number}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    heads = {
        f"lin{number}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator).sub(0.3).clamp_min(0.0)
        for number, channels in enumerate(HEADS[network])
    }
    return features, heads


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("alexnet")
    features, heads = random_tensors("alexnet")
    save_file(features, folder / "alexnet.safetensors")
    torch.save(heads, folder / "alex.pth")
    return folder / "alexnet.safetensors", folder / "alex.pth"


def pictures(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.rand(count, 3, height, width, generator=generator) for _ in range(2))  # type: ignore[return-value]


def test_a_net_made_by_hand_gives_what_the_equation_gives() -> None:
    """Features are the scaled colours themselves, then their doubles in every second pixel; no ReLU."""
    weights = (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 0.0, 0.0]))
    double = nn.Conv2d(3, 3, 1, stride=2, bias=False)
    double.weight.data = 2.0 * torch.eye(3)[:, :, None, None]
    lpips = Lpips((nn.Identity(), double), weights)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    # Colours that become (1, 0, 0), (0, 1, 0) and (0, 3, 0) on the classifier's scale.
    red, green, bright = ((scale * torch.tensor(c) + shift + 1) / 2 for c in ((1.0, 0, 0), (0, 1.0, 0), (0, 3.0, 0)))
    one = red[:, None, None].expand(3, 2, 2)
    half = one.clone()
    half[:, 1] = green[:, None]
    found = lpips(torch.stack((one, one)), torch.stack((half, one)))
    # Rows of green against red: (1 + 2) of the first stage in half of the pixels; the second sees even rows alone.
    assert found[0].item() == pytest.approx(1.5, rel=1e-4)
    assert found[1].item() == 0.0
    whole = lpips(one[None], bright[:, None, None].expand(3, 2, 2)[None])
    assert whole.item() == pytest.approx(1.0 + 2.0 + 0.5, rel=1e-4)  # the length of features does not count


@pytest.mark.parametrize(("network", "size"), [("vgg16", (16, 18)), ("alexnet", (31, 37))])
def test_files_of_both_networks_give_what_numpy_gives(network: str, size: tuple[int, int], tmp_path: Path) -> None:
    features, heads = random_tensors(network)
    torch.save(features, tmp_path / "features.pth")
    torch.save(heads, tmp_path / "heads.pth")
    lpips = load_lpips(tmp_path / "features.pth", tmp_path / "heads.pth")
    assert lpips.least_px == size[0]
    first, second = pictures(1, *size)
    second = 0.7 * first + 0.3 * second
    arrays = {name: value.numpy() for name, value in features.items()}
    columns = [heads[f"lin{number}.model.1.weight"].numpy() for number in range(5)]
    pair = (one[0].numpy().astype(np.float64) for one in (first, second))
    expected = perceptual_distance.distance(network, arrays, columns, *pair)
    assert expected > 0.01
    assert lpips(first, second).item() == pytest.approx(expected, rel=1e-4)


def test_equal_pictures_have_no_distance_and_only_pictures_get_gradients(alexnet: tuple[Path, Path]) -> None:
    lpips = load_lpips(*alexnet)
    first, second = pictures(2, 31, 40)
    assert lpips(first, first).tolist() == [0.0, 0.0]
    torch.testing.assert_close(lpips(first, second), lpips(second, first))
    first.requires_grad_()
    lpips(first, second).mean().backward()
    assert first.grad is not None and torch.isfinite(first.grad).all() and first.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in lpips.parameters())


def test_pixels_without_any_feature_give_finite_gradients() -> None:
    dead = nn.Threshold(1000.0, 0.0)
    first, second = pictures(1, 4, 4)
    first.requires_grad_()
    distance = Lpips((dead,), (torch.ones(3),))(first, second)
    distance.sum().backward()
    assert distance.item() == 0.0
    assert first.grad is not None and (first.grad == 0.0).all()


def test_missing_and_wrong_files_say_how_to_get_right_ones(alexnet: tuple[Path, Path], tmp_path: Path) -> None:
    features, heads = alexnet
    with pytest.raises(CheckpointError, match=r"none\.pth does not exist; get the file.*torchvision\.models\.vgg16"):
        load_lpips(tmp_path / "none.pth", heads)
    with pytest.raises(
        CheckpointError, match=r"none\.pth does not exist.*pip download --no-deps lpips.*v0\.1/alex\.pth"
    ):
        load_lpips(features, tmp_path / "none.pth")
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"cannot read .*broken\.pth"):
        load_lpips(tmp_path / "broken.pth", heads)
    with pytest.raises(CheckpointError, match=r"features\.0\.weight: expected \[64, 3, 3, 3\], got nothing"):
        load_lpips(heads, heads)
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="no mapping of names"):
        load_lpips(tmp_path / "list.pth", heads)
    _, others = random_tensors("vgg16")
    torch.save(others, tmp_path / "vgg.pth")
    with pytest.raises(CheckpointError, match=r"lin1\.model\.1\.weight: expected \[1, 192, 1, 1\].* for alexnet"):
        load_lpips(features, tmp_path / "vgg.pth")
    negative = {name: -value for name, value in torch.load(heads, weights_only=True).items()}
    torch.save(negative, tmp_path / "negative.pth")
    with pytest.raises(CheckpointError, match="not negative"):
        load_lpips(features, tmp_path / "negative.pth")
