"""The figures of the demo: summary.json and the table on the screen."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.srv import QueryText
from rich.console import Console
from rich.table import Table

from demo.recorder import Recorder
from distillnerf_core.language.classes import CLASS_NAMES


def summarise(
    recorder: Recorder, answers: Mapping[str, QueryText.Response], truth: Mapping[str, float], wall_s: float
) -> dict[str, Any]:
    """Returns everything that summary.json holds.

    Args:
        recorder: What was received.
        answers: The node's answer to each text.
        truth: Figures against the exact ground truth.
        wall_s: Duration of the demo.
    """
    statuses = recorder.statuses
    return {
        "frames_processed": statuses[-1].frames_processed,
        "frames_dropped": statuses[-1].frames_dropped,
        "motion_compensated": sum(status.motion_compensated for status in statuses),
        "latency_ms": latency_figures(statuses),
        "occupied_voxels": statuses[-1].occupied_voxels,
        "queries": {text: _answer(response) for text, response in answers.items()},
        "against_ground_truth": {name: round(value, 4) for name, value in truth.items()},
        "messages": dict(sorted(recorder.counts.items())),
        "wall_s": round(wall_s, 1),
    }


def latency_figures(statuses: Sequence[FrameStatus]) -> dict[str, float]:
    """Returns the mean of each stage and of the whole, from the last image's arrival to published messages.

    The first frame warms caches up and is left out where there are others.
    """
    warm = statuses[1:] or statuses
    stages = {name: mean(status.stage_ms[index] for status in warm) for index, name in enumerate(warm[0].stages)}
    stages["total"] = mean(status.latency_ms for status in warm)
    return {name: round(value, 1) for name, value in stages.items()}


def print_table(summary: Mapping[str, Any], console: Console) -> None:
    """Prints the figures that a newcomer looks at first."""
    table = Table("figure", "value", title="live perception of a simulated street")
    frames = f"{summary['frames_processed']} perceived, {summary['frames_dropped']} dropped for newer ones"
    table.add_row("sets of six images", frames)
    for stage, value in summary["latency_ms"].items():
        table.add_row(f"latency: {stage}", f"{value:.0f} ms")
    table.add_row("occupied voxels", str(summary["occupied_voxels"]))
    titles = {
        "abs_rel": "depth AbsRel below 50 m (exact truth)",
        "delta1": "depth delta1",
        "iou": "occupancy IoU",
        "miou": f"occupancy mIoU over the classes present (of {len(CLASS_NAMES)})",
    }
    for name, value in summary["against_ground_truth"].items():
        table.add_row(titles[name], f"{value:.3f}")
    console.print(table)
    found = Table("asked", "best score", "voxels", "nearest region", "answered in", title="/query_text")
    for text, answer in summary["queries"].items():
        found.add_row(text, *_row(answer))
    console.print(found)


def _row(answer: Mapping[str, Any]) -> tuple[str, str, str, str]:
    regions = answer["regions"]
    nearest = min(regions, key=lambda region: region["center_m"][0] ** 2 + region["center_m"][1] ** 2, default=None)
    place = "-" if nearest is None else "x {:.0f}, y {:.0f}, z {:.1f} m".format(*nearest["center_m"])
    return f"{answer['max_score']:.2f}", str(answer["count"]), place, f"{answer['latency_ms']:.0f} ms"


def _answer(response: QueryText.Response) -> dict[str, Any]:
    regions = [
        {
            "center_m": [round(value, 2) for value in (region.center.x, region.center.y, region.center.z)],
            "size_m": [round(value, 2) for value in (region.size.x, region.size.y, region.size.z)],
            "score": round(region.score, 3),
            "voxels": region.voxel_count,
        }
        for region in response.regions
    ]
    return {
        "max_score": round(response.max_score[0], 4),
        "count": response.count[0],
        "latency_ms": round(response.latency_ms, 1),
        "regions": regions,
    }
