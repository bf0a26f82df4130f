"""Figures of perceived frames, as plain values for JSON files and tables."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch

from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.results import PerceptionResult


def describe_frame(result: PerceptionResult, answer: QueryResult | None = None) -> dict[str, Any]:
    """Describes one frame.

    Args:
        result: What was perceived.
        answer: What was asked of it.

    Returns:
        Values that JSON can hold: stamp, cameras, motion compensation, latency of each stage, voxels of each
        class, median depth, and the answers with their best regions.
    """
    frame = result.frame
    cameras = [name for name, seen in zip(frame.rig.names, frame.camera_mask.tolist(), strict=True) if seen]
    described: dict[str, Any] = {
        "stamp_ns": result.stamp_ns,
        "cameras": cameras,
        "motion_compensated": frame.motion_compensated,
        "timings_ms": {name: round(value, 1) for name, value in result.timings.as_dict().items()},
    }
    if result.occupancy is not None:
        labels, names = result.occupancy.labels, result.occupancy.classes.names
        counts = torch.bincount(labels[result.occupancy.occupied_mask].long(), minlength=len(names))
        described["occupied_voxels"] = int(counts.sum())
        described["class_voxels"] = dict(zip(names, counts.tolist(), strict=True))
    if result.depth is not None:
        finite = result.depth.z_depth_m[result.depth.z_depth_m.isfinite()]
        described["median_depth_m"] = round(float(finite.median()), 3) if len(finite) else None
    if answer is not None:
        described["queries"] = {text: _describe_answer(answer, row) for row, text in enumerate(answer.texts)}
    return described


def summarise_frames(frames: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Averages what :func:`describe_frame` says about several frames; empty for no frame."""
    if not frames:
        return {"frames": 0}
    texts = frames[0].get("queries", {})
    return {
        "frames": len(frames),
        "motion_compensated_frames": sum(frame["motion_compensated"] for frame in frames),
        "mean_cameras": mean(len(frame["cameras"]) for frame in frames),
        "mean_occupied_voxels": mean(frame.get("occupied_voxels", 0) for frame in frames),
        "mean_timings_ms": {
            stage: round(mean(frame["timings_ms"][stage] for frame in frames), 1) for stage in frames[0]["timings_ms"]
        },
        "queries": {
            text: {
                "max_score": max(frame["queries"][text]["max_score"] for frame in frames),
                "mean_count": mean(frame["queries"][text]["count"] for frame in frames),
            }
            for text in texts
        },
    }


def _describe_answer(answer: QueryResult, row: int) -> dict[str, Any]:
    text = answer.texts[row]
    regions = [region for region in answer.regions if region.text == text]
    return {
        "max_score": round(float(answer.max_score[row]), 4),
        "count": int(answer.count[row]),
        "threshold": answer.threshold,
        "regions": [
            {
                "center_m": [round(value, 2) for value in region.center_m],
                "size_m": [round(value, 2) for value in region.size_m],
                "score": round(region.score, 4),
                "voxels": region.voxel_count,
            }
            for region in regions
        ],
    }
