import pytest

from distillnerf_core.streams.log_throttle import LogThrottle


def test_one_message_a_second_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    throttle = LogThrottle()
    assert [throttle.allows() for _ in range(3)] == [True, False, False]
    assert throttle.suppressed == 2
    now[0] += 1.1
    assert throttle.allows()
    assert throttle.suppressed == 0
