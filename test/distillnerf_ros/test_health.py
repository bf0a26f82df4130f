"""Problems stay visible, do not flood the log, and give way to worse ones."""

from distillnerf_ros.health import HOLD_S, LOG_PERIOD_S, HealthBoard, Level


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make_board() -> tuple[HealthBoard, Clock, list[str]]:
    clock, lines = Clock(), []
    return HealthBoard(lambda level, text: lines.append(f"{level.name} {text}"), clock), clock, lines


def test_a_problem_is_held_and_then_gives_way() -> None:
    board, clock, _ = make_board()
    board.error("tf", "broken")
    board.ok("tf")
    assert board.snapshot()["tf"].level is Level.ERROR
    board.warn("tf", "less severe")
    assert board.snapshot()["tf"].message == "broken"
    clock.now += HOLD_S
    board.ok("tf")
    assert board.snapshot()["tf"].level is Level.OK


def test_repeated_problems_are_logged_seldom_whatever_their_figures() -> None:
    board, clock, lines = make_board()
    for seconds in range(3):
        board.warn("camera", f"silent for {seconds} s")
    assert lines == ["WARN camera: silent for 0 s"]
    board.error("camera", "unplugged")
    assert len(lines) == 2
    clock.now += LOG_PERIOD_S
    board.warn("camera", "silent for 9 s")
    assert len(lines) == 3


def test_values_are_texts() -> None:
    board, _, _ = make_board()
    board.ok("sync", values={"rate_hz": 12.3456, "count": 3})
    assert dict(board.snapshot()["sync"].values) == {"rate_hz": "12.3", "count": "3"}


def test_what_is_said_once_while_a_problem_is_held_counts_afterwards() -> None:
    clock = Clock()
    board = HealthBoard(lambda level, text: None, clock)
    board.error("model", "checkpoint missing")
    clock.now += 0.5
    board.ok("model", "loaded", {"device": "cpu"})
    assert board.level("model") is Level.ERROR
    clock.now += 3.0
    assert board.level("model") is Level.OK
    assert board.snapshot()["model"].message == "loaded"


def test_a_newer_problem_discards_what_waited() -> None:
    clock = Clock()
    board = HealthBoard(lambda level, text: None, clock)
    board.error("model", "first")
    board.ok("model")
    clock.now += 1.0
    board.error("model", "second")
    clock.now += 3.5
    assert board.snapshot()["model"].message == "second"


def test_retired_parts_are_stale_and_can_be_forgotten() -> None:
    board = HealthBoard(lambda level, text: None)
    for part in ("camera A", "camera B", "sync", "model"):
        board.ok(part)
    board.retire(("camera ", "sync"), "the node is not active")
    levels = {part: condition.level for part, condition in board.snapshot().items()}
    assert levels == {"camera A": Level.STALE, "camera B": Level.STALE, "sync": Level.STALE, "model": Level.OK}
    board.drop_retired()
    assert set(board.snapshot()) == {"model"}
