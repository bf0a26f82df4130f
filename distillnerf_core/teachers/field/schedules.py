"""How learning rate, line of sight and updates of the proposals change over a run (sections 4.5, 6.3 and 7).

All are given as shares of the run, so that short runs go through the same stages.
"""

from bisect import bisect_right

_WARM_UP = 0.1
_DROPS = (0.25, 0.5, 0.75, 0.9)
_DROP_FACTOR = 0.33
_SIGHT_START = 0.08
_SIGHT_HALVINGS = (0.28, 0.48, 0.68, 0.88)
_WIDEST_M, _NARROWEST_M = 6.0, 2.5


def learning_rate_factor(share: float) -> float:
    """Returns the factor of the learning rate: linear from 0.01 over the first tenth, and four drops to a third.

    Args:
        share: Iterations done over iterations of the run.
    """
    return (0.01 + 0.99 * min(share / _WARM_UP, 1.0)) * _DROP_FACTOR ** bisect_right(_DROPS, share)


def line_of_sight_weight(share: float) -> float:
    """Returns the factor of the line-of-sight term: 0 at first, then 1, halved four times."""
    if share <= _SIGHT_START:
        return 0.0
    return float(0.5 ** bisect_right(_SIGHT_HALVINGS, share))


def line_of_sight_margin_m(share: float) -> float:
    """Returns the margin of the line of sight: linear from 6 m, when it starts, to 2.5 m at the end."""
    progress = min(max((share - _SIGHT_START) / (1.0 - _SIGHT_START), 0.0), 1.0)
    return _WIDEST_M + (_NARROWEST_M - _WIDEST_M) * progress


def proposal_updates(iterations: int, calls: int = 1, rare: float = 2.5) -> list[bool]:
    """Tells for each call whether the proposals learn in it: always at first, ever more rarely up to iteration 1,000.

    A counter is compared with rare * min(iteration / 1000, 1); it starts anew with each update.

    Args:
        iterations: Of the run.
        calls: Calls in each iteration.
        rare: Limit of the counter in the end. The published rule is 5 for two calls; it then updates every third
            iteration, and only from pixels. The default does the same for both batches (section 10, item 3).
    """
    updates, counter = [], 0
    for call in range(iterations * calls):
        due = counter > rare * min(call // calls / 1000.0, 1.0)
        updates.append(due)
        counter = 1 if due else counter + 1
    return updates
