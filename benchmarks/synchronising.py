"""Phase-compensated synchroniser against message_filters' ApproximateTime, on the timing of the nuScenes rig.

    python benchmarks/synchronising.py [--cycles 1200] [--seed 0] [--json FILE]

"right" is the share of cycles for which a set left that holds every image of that cycle that arrived, and nothing else
(ApproximateTime needs all six). "mixed" is the share of cycles, counted as sets that hold images of several cycles.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.synchroniser import CameraSynchroniser, SynchroniserConfig

MILLISECOND = 1_000_000
START_NS = 1_532_402_927_000 * MILLISECOND
LATENCY_MS = 5.0


@dataclass(frozen=True)
class Scenario:
    """What happens to the images between camera and synchroniser."""

    name: str
    drop_share: float = 0.0
    jitter_ms: float = 0.0
    dead_camera: bool = False


SCENARIOS = (
    Scenario("clean"),
    Scenario("4 % drops", drop_share=0.04),
    Scenario("jitter 0-30 ms", jitter_ms=30.0),
    Scenario("one dead (half)", dead_camera=True),
)


@dataclass(frozen=True)
class Image:
    """An image in the timing model."""

    camera: str
    cycle: int
    stamp_ns: int
    arrival_ns: int


@dataclass(frozen=True)
class Score:
    """Outcome of a policy in a scenario, per cent of the cycles."""

    policy: str
    scenario: str
    right: float
    mixed: float


def images_of(scenario: Scenario, cycles: int, seed: int) -> list[Image]:
    """Images in the order of their arrival: cycles alternate 50 and 100 ms, cameras fire over 42.6 ms."""
    random = np.random.default_rng(seed)
    phases = load_layout("nuscenes_upper").phases_ms
    images = []
    for cycle in range(cycles):
        start_ms = 75 * cycle - 25 * (cycle % 2)
        for camera, phase_ms in phases.items():
            dropped = random.random() < scenario.drop_share
            dead = scenario.dead_camera and camera == "CAM_BACK" and cycle >= cycles // 2
            delay_ms = LATENCY_MS + scenario.jitter_ms * random.random()
            stamp = START_NS + round((start_ms + phase_ms) * MILLISECOND)
            if not dropped and not dead:
                images.append(Image(camera, cycle, stamp, stamp + round(delay_ms * MILLISECOND)))
    return sorted(images, key=lambda image: image.arrival_ns)


def phase_compensated(images: list[Image]) -> Iterator[list[Image]]:
    """Sets of the synchroniser of this project, polled at every arrival and deadline."""
    layout = load_layout("nuscenes_upper")
    synchroniser = CameraSynchroniser(layout.names, layout.synchroniser_config(SynchroniserConfig()))
    for image in images:
        deadline = synchroniser.next_deadline_ns
        if deadline is not None and deadline <= image.arrival_ns:
            yield from _payloads(synchroniser.poll(deadline))
        synchroniser.add(image.camera, image.stamp_ns, image.arrival_ns, image)
        yield from _payloads(synchroniser.poll(image.arrival_ns))
    yield from _payloads(synchroniser.flush())


def approximate_time(images: list[Image], slop_s: float, queue_size: int = 10) -> Iterator[list[Image]]:
    """Sets of `message_filters.ApproximateTimeSynchronizer.add`, as in ROS 2 Jazzy."""
    cameras = list(load_layout("nuscenes_upper").names)
    queues: list[dict[int, Image]] = [{} for _ in cameras]
    slop_ns = round(slop_s * 1e9)
    for image in images:
        own = cameras.index(image.camera)
        queues[own][image.stamp_ns] = image
        while len(queues[own]) > queue_size:
            del queues[own][min(queues[own])]
        near = [
            sorted((s for s in queue if abs(s - image.stamp_ns) <= slop_ns), key=lambda s: abs(s - image.stamp_ns))
            for queue in queues[:own] + queues[own + 1 :]
        ]
        for others in itertools.product(*near):
            stamps = [*others[:own], image.stamp_ns, *others[own:]]
            if max(stamps) - min(stamps) < slop_ns:
                yield [queue.pop(stamp) for queue, stamp in zip(queues, stamps, strict=True)]
                break


def _payloads(sets: list[CameraSet]) -> list[list[Image]]:
    return [[image for image in one.payloads if image is not None] for one in sets]


def score(policy: str, scenario: Scenario, cycles: int, seed: int) -> Score:
    """Runs a policy ("phase", or "slop" and its seconds) over a scenario."""
    images = images_of(scenario, cycles, seed)
    sets = phase_compensated(images) if policy == "phase" else approximate_time(images, float(policy[5:]))
    arrived: dict[int, set[str]] = {}
    for image in images:
        arrived.setdefault(image.cycle, set()).add(image.camera)
    right = mixed = 0
    for members in sets:
        of_cycles = {image.cycle for image in members}
        mixed += len(of_cycles) > 1
        right += len(of_cycles) == 1 and {image.camera for image in members} == arrived[of_cycles.pop()]
    return Score(policy, scenario.name, 100 * right / cycles, 100 * mixed / cycles)


def main() -> None:
    """Runs every policy over every scenario and prints the shares of right and mixed sets, percent of cycles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    policies = ("slop 0.01", "slop 0.045", "slop 0.10", "phase")
    scores = [score(policy, item, arguments.cycles, arguments.seed) for policy in policies for item in SCENARIOS]
    print(f"{'right / mixed, % of cycles':28s}" + "".join(f"{item.name:>18s}" for item in SCENARIOS))
    for policy in policies:
        title = "phase-compensated" if policy == "phase" else f"ApproximateTime, {policy}"
        row = [item for item in scores if item.policy == policy]
        print(f"{title:28s}" + "".join(f"{f'{item.right:.1f} / {item.mixed:.1f}':>18s}" for item in row))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(item) for item in scores], indent=2))


if __name__ == "__main__":
    main()
