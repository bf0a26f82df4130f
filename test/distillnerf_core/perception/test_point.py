import math

import pytest
import torch

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.label_set import OCC3D_LABELS
from distillnerf_core.model.scene_field import FieldSamples
from distillnerf_core.perception.boxes import Corner
from distillnerf_core.perception.point import PointAnswer, Question, look_at_point
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

_GRID = VoxelGrid((-4.0, -4.0, 0.0), 1.0, (8, 8, 2))
_CAR, _TREE = (OCC3D_LABELS.names.index(name) for name in ("car", "vegetation"))


class _Halves:
    """A car at x > 0, nothing at -10 m < x < 0, a tree further back; 2 / m where anything is."""

    def __init__(self, codec: FeatureCodec) -> None:
        self._classes = codec.class_features

    def query(self, points_m: torch.Tensor) -> FieldSamples:
        x = points_m[:, 0]
        occupied = (x > 0) | (x < -10)
        rows = torch.where(x > 0, _CAR, _TREE)
        density = torch.where(occupied, 2.0, 0.0)
        return FieldSamples(density, density.log() + 1, 1.5 * self._classes[rows], occupied)


@pytest.fixture
def occupancy(codec: FeatureCodec) -> SemanticOccupancy:
    """The car in the grid; the column y < -3 is unknown."""
    labels = torch.full(_GRID.size, OCC3D_LABELS.free, dtype=torch.uint8)
    labels[4:] = _CAR
    labels[:, 0] = UNKNOWN
    index = (labels == _CAR).nonzero()
    confidence = torch.where(labels == _CAR, 0.8, 0.1)
    return SemanticOccupancy(
        _GRID, labels, confidence, confidence, OccupiedVoxels(index, codec.class_features[[_CAR]].repeat(len(index), 1))
    )


@pytest.fixture
def language(codec: FeatureCodec, encoder: MiniLmEncoder) -> CodecTextSpace:
    return CodecTextSpace(codec, encoder)


def _look(occupancy: SemanticOccupancy, language: CodecTextSpace, point: Corner, top: int = 3) -> PointAnswer:
    solid = language.class_features[:17]
    questions = [
        Question(OCC3D_LABELS.names, language.contrast_classes(solid)),
        Question(("automobile", "piano"), language.encode_query(("automobile", "piano"))),
    ]
    return look_at_point(occupancy, _Halves(language.codec), point, language, questions, top)


def test_an_occupied_point_has_label_density_and_what_it_resembles(
    occupancy: SemanticOccupancy, language: CodecTextSpace
) -> None:
    answer = _look(occupancy, language, (2.3, 1.1, 0.7))
    assert (answer.occupied, answer.label) == (True, _CAR)
    assert answer.confidence == pytest.approx(0.8)
    assert answer.density == pytest.approx(2.0)
    assert {text for text, _ in answer.scores[:2]} == {"car", "automobile"}
    values = [score for _, score in answer.scores]
    assert values == sorted(values, reverse=True)
    assert len(values) == 3
    assert all(0 <= value <= 1 for value in values)


def test_free_and_unknown_points_resemble_nothing(occupancy: SemanticOccupancy, language: CodecTextSpace) -> None:
    free = _look(occupancy, language, (-2.0, 1.0, 0.5))
    assert (free.occupied, free.label, free.density, free.scores) == (False, OCC3D_LABELS.free, 0.0, ())
    unknown = _look(occupancy, language, (-2.0, -3.5, 0.5))
    assert (unknown.occupied, unknown.label) == (False, UNKNOWN)


def test_beyond_the_grid_the_field_answers(occupancy: SemanticOccupancy, language: CodecTextSpace) -> None:
    far = _look(occupancy, language, (-30.0, 0.0, 0.0), top=1)
    assert (far.occupied, far.label, far.confidence) == (False, UNKNOWN, 0.0)
    assert far.density == pytest.approx(2.0)
    assert [text for text, _ in far.scores] == ["vegetation"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_point_without_a_place_is_refused(occupancy: SemanticOccupancy, language: CodecTextSpace, bad: float) -> None:
    with pytest.raises(QueryError, match="finite"):
        _look(occupancy, language, (0.0, bad, 0.0))
