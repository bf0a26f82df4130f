"""Parts of pictures that a training step renders: some columns of some cameras."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.model.renderer import RenderedRays, render_rays
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews


@dataclass(frozen=True)
class Window:
    """Columns of rays of some cameras.

    Attributes:
        cameras: Numbers of the cameras.
        columns: The columns, of each of them.
    """

    cameras: list[int]
    columns: slice

    def rays(self, image: Shaped[Tensor, "cameras *sizes width"]) -> Shaped[Tensor, "chosen *sizes columns"]:
        """Cuts the window out of a value for each ray."""
        return image[self.cameras][..., self.columns]

    def pixels(
        self, images: Float[Tensor, "cameras channels rows columns"], rig: CameraRig, size: tuple[int, int]
    ) -> Float[Tensor, "chosen channels height width"]:
        """Cuts the window out of pictures of any size, and resizes it by averaging.

        Args:
            images: Pictures of all cameras.
            rig: The cameras, at the size of the rays.
            size: Height and width of the result.
        """
        scale = images.shape[-1] // rig.width
        cut = images[self.cameras][..., scale * self.columns.start : scale * self.columns.stop]
        return interpolate(cut, size=size, mode="area")


def draw_window(rig: CameraRig, cameras: int, columns: int, generator: torch.Generator) -> Window:
    """Draws cameras, and columns that all of them share (0 for all)."""
    chosen = torch.randperm(len(rig), generator=generator)[:cameras].tolist()
    width = min(columns or rig.width, rig.width)
    start = int(torch.randint(rig.width - width + 1, (), generator=generator))
    return Window(chosen, slice(start, start + width))


def render_window(
    predictor: ScenePredictor, field: SceneField, rig: CameraRig, window: Window
) -> tuple[RenderedRays, RenderedViews]:
    """Renders the rays of a window, with samples at random places, for training.

    Args:
        predictor: Network, for its decoder and its sampling.
        field: What is rendered.
        rig: All cameras, at the size of the rays.
        window: Which of their rays.
    """
    chosen = rig.select(window.cameras)
    rays = camera_rays(chosen)
    rendered = render_rays(
        field,
        torch.cat((field.appearance, field.language), dim=1),
        rays.origins_m[:, :, window.columns].reshape(-1, 3),
        rays.directions[:, :, window.columns].reshape(-1, 3),
        predictor.config.renderer,
        jitter=True,
    )
    width = window.columns.stop - window.columns.start
    return rendered, predictor.assemble([rendered], replace(chosen, width=width))
