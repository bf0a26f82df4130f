import threading
from functools import partial

from distillnerf_ros.services.lane import Lane


def test_jobs_are_done_in_their_order_and_too_many_are_refused() -> None:
    lane, hold, started, done = Lane("test", capacity=2), threading.Event(), threading.Event(), list[int]()

    def wait() -> None:
        started.set()
        hold.wait(10)

    assert lane.submit(wait)
    assert started.wait(10)
    assert [lane.submit(partial(done.append, number)) for number in (1, 2, 3)] == [True, True, False]
    hold.set()
    lane.stop()
    assert done == [1, 2]
