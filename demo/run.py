"""The steps of the demo, in order."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from distillnerf_ros.srv import QueryText
from numpy.typing import NDArray
from rich.console import Console

from demo.client import DemoClient
from demo.failure import DemoError
from demo.live import LiveFrame, live_frames
from demo.picture import draw_page
from demo.processes import Children
from demo.recorder import Recorder
from demo.report import print_table, summarise
from demo.truth import compare_with_truth
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.layouts import Layout, load_layout
from distillnerf_ros.conversions.clouds import QUERY_POINT

PRESET = "nuscenes_upper"
FIRST_FRAME_S = 60.0
SETTLE_S = 1.5
WHOLE_S = 10.0


Heat = dict[str, tuple[int, NDArray[Any]]]
"""For each text, the stamp of the frame and the scored voxels."""


@dataclass(frozen=True)
class DemoOptions:
    """What to show.

    Attributes:
        out: Folder for everything that is written.
        checkpoint: Model to run; "" for the one that ships with the package.
        texts: What to ask for.
        seed: Number of the street; those from 100000 on are never trained on.
        seconds: Length of the drive.
        sweeps_hz: Sets of six images each second of the drive.
        width: Width of the camera images in pixels.
        height: Height of the camera images in pixels.
        rate: Speed of playback.
    """

    out: Path
    checkpoint: str
    texts: tuple[str, ...]
    seed: int
    seconds: float
    sweeps_hz: float
    width: int
    height: int
    rate: float


def run_demo(options: DemoOptions, console: Console) -> None:
    """Simulates, perceives live, asks, and writes picture, recording and figures.

    Raises:
        DemoError: If a step fails or takes too long.
    """
    start = time.monotonic()
    layout = load_layout(PRESET)
    with Children(options.out / "logs") as children:
        children.start("node", _node_command(options))
        bag = _street(options, children, console)
        with DemoClient() as client, BagWriter(options.out / "result.mcap", overwrite=True) as result:
            console.print("starting the node: configure, activate")
            client.activate(lambda: children.check("node"))
            recorder = Recorder(client.node, layout, result)
            _play(bag, options, children, recorder, console)
            answers, heat = _ask(client, options.texts, lambda: children.check("node"))
            frame = _asked_frame(recorder, layout, heat)
            frames = live_frames(recorder, layout)
    scores = {text: _voxel_scores(frame, points) for text, (_, points) in heat.items()}
    page = draw_page(frame, scores, f"distillnerf, live: street {options.seed}, {len(layout.cameras)} cameras")
    cv2.imwrite(str(options.out / "overview.png"), page[..., ::-1])
    truth = compare_with_truth(frames, options.seed)
    summary = summarise(recorder, answers, truth, time.monotonic() - start)
    (options.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print_table(summary, console)


def _street(options: DemoOptions, children: Children, console: Console) -> Path:
    name = f"street_{options.seed}_{options.seconds:g}s_{options.sweeps_hz:g}hz_{options.width}x{options.height}.mcap"
    bag = options.out / name
    if not bag.exists():
        console.print(f"simulating a drive of {options.seconds:g} s: {bag}")
        # One thread: the street is cast in small pieces, which threads only make wait for each other.
        children.start("simulate", _simulate_command(options, bag), shown=True, OMP_NUM_THREADS="1")
        children.wait("simulate", 300.0)
    return bag


def _play(bag: Path, options: DemoOptions, children: Children, recorder: Recorder, console: Console) -> None:
    console.print("playing the drive; the node perceives it live over DDS")
    command = [sys.executable, "-m", "distillnerf_ros.bag_player", str(bag), "--rate", str(options.rate), "--clock"]
    children.start("player", command)
    deadline = time.monotonic() + options.seconds / options.rate + FIRST_FRAME_S
    while not children.finished("player"):
        children.check("node")
        if time.monotonic() > deadline:
            raise DemoError(f"the player did not end in time:\n{children.tail('player')}")
        time.sleep(0.05)
    if not recorder.wait_for_frame(1, FIRST_FRAME_S):
        raise DemoError(f"the node perceived no frame:\n{children.tail('node')}")
    # Frames that were complete when the player ended are still being perceived.
    while recorder.wait_for_frame(recorder.frame_count() + 1, SETTLE_S + recorder.slowest_s()):
        children.check("node")


def _ask(client: DemoClient, texts: tuple[str, ...], check: Any) -> tuple[dict[str, QueryText.Response], Heat]:
    """Asks each text as a user would, and once more for the score of every voxel."""
    answers, heat = {}, {}
    for text in texts:
        answers[text] = _good(client.ask(check, texts=[text]), text)
        everything = _good(client.ask(check, texts=[text], threshold=0.0, return_cloud=True, publish=False), text)
        stamp = everything.header.stamp
        points = np.frombuffer(everything.cloud.data, dtype=QUERY_POINT)
        heat[text] = (stamp.sec * 1_000_000_000 + stamp.nanosec, points)
    return answers, heat


def _good(response: QueryText.Response, text: str) -> QueryText.Response:
    if response.status not in (QueryText.Response.OK, QueryText.Response.STALE):
        raise DemoError(f"/query_text for {text!r} failed with status {response.status}: {response.message}")
    return response


def _asked_frame(recorder: Recorder, layout: Layout, heat: Heat) -> LiveFrame:
    """Waits for all outputs of the frame that the answers are about."""
    stamps = {stamp for stamp, _ in heat.values()}
    deadline = time.monotonic() + WHOLE_S
    while time.monotonic() < deadline:
        for frame in live_frames(recorder, layout):
            if {frame.stamp_ns} == stamps:
                return frame
        time.sleep(0.1)
    raise DemoError("the frame that was asked about was not received whole; run the demo again with a lower --rate")


def _voxel_scores(frame: LiveFrame, points: NDArray[Any]) -> NDArray[np.float32]:
    """Returns the score of each occupied voxel, from a cloud of voxel centres."""
    dense = np.zeros(frame.labels.shape, dtype=np.float32)
    centers = np.stack([points[name] for name in "xyz"], axis=1)
    index = np.floor((centers - np.asarray(frame.grid.lower_m)) / frame.grid.voxel_size_m).astype(int)
    dense[tuple(index.T)] = points["score"]
    scores: NDArray[np.float32] = dense[tuple(frame.occupied.T)]
    return scores


def _node_command(options: DemoOptions) -> list[str]:
    parameters = {
        "model.checkpoint": options.checkpoint,
        "input.preset": PRESET,
        "use_sim_time": "true",
        "cache.max_age_s": "60.0",
    }
    assignments = [item for name, value in parameters.items() if value for item in ("-p", f"{name}:={value}")]
    return [sys.executable, "-m", "distillnerf_ros.main", "--ros-args", *assignments]


def _simulate_command(options: DemoOptions, bag: Path) -> list[str]:
    sizes = ["--width", str(options.width), "--height", str(options.height)]
    times = ["--seconds", str(options.seconds), "--rate", str(options.sweeps_hz)]
    street = ["--bag", str(bag), "--seed", str(options.seed), "--no-lidar"]
    return [sys.executable, "-m", "distillnerf_core.cli.main", "simulate", *street, *sizes, *times]
