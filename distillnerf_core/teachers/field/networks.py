"""The small networks of the field (section 3.3)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.teachers.field.directions import CODE_WIDTH, encode_directions


def perceptron(*widths: int) -> nn.Sequential:
    """Builds linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class SkipPerceptron(nn.Module):
    """Two hidden layers, the second of which sees the input again; the output is between 0 and 1.

    Args:
        inputs: Width of the input.
        width: Of the hidden layers.
        outputs: Width of the output.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width + inputs, width)
        self.last = nn.Linear(width, outputs)

    def forward(self, values: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Returns sigmoid(last(relu(second(relu(first(x)), x))))."""
        hidden = self.first(values).relu()
        hidden = self.second(torch.cat((hidden, values), dim=-1)).relu()
        output: Tensor = self.last(hidden).sigmoid()
        return output


class ColorHead(nn.Module):
    """Colour of a point as seen from a direction in an image.

    Args:
        geometry: Width of the geometry feature.
        appearance: Width of an image's appearance.
        width: Of the hidden layers.
    """

    def __init__(self, geometry: int, appearance: int, width: int) -> None:
        super().__init__()
        self.network = SkipPerceptron(CODE_WIDTH + appearance + geometry, width, 3)

    def forward(
        self,
        directions: Float[Tensor, "*batch 3"],
        appearance: Float[Tensor, "*batch appearance"],
        geometry: Float[Tensor, "*batch geometry"],
    ) -> Float[Tensor, "*batch 3"]:
        """Returns RGB in [0, 1] for unit directions."""
        code = encode_directions(0.5 * (directions + 1.0))
        color: Tensor = self.network(torch.cat((code, appearance, geometry), dim=-1))
        return color


class SkyHead(nn.Module):
    """Colour of the sky, of direction and appearance alone.

    Args:
        appearance: Width of an image's appearance.
        width: Of the hidden layers.
    """

    def __init__(self, appearance: int, width: int) -> None:
        super().__init__()
        self.network = SkipPerceptron(CODE_WIDTH + appearance, width, 3)

    def forward(
        self, directions: Float[Tensor, "*batch 3"], appearance: Float[Tensor, "*batch appearance"]
    ) -> Float[Tensor, "*batch 3"]:
        """Returns RGB in [0, 1] for unit directions."""
        color: Tensor = self.network(torch.cat((encode_directions(directions), appearance), dim=-1))
        return color
