import pytest
import torch
from torch import nn

from distillnerf_core.model.progress import (
    PatientListener,
    Progress,
    WatchedStage,
    announce,
    counted,
    watched,
)


def test_progress_reads_as_a_sentence_part() -> None:
    assert str(Progress("rendering", 5, 11)) == "rendering, 45 %"
    assert str(Progress("lifting")) == "lifting"


def test_items_are_counted_as_their_turn_comes() -> None:
    seen: list[Progress | str] = []
    for item in counted(["a", "b"], "letters", seen.append):
        seen.append(item)
    assert seen == [Progress("letters", 0, 2), "a", Progress("letters", 1, 2), "b"]
    assert list(counted([1, 2], "numbers", None)) == [1, 2]
    announce("end", seen.append)
    announce("end", None)
    assert seen[4:] == [Progress("end")]


def test_calls_of_modules_are_counted_within_the_block_only() -> None:
    one, other, third = nn.Linear(2, 2), nn.ReLU(), nn.Sigmoid()
    stages = (WatchedStage("twice", (one, other), 2), WatchedStage("once", (third,)))
    seen: list[Progress] = []
    x = torch.ones(1, 2)

    def work() -> None:
        for _ in range(2):
            other(one(x))
        third(x)

    with watched(stages, None):
        work()
    with watched(stages, seen.append):
        work()
    work()
    assert seen == [*(Progress("twice", number, 4) for number in range(4)), Progress("once", 0, 1)]


def test_hooks_are_taken_off_after_an_error() -> None:
    module, seen = nn.Linear(2, 3), list[Progress]()
    with pytest.raises(RuntimeError, match="shapes"), watched((WatchedStage("a", (module,)),), seen.append):
        module(torch.ones(1, 5))
    module(torch.ones(1, 2))
    assert len(seen) == 1


def test_a_patient_listener_hears_of_slow_work_now_and_then() -> None:
    now, told = [100.0], list[tuple[str, float]]()
    listener = PatientListener(lambda progress, s: told.append((progress.stage, s)), 10.0, 5.0, lambda: now[0])
    for time_s in (101.0, 109.9, 112.0, 115.0, 117.0, 130.0, 134.0):
        now[0] = time_s
        listener(Progress(f"at {time_s:.0f}"))
    assert told == [("at 112", 12.0), ("at 117", 17.0), ("at 130", 30.0)]
