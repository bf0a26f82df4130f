import math

import pytest
import torch

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.perception.config import QueryConfig
from distillnerf_core.perception.query import QueryResult, TextQuery, answer_query
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

_CONFIG = QueryConfig()


@pytest.fixture(scope="module")
def street(codec: FeatureCodec) -> SemanticOccupancy:
    """A road, two cars on it, a tree."""
    labels = torch.full(OCC3D_GRID.size, FREE, dtype=torch.uint8)
    labels[80:160, 90:110, 2] = CLASS_NAMES.index("driveable_surface")
    labels[120:130, 95:100, 3:6] = CLASS_NAMES.index("car")
    labels[140:150, 102:107, 3:6] = CLASS_NAMES.index("car")
    labels[120:125, 120:125, 3:12] = CLASS_NAMES.index("vegetation")
    index = (labels < FREE).nonzero()
    features = 1.7 * codec.class_features[labels[labels < FREE].long()]
    zeros = torch.zeros(OCC3D_GRID.size)
    return SemanticOccupancy(OCC3D_GRID, labels, zeros, zeros, OccupiedVoxels(index, features))


def _ask(street: SemanticOccupancy, codec: FeatureCodec, encoder: MiniLmEncoder, query: TextQuery) -> QueryResult:
    encoded = CodecTextSpace(codec, encoder).encode_query(query.texts, query.negatives, _CONFIG.negatives)
    return answer_query(street, query, encoded, _CONFIG)


def test_words_find_the_voxels_of_their_class(
    street: SemanticOccupancy, codec: FeatureCodec, encoder: MiniLmEncoder
) -> None:
    answer = _ask(street, codec, encoder, TextQuery(("automobile", "oak tree", "piano")))
    x, y, z = street.occupied.index.unbind(1)
    labels = street.labels[x, y, z]
    for row, name in enumerate(("car", "vegetation")):
        assert torch.equal(answer.scores[row] >= _CONFIG.threshold, labels == CLASS_NAMES.index(name))
    assert answer.count.tolist() == [300, 225, 0]
    assert [region.text for region in answer.regions] == ["automobile", "automobile", "oak tree"]
    assert sorted(region.center_m[0] for region in answer.regions[:2]) == pytest.approx([10.0, 18.0])
    torch.testing.assert_close(answer.max_score, answer.scores.amax(dim=1))


def test_a_box_limits_the_answer(street: SemanticOccupancy, codec: FeatureCodec, encoder: MiniLmEncoder) -> None:
    boxed = TextQuery(("automobile",), box_min=(5.0, -10.0, -1.0), box_max=(13.0, 10.0, 5.0))
    answer = _ask(street, codec, encoder, boxed)
    assert answer.count.tolist() == [150]
    assert bool((answer.centers_m[:, 0] <= 13).all())
    nowhere = TextQuery(("automobile",), box_min=(-39.0, -39.0, 4.0), box_max=(-38.0, -38.0, 5.0))
    empty = _ask(street, codec, encoder, nowhere)
    assert (empty.count.tolist(), empty.max_score.tolist(), empty.regions) == ([0], [0.0], ())
    whole = TextQuery(("automobile",), box_min=(0.0, 0.0, 0.0), box_max=(0.0, 0.0, 0.0))
    assert _ask(street, codec, encoder, whole).count.tolist() == [300]


def test_negatives_of_the_caller_always_count(
    street: SemanticOccupancy, codec: FeatureCodec, encoder: MiniLmEncoder
) -> None:
    against_itself = TextQuery(("automobile",), negatives=("automobile",))
    answer = _ask(street, codec, encoder, against_itself)
    torch.testing.assert_close(answer.scores, torch.full_like(answer.scores, 0.5))


def test_the_threshold_of_the_caller_counts(
    street: SemanticOccupancy, codec: FeatureCodec, encoder: MiniLmEncoder
) -> None:
    answer = _ask(street, codec, encoder, TextQuery(("automobile",), threshold=0.0))
    assert answer.count.tolist() == [len(street.occupied.index)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": ()}, "texts is empty"),
        ({"texts": ("car", " ")}, r"texts\[1\] is empty"),
        ({"texts": ("car",), "negatives": ("",)}, r"negatives\[0\] is empty"),
        ({"texts": ("car",), "threshold": 1.5}, "threshold"),
        ({"texts": ("car",), "threshold": math.nan}, "threshold"),
        ({"texts": ("car",), "box_min": (0.0, 0.0, 0.0)}, "belong together"),
        ({"texts": ("car",), "box_min": (0.0, 0.0, 0.0), "box_max": (1.0, 0.0, 1.0)}, "must lie below"),
        ({"texts": ("car",), "box_min": (0.0, 0.0, 0.0), "box_max": (1.0, math.nan, 1.0)}, "finite"),
    ],
)
def test_a_bad_query_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        TextQuery(**arguments)  # type: ignore[arg-type]
