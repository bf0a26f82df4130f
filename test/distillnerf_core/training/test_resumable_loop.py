"""The loop saves whatever happens, and the curve forgets what a resumed run makes anew."""

from pathlib import Path

import pytest

from distillnerf_core.training.resumable_loop import LearningCurve, advance, mean_term


class Run:
    """Counts; can fail, or be interrupted, at a step."""

    def __init__(self, failing: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.step, self.saved = 0, list[int]()
        self.failing, self.error = failing, error

    def train_step(self) -> dict[str, float]:
        if self.step == self.failing:
            raise self.error
        self.step += 1
        return {"total": 1.0 / self.step}

    def save(self) -> None:
        self.saved.append(self.step)


def test_each_step_is_observed_once_and_the_end_is_saved() -> None:
    run, seen = Run(), list[float]()
    run.step = 2
    advance(run, 6, "test", 60.0, lambda terms: seen.append(terms["total"]), progress=False)
    assert seen == pytest.approx([1 / 3, 1 / 4, 1 / 5, 1 / 6])
    assert run.saved == [6]


def test_saves_between_as_often_as_asked() -> None:
    run = Run()
    advance(run, 3, "test", 0.0, lambda terms: None, progress=False)
    assert run.saved == [1, 2, 3, 3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_saves_when_it_is_stopped(error: type[BaseException]) -> None:
    run = Run(failing=4, error=error)
    with pytest.raises(error):
        advance(run, 10, "test", 60.0, lambda terms: terms, progress=False)
    assert run.saved == [4]


def test_the_curve_goes_on_where_the_state_was_saved(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "curve.json")
    for step in (2, 4, 6):
        curve.add(step, {"total": 1.0 / step} | ({"depth": float(step)} if step > 2 else {}))
    assert curve.mean("depth") == 5.0
    assert curve.mean("total", rows=1) == pytest.approx(0.16667)
    curve.write()
    resumed = LearningCurve(tmp_path / "curve.json")
    resumed.read(5)
    assert resumed.rows == curve.rows[:2]


def test_the_curve_keeps_five_digits_of_small_terms(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "curve.json")
    curve.add(2, {"range": 0.00001234567})
    assert curve.rows == [{"step": 2.0, "range": 1.2346e-05}]


def test_a_new_run_has_no_curve(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "curve.json")
    curve.read(5)
    assert curve.rows == []
    assert mean_term(curve.rows, "total") == 0.0
