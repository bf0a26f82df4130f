"""The newest item wins, and work never runs in the caller's thread."""

import threading

from distillnerf_ros.inference_worker import NewestWinsWorker


def test_items_that_wait_are_replaced_by_newer_ones() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    worked: list[tuple[int, str]] = []

    def work(item: int) -> None:
        begun.set()
        go_on.wait(10)
        worked.append((item, threading.current_thread().name))
        if item == 4:
            done.set()

    worker = NewestWinsWorker(work, "test inference")
    worker.start()
    worker.submit(1)
    assert begun.wait(10)
    for item in (2, 3, 4):
        worker.submit(item)
    go_on.set()
    assert done.wait(10)
    worker.stop()
    assert worked == [(1, "test inference"), (4, "test inference")]
    assert worker.dropped == 2


def test_stop_forgets_what_waits() -> None:
    worked: list[int] = []
    worker = NewestWinsWorker(worked.append, "test inference")
    worker.submit(1)
    worker.stop()
    worker.start()
    worker.clear()
    worker.stop()
    assert worked == []


def test_preparation_comes_first_and_in_the_same_thread() -> None:
    done = threading.Event()
    events: list[tuple[str, str]] = []

    def note(what: str) -> None:
        events.append((what, threading.current_thread().name))
        if what == "item":
            done.set()

    worker = NewestWinsWorker(note, "test inference", lambda: note("preparation"))
    worker.start()
    worker.submit("item")
    assert done.wait(10)
    worker.stop()
    assert events == [("preparation", "test inference"), ("item", "test inference")]
