"""The published network: images to a scene field, and the field to images."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import Rays, camera_rays
from distillnerf_core.model.depth_prior.extractor import DepthPrior
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.model.lifting import LiftedVoxels, lift, pool
from distillnerf_core.model.progress import ProgressListener, announce, counted, watched
from distillnerf_core.model.reference.coarse import CoarseDepthStage, CoarseEstimate
from distillnerf_core.model.reference.decoder import ReferenceDecoder
from distillnerf_core.model.reference.feature_head import FeatureHead
from distillnerf_core.model.reference.fine import FineDepthStage, FineEstimate
from distillnerf_core.model.reference.pixel_grids import lifting_rig, render_rig
from distillnerf_core.model.reference.stages import decoder_stages, depth_stages, network_stages
from distillnerf_core.model.reference.variants import ReferenceConfig
from distillnerf_core.model.reference.voxel_field import no_language, reference_field
from distillnerf_core.model.renderer import render_rays
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.voxels.network import SparseVoxelNetwork
from distillnerf_core.voxels.network_config import SparseVoxelNetworkConfig


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

    def encode_frame(self, frame: MultiViewFrame, progress: ProgressListener | None = None) -> SceneField:
        """Predicts the field of one glance; cameras that are masked out are ignored."""
        frame = frame.visible()
        return self.encode(frame.images, frame.rig, progress=progress, valid=frame.valid)

    def encode(
        self,
        images: Float[Tensor, "cameras 3 height width"],
        cameras: CameraRig,
        prior_features: Float[Tensor, "cameras 128 height width"] | None = None,
        progress: ProgressListener | None = None,
        valid: Bool[Tensor, "cameras height width"] | None = None,
    ) -> SceneField:
        """Predicts the field of one glance.

        Args:
            images: RGB in [0, 1] at (image_height, image_width).
            cameras: Their calibration at this size, pixel centres at integer + 0.5, ego frame.
            prior_features: What the depth prior says of the images; None: it is run.
            progress: Told how far the work is.
            valid: Pixels that show the surroundings and are lifted; None: all.

        Returns:
            Field in its own frame, which look-ups in the ego frame account for.
        """
        stages = depth_stages(self.depth_prior, self.coarse_depth, self.fine_depth, len(images))
        with watched((*stages, *network_stages(self.voxel_network)), progress):
            estimate = self.estimate_depth(images, prior_features)
            announce("lifting", progress)
            lifted = self.lift_and_pool(estimate, cameras, valid)
            del estimate  # the sparse network needs the memory
            return self.field(lifted)

    def estimate_depth(
        self,
        images: Float[Tensor, "cameras 3 height width"],
        prior_features: Float[Tensor, "cameras 128 height width"] | None = None,
    ) -> FineEstimate:
        """Runs the depth prior and both depth stages; arguments as for `encode`."""
        prior = self.depth_prior(images) if prior_features is None else prior_features
        coarse: CoarseEstimate = self.coarse_depth(images, prior)
        estimate: FineEstimate = self.fine_depth(images, coarse.features, coarse.distance_m)
        return estimate

    def lift(self, frustum: Frustum, cameras: CameraRig) -> Float[Tensor, "cameras h w candidates 3"]:
        """Places every candidate in the field's frame, through the published pixel grid, metres."""
        return lift(frustum, lifting_rig(self._in_field(cameras), self.config.original_width))

    def lift_and_pool(
        self, estimate: FineEstimate, cameras: CameraRig, valid: Bool[Tensor, "cameras h w"] | None = None
    ) -> LiftedVoxels:
        """Lifts the candidates into the field's frame and averages them in voxels of both levels.

        Args:
            estimate: What `estimate_depth` says of the images.
            cameras: Calibration of the images, ego frame.
            valid: Pixels that are lifted; None: all.
        """
        points = self.lift(estimate.frustum, cameras)
        return pool(estimate.frustum, points, estimate.features, self.config.space, self.config.levels, valid)

    def field(self, lifted: LiftedVoxels) -> SceneField:
        """Runs the sparse network on pooled voxels and lays out the field."""
        head = no_language if self.feature_head is None else self.feature_head
        first = self.config.empty_first_leaf
        field = reference_field(lifted, self.voxel_network, self.config.space, head, empty_first_leaf=first)
        return replace(field, field_from_ego=self.config.field_from_ego().to(lifted.fine.device))

    def rays(self, cameras: CameraRig) -> Rays:
        """Returns the rays of the published render grid, in the field's frame.

        Args:
            cameras: Calibration at the size of the grid, ego frame.
        """
        config = self.config
        return camera_rays(render_rig(self._in_field(cameras), config.input_size, config.original_width))

    def render(
        self,
        field: SceneField,
        cameras: CameraRig,
        color: bool = True,
        language: bool = True,
        progress: ProgressListener | None = None,
    ) -> RenderedViews:
        """Renders a field into cameras, on the published grid of their size.

        Args:
            field: What `encode` predicted.
            cameras: Calibration at the resolution of the rays, ego frame; `cameras.resized(*config.render_size)`
                is the published one.
            color: Decode RGB at twice the resolution, where the variant can.
            language: Composite language features, where the variant has any.
            progress: Told how far the work is.
        """
        decoder = self.decoder if color else None
        content = field.language if decoder is None else field.appearance
        features, views = self.composite(field, content, cameras, progress)
        if decoder is not None:
            with watched(decoder_stages(decoder), progress):
                return replace(views, rgb=self.decode(features))
        return replace(views, language=features if language and features.shape[1] else None)

    def composite(
        self,
        field: SceneField,
        content: Float[Tensor, "rows channels"],
        cameras: CameraRig,
        progress: ProgressListener | None = None,
    ) -> tuple[Float[Tensor, "cameras channels h w"], RenderedViews]:
        """Composites a table with one entry for each row of a field along the rays of the published grid.

        Args:
            field: What `encode` predicted.
            content: Its appearance or language.
            cameras: Calibration at the size of the grid, ego frame.
            progress: Told how far the work is.

        Returns:
            Images of the content, scaled as the decoder takes them, and views without colour or language.
        """
        empty, config = content[field.empty_row], self.config.renderer
        offset = content - empty
        chunks = counted(list(self.rays(cameras).chunks(config.chunk_rays)), "rendering", progress)
        parts = [render_rays(field, offset, origins, directions, config) for origins, directions in chunks]
        shape = (len(cameras), cameras.height, cameras.width)
        # The sample weights of a ray add up to its opacity, with which it sees what empty space holds.
        composited = torch.cat([part.features + part.opacity[:, None] * empty for part in parts])
        views = RenderedViews(
            rgb=None,
            ray_distance_m=torch.cat([part.distance_m for part in parts]).view(shape),
            median_distance_m=torch.cat([part.median_m for part in parts]).view(shape),
            opacity=torch.cat([part.opacity for part in parts]).view(shape),
            language=None,
        )
        return 2.0 * composited.view(*shape, -1).permute(0, 3, 1, 2) - 1.0, views

    def decode(self, features: Float[Tensor, "cameras channels h w"]) -> Float[Tensor, "cameras 3 height width"]:
        """Returns the colours of composited appearance at twice its size; feature variants cannot."""
        assert self.decoder is not None
        colors: Tensor = self.decoder(nn.functional.pad(features, (0, 0, 0, 0, 0, 1), value=-1.0))
        return colors

    def _in_field(self, rig: CameraRig) -> CameraRig:
        field_from_ego = self.config.field_from_ego().to(rig.camera_to_ego)
        return replace(rig, camera_to_ego=field_from_ego @ rig.camera_to_ego)
