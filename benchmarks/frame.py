"""One frame of six 1600x900 JPEG cameras, from messages in to messages out, stage by stage.

python -m benchmarks
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep
from distillnerf_core.streams.image_decoding import ImageDecoder

GOAL_MS, GOAL_MIB = 1000.0, 2048.0
SEED = 100_000


def run(frames: int, checkpoint: Path | None) -> dict[str, Any]:
    """Measures frames after two that warm up, prints the table, and returns its figures."""
    pipeline = PerceptionPipeline.from_checkpoint(checkpoint)
    height, width = pipeline.input_size
    template = simulate_sweep(sample_scene(SEED), 0, SimulationConfig(height=height, width=width)).frame
    messages = [_jpeg_message(image) for image in template.images]
    rows = [_one_frame(pipeline, template, messages) for _ in range(frames + 2)][2:]
    figures = {stage: statistics.median(row[stage] for row in rows) for stage in rows[0]}
    worst = {stage: max(row[stage] for row in rows) for stage in rows[0]}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    table = Table(title=f"One frame, six cameras of 1600x900, {machine}")
    for column in ("stage", "median ms", "worst ms"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, value in figures.items():
        table.add_row(stage, f"{value:.1f}", f"{worst[stage]:.1f}")
    table.add_row("peak memory, MiB", f"{peak_mib:.0f}", "")
    table.caption = f"goal: total at most {GOAL_MS:.0f} ms, memory at most {GOAL_MIB:.0f} MiB"
    Console(width=100).print(table)
    return {"frames": frames, "median_ms": figures, "worst_ms": worst, "peak_memory_mib": peak_mib}


def _jpeg_message(image: torch.Tensor) -> SimpleNamespace:
    pixels = (255 * image.permute(1, 2, 0).numpy()).astype(np.uint8)
    large = cv2.resize(pixels, (1600, 900), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    header = SimpleNamespace(frame_id="camera", stamp=SimpleNamespace(sec=1, nanosec=0))
    return SimpleNamespace(header=header, format="jpeg", data=data.tobytes())


def _one_frame(
    pipeline: PerceptionPipeline, template: MultiViewFrame, messages: Sequence[SimpleNamespace]
) -> dict[str, float]:
    started = time.perf_counter()
    decoder = ImageDecoder()
    images = np.stack([decoder.decode(message, pipeline.input_size) for message in messages])
    frame = replace(template, images=torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0)
    decoded = time.perf_counter()
    result = pipeline.perceive(frame)
    perceived = time.perf_counter()
    convert = _message_writer()
    begun = time.perf_counter()
    if convert is not None:
        convert(result)
    finished = time.perf_counter()
    figures = {"decode six JPEGs": 1e3 * (decoded - started)}
    figures |= {name: value for name, value in result.timings.as_dict().items() if name != "total"}
    figures["messages" if convert is not None else "messages (no ROS here)"] = 1e3 * (finished - begun)
    figures["total, images in to messages out"] = 1e3 * (perceived - started + finished - begun)
    pipeline.query(result, TextQuery(("automobile",)))
    figures["one text query (not in the total)"] = 1e3 * (time.perf_counter() - finished)
    return figures


def _message_writer() -> Callable[[PerceptionResult], None] | None:
    try:
        from distillnerf_ros.conversions.clouds import occupancy_cloud
        from distillnerf_ros.conversions.fields import header
        from distillnerf_ros.conversions.images import color_image, depth_image, label_image
        from distillnerf_ros.conversions.voxels import semantic_grid
    except ImportError:
        return None

    def convert(result: PerceptionResult) -> None:
        """Makes all messages of one frame."""
        stamped, occupancy = header(result.stamp_ns, "base_link"), result.occupancy
        assert occupancy is not None
        assert result.depth is not None
        assert result.semantics is not None
        assert result.rgb is not None
        for camera in range(len(result.frame.rig)):
            depth_image(result.depth.z_depth_m[camera].numpy(), stamped)
            label_image(result.semantics[camera].numpy(), stamped)
            color_image((255 * result.rgb[camera]).byte().permute(1, 2, 0).contiguous().numpy(), stamped)
        mask, grid = occupancy.occupied_mask, occupancy.grid
        labels, density, confidence = occupancy.labels[mask], occupancy.density[mask], occupancy.confidence[mask]
        centers = occupancy.occupied.centers_m(grid).numpy()
        occupancy_cloud(centers, labels.numpy(), density.numpy(), confidence.numpy(), stamped)
        dense = occupancy.labels.numpy(), occupancy.confidence.numpy()
        semantic_grid(*dense, grid.lower_m, grid.voxel_size_m, stamped)

    return convert
