"""Occ3D's mIoU from a confusion matrix, against brute force, scikit-learn and torchmetrics."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, jaccard_score
from torch import Tensor

from distillnerf_core.evaluation.confusion import OccupancyConfusion
from distillnerf_core.language.classes import CLASS_NAMES, FREE, UNKNOWN


def random_labels(seed: int, count: int = 400, classes: int = 18) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, classes, (count,), generator=generator)
    guess = torch.randint(0, classes, (count,), generator=generator)
    right = torch.rand(count, generator=generator) < 0.6
    return torch.where(right, truth, guess).to(torch.uint8), truth.to(torch.uint8)


def confusion(predicted: Tensor, truth: Tensor, mask: Tensor | None = None) -> OccupancyConfusion:
    state = OccupancyConfusion()
    state.add(predicted, truth, mask)
    return state


def test_brute_force() -> None:
    predicted, truth = random_labels(0)
    predicted[:30], truth[20:60] = UNKNOWN, UNKNOWN
    truth[truth == 5], predicted[predicted == 5] = 4, 4  # a class that nobody has
    truth[truth == 6] = 4  # one that is only predicted
    mask = torch.arange(len(truth)) % 7 != 0
    scores = confusion(predicted, truth, mask).compute()
    pairs = []
    for index in range(len(truth)):
        if mask[index] and truth[index] != UNKNOWN:
            guess = int(predicted[index])
            pairs.append((FREE if guess == UNKNOWN else guess, int(truth[index])))
    assert scores.voxels == len(pairs)
    ious = []
    for label in range(17):
        both = sum(guess == label and true == label for guess, true in pairs)
        either = sum(label in pair for pair in pairs)
        ious.append(both / either if either else math.nan)
    np.testing.assert_allclose(scores.class_iou.numpy(), ious)
    assert math.isnan(ious[5]) and ious[6] == 0.0
    assert scores.miou_17 == pytest.approx(np.nanmean(ious))
    kept = [iou for label, iou in enumerate(ious) if CLASS_NAMES[label] not in ("others", "other_flat")]
    assert len(kept) == 15 and scores.miou_15 == pytest.approx(np.nanmean(kept))
    solid = sum(guess < FREE and true < FREE for guess, true in pairs)
    assert scores.iou == pytest.approx(solid / sum(guess < FREE or true < FREE for guess, true in pairs))


def test_scikit_learn() -> None:
    predicted, truth = random_labels(1)
    state = confusion(predicted, truth)
    np.testing.assert_array_equal(state.counts.numpy(), confusion_matrix(truth, predicted, labels=range(18)))
    expected = jaccard_score(truth, predicted, labels=range(17), average=None)
    np.testing.assert_allclose(state.compute().class_iou.numpy(), expected)


def test_torchmetrics() -> None:
    classification: Any = pytest.importorskip("torchmetrics.functional.classification")
    predicted, truth = random_labels(2)
    scores = confusion(predicted, truth).compute()
    expected = classification.multiclass_jaccard_index(predicted.long(), truth.long(), 18, average="none")[:17]
    torch.testing.assert_close(scores.class_iou.float(), expected)
    solid = classification.binary_jaccard_index(predicted < FREE, truth < FREE)
    assert scores.iou == pytest.approx(float(solid))


@given(seed=st.integers(0, 10_000))
def test_a_label_map_equals_itself(seed: int) -> None:
    _, truth = random_labels(seed, 50)
    scores = confusion(truth, truth).compute()
    assert scores.miou_17 == scores.miou_15 == scores.iou == 1.0


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 100))
def test_merged_parts_equal_one_pass(seed: int, cut: int) -> None:
    predicted, truth = random_labels(seed, 100)
    parts = confusion(predicted[:cut], truth[:cut])
    parts.merge(confusion(predicted[cut:], truth[cut:]))
    whole = confusion(predicted, truth)
    assert torch.equal(parts.counts, whole.counts)
    assert parts.compute().miou_17 == whole.compute().miou_17


@given(seed=st.integers(0, 10_000))
def test_exchanging_prediction_and_truth_changes_nothing(seed: int) -> None:
    predicted, truth = random_labels(seed, 60)
    there, back = confusion(predicted, truth).compute(), confusion(truth, predicted).compute()
    torch.testing.assert_close(there.class_iou, back.class_iou, equal_nan=True)


def test_the_mean_over_17_is_that_over_15_times_15_over_17_where_two_are_never_found() -> None:
    """Why published tables of both kinds cannot be mixed."""
    predicted, truth = random_labels(3, 4000)
    for name in ("others", "other_flat"):
        predicted[predicted == CLASS_NAMES.index(name)] = FREE
    scores = confusion(predicted, truth).compute()
    assert scores.miou_17 == pytest.approx(scores.miou_15 * 15 / 17)


def test_nothing_compared_has_no_score() -> None:
    scores = OccupancyConfusion().compute()
    assert math.isnan(scores.miou_17) and math.isnan(scores.iou) and scores.voxels == 0
