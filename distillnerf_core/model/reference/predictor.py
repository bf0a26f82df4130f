"""The published network: images to a scene field, and the field to images."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.depth_prior.extractor import DepthPrior
from distillnerf_core.model.lifting import lift, pool
from distillnerf_core.model.reference.coarse import CoarseDepthStage
from distillnerf_core.model.reference.decoder import ReferenceDecoder
from distillnerf_core.model.reference.feature_head import FeatureHead
from distillnerf_core.model.reference.fine import FineDepthStage
from distillnerf_core.model.reference.pixel_grids import lifting_rig, render_rig
from distillnerf_core.model.reference.variants import ReferenceConfig
from distillnerf_core.model.reference.voxel_field import no_language, reference_field
from distillnerf_core.model.renderer import RenderedRays, render_rays
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.voxels.network import SparseVoxelNetwork
from distillnerf_core.voxels.network_config import SparseVoxelNetworkConfig

CHANNELS = 64
"""Width of the features of a row: fine and coarse halves."""


class ReferencePredictor(nn.Module):
    """The published DistillNeRF network; its variants differ in configuration only."""

    def __init__(self, config: ReferenceConfig) -> None:
        super().__init__()
        self.config = config
        self.depth_prior = DepthPrior(config.prior)
        self.coarse_depth = CoarseDepthStage(config.depth_bins)
        self.fine_depth = FineDepthStage()
        self.voxel_network = SparseVoxelNetwork(SparseVoxelNetworkConfig())
        self.decoder = None if config.feature_head else ReferenceDecoder()
        self.feature_head = FeatureHead() if config.feature_head else None

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""
        return self.config.input_size

    def encode_frame(self, frame: MultiViewFrame) -> SceneField:
        """Predicts the field of one glance; cameras that are masked out are ignored."""
        frame = frame.visible()
        return self.encode(frame.images, frame.rig)

    def encode(
        self,
        images: Float[Tensor, "cameras 3 height width"],
        cameras: CameraRig,
        prior_features: Float[Tensor, "cameras 128 height width"] | None = None,
    ) -> SceneField:
        """Predicts the field of one glance.

        Args:
            images: RGB in [0, 1] at (image_height, image_width).
            cameras: Their calibration at this size, pixel centres at integer + 0.5, ego frame.
            prior_features: What the depth prior says of the images; None: it is run.

        Returns:
            Field in its own frame, which look-ups in the ego frame account for.
        """
        prior = self.depth_prior(images) if prior_features is None else prior_features
        coarse = self.coarse_depth(images, prior)
        fine = self.fine_depth(images, coarse.features, coarse.depth.distance_m)
        rig = lifting_rig(self._in_field(cameras), self.config.original_width)
        lifted = pool(fine.frustum, lift(fine.frustum, rig), fine.features, self.config.space, self.config.levels)
        head = no_language if self.feature_head is None else self.feature_head
        field = reference_field(
            lifted, self.voxel_network, self.config.space, head, empty_first_leaf=self.config.empty_first_leaf
        )
        return replace(field, field_from_ego=self.config.field_from_ego().to(images.device))

    def render(self, field: SceneField, cameras: CameraRig, color: bool = True, language: bool = True) -> RenderedViews:
        """Renders a field into cameras, on the published grid of their size.

        Args:
            field: What `encode` predicted.
            cameras: Calibration at the resolution of the rays, ego frame; `cameras.resized(*config.render_size)`
                is the published one.
            color: Decode RGB at twice the resolution, where the variant can.
            language: Composite language features, where the variant has any.
        """
        decoder = self.decoder if color else None
        content = field.language if decoder is None else field.appearance
        grid = render_rig(self._in_field(cameras), self.config.input_size, self.config.original_width)
        rays = camera_rays(grid)
        parts = [
            self._render_chunk(field, content, origins, directions)
            for origins, directions in zip(
                torch.split(rays.origins_m.reshape(-1, 3), self.config.renderer.chunk_rays),
                torch.split(rays.directions.reshape(-1, 3), self.config.renderer.chunk_rays),
                strict=True,
            )
        ]
        shape = (len(cameras), cameras.height, cameras.width)
        features = 2.0 * torch.cat([part.features for part in parts]).view(*shape, -1).permute(0, 3, 1, 2) - 1.0
        return RenderedViews(
            rgb=None if decoder is None else decoder(nn.functional.pad(features, (0, 0, 0, 0, 0, 1), value=-1.0)),
            ray_distance_m=torch.cat([part.distance_m for part in parts]).view(shape),
            median_distance_m=torch.cat([part.median_m for part in parts]).view(shape),
            opacity=torch.cat([part.opacity for part in parts]).view(shape),
            language=features if decoder is None and language and features.shape[1] else None,
        )

    def _render_chunk(self, field: SceneField, content: Tensor, origins_m: Tensor, directions: Tensor) -> RenderedRays:
        """Renders rays of the field's frame; what empty space holds is composited by its total weight."""
        empty = content[field.empty_row]
        rendered = render_rays(field, content - empty, origins_m, directions, self.config.renderer)
        # The sample weights of a ray add up to its gap weights.
        return replace(rendered, features=rendered.features + rendered.gap_weights.sum(dim=1, keepdim=True) * empty)

    def _in_field(self, rig: CameraRig) -> CameraRig:
        field_from_ego = self.config.field_from_ego().to(rig.camera_to_ego)
        return replace(rig, camera_to_ego=field_from_ego @ rig.camera_to_ego)
