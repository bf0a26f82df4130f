import numpy as np
import pytest
import torch

from distillnerf_core.model.depth_prior.vision_transformer import (
    SelfAttention,
    VisionTransformer,
    VisionTransformerConfig,
)


@pytest.fixture
def transformer() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(VisionTransformerConfig(width=12, depth=5, heads=2, position_grid=4)).eval()


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.75."""
    x, a = np.abs(x), -0.75
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    result: np.ndarray = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
    return result


def _stretching_matrix(source: int, target: int) -> np.ndarray:
    """Bicubic interpolation whose coordinates are scaled by (target + 0.1) / source, edges repeated."""
    matrix = np.zeros((target, source))
    for row in range(target):
        position = (row + 0.5) * source / (target + 0.1) - 0.5
        for tap in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
            matrix[row, min(max(tap, 0), source - 1)] += _cubic(np.array(position - tap))
    return matrix


@pytest.mark.parametrize(("rows", "columns"), [(4, 7), (2, 3), (9, 4)])
def test_positions_are_stretched_with_the_historical_offset(
    transformer: VisionTransformer, rows: int, columns: int
) -> None:
    found = transformer.interpolate_positions(rows, columns).detach()
    table = transformer.position_embedding.detach()
    grid = table[0, 1:].reshape(4, 4, 12).double().numpy()
    expected = np.einsum("ri,cj,ijk->rck", _stretching_matrix(4, rows), _stretching_matrix(4, columns), grid)
    assert torch.equal(found[:, :1], table[:, :1])
    np.testing.assert_allclose(found[0, 1:].numpy(), expected.reshape(-1, 12), atol=1e-6)


def test_positions_of_the_training_grid_stay_as_they_are(transformer: VisionTransformer) -> None:
    assert transformer.interpolate_positions(4, 4) is transformer.position_embedding


def test_attention_is_a_softmax_over_scaled_products() -> None:
    torch.manual_seed(1)
    attention = SelfAttention(6, 2)
    tokens = torch.randn(1, 5, 6)
    query, key, value = (x.reshape(5, 2, 3) for x in attention.qkv(tokens)[0].split(6, dim=1))
    weights = (torch.einsum("ihc,jhc->hij", query, key) / 3**0.5).softmax(dim=-1)
    gathered = torch.einsum("hij,jhc->ihc", weights, value).reshape(5, 6)
    torch.testing.assert_close(attention(tokens)[0], attention.projection(gathered))


def test_the_last_four_blocks_give_a_map_each(transformer: VisionTransformer) -> None:
    levels = transformer(torch.randn(2, 3, 28, 42))
    assert [tuple(level.shape) for level in levels] == [(2, 12, 2, 3)] * 4
    for level in levels:
        torch.testing.assert_close(level.mean(dim=1), torch.zeros(2, 2, 3), atol=1e-5, rtol=0.0)
