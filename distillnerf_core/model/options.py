"""How a network is run, beyond its weights."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from distillnerf_core.configuration import Config

LIDAR_TOP_ORIGIN_M = (0.943713, 0.0, 1.84023)
"""Origin of nuScenes' LIDAR_TOP in its ego frame (x forward, y left, z up, on the ground), of most of its drives."""


class ModelOptions(Config):
    """Options of loading a network; those of the published network are refused or idle for others, as each says."""

    prior_size: int = Field(
        default=0,
        ge=0,
        le=1498,
        description="Published network: shorter side in pixels at which its depth prior sees the images, a multiple "
        "of 14; smaller is faster and less faithful; 0: as published, 518",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Precision of the image encoder, of the published network's depth prior; bfloat16 is faster where "
        "the machine has it, and a little less exact",
    )
    field_origin_m: tuple[float, float, float] = Field(
        default=LIDAR_TOP_ORIGIN_M,
        description="Published network, but for Waymo's: where its field has its origin in the base frame, metres; "
        "1.84 m above the ground, where nuScenes has its LiDAR",
    )
    clip_folder: str = Field(
        default="",
        description="Checkpoints with features of CLIP, such as the published variants -clip: Hugging Face folder of "
        "openai/clip-vit-large-patch14-336, whose text tower answers texts",
    )
    clip_compression: str = Field(
        default="",
        description="Published network, variants -clip: file clip_reduction_pca.npz that came with the checkpoint; "
        "other checkpoints hold it",
    )

    @field_validator("prior_size")
    @classmethod
    def _whole_patches(cls, value: int) -> int:
        if value % 14:
            raise ValueError(
                f"expected a multiple of 14 pixels (a patch), got {value}: try {max(14, value // 14 * 14)}"
            )
        return value

    @property
    def clip_folder_path(self) -> Path | None:
        """Folder of CLIP's text tower; None where none was given."""
        return Path(self.clip_folder).expanduser() if self.clip_folder else None

    @property
    def clip_compression_path(self) -> Path | None:
        """File of the compression of CLIP features; None where none was given."""
        return Path(self.clip_compression).expanduser() if self.clip_compression else None
