import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.language.classes import CLASS_COLORS, CLASS_NAMES, FREE, SKY, SKY_COLOR
from distillnerf_core.language.label_set import MAX_CLASSES, OCC3D_LABELS, LabelSet


def test_the_labels_of_occ3d_are_those_of_the_taxonomy() -> None:
    assert (OCC3D_LABELS.free, OCC3D_LABELS.sky) == (FREE, SKY)
    assert OCC3D_LABELS.names == CLASS_NAMES
    assert [OCC3D_LABELS.name(label) for label in (4, 17, 18, 255)] == ["car", "free", "unknown", "unknown"]


def test_a_palette_has_a_colour_for_every_byte() -> None:
    table = OCC3D_LABELS.palette(unknown=(1, 2, 3))
    assert table.shape == (256, 3)
    assert [tuple(table[label]) for label in (4, SKY, 18, 255)] == [CLASS_COLORS[4], SKY_COLOR, (1, 2, 3), (1, 2, 3)]


@pytest.mark.parametrize("count", [0, MAX_CLASSES + 1])
def test_labels_fit_a_byte(count: int) -> None:
    names = tuple(str(number) for number in range(count))
    with pytest.raises(ConfigurationError, match=f"1 to {MAX_CLASSES}"):
        LabelSet(names, names, ((0, 0, 0),) * count)


def test_the_most_classes_leave_free_and_unknown_apart() -> None:
    names = tuple(str(number) for number in range(MAX_CLASSES))
    labels = LabelSet(names, names, ((9, 9, 9),) * MAX_CLASSES)
    assert labels.free == MAX_CLASSES
    assert labels.name(labels.free) == "free"
