import threading

import torch

from distillnerf_core.language.scoring import score
from distillnerf_core.perception.kept import KeptQueries, KeptQuery
from distillnerf_core.perception.query import TextQuery


class _Nothing:
    def score(self, features: torch.Tensor) -> torch.Tensor:
        return score(features, features[:1], features[:0])


def _query(text: str) -> KeptQuery:
    return KeptQuery(TextQuery((text,)), _Nothing())


def test_questions_are_kept_up_to_a_limit_and_end_by_number() -> None:
    kept = KeptQueries()
    numbers = [kept.next_number() for _ in range(3)]
    assert [kept.keep(number, _query(f"text {number}"), most=2) for number in numbers] == [True, True, False]
    assert list(kept.snapshot()) == numbers[:2]
    assert kept.clear([numbers[1], 999]) == [numbers[1]]
    assert kept.keep(numbers[2], _query("tree"), most=2)
    assert kept.clear() == [numbers[0], numbers[2]]
    assert (len(kept), kept.clear(), kept.snapshot()) == (0, [], {})


def test_numbers_are_never_given_twice() -> None:
    kept = KeptQueries()
    given: list[int] = []
    threads = [threading.Thread(target=lambda: given.extend(kept.next_number() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 2001))
