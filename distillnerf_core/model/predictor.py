"""The feed-forward network: images to a scene field, and the field to images."""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.coarse_depth import CoarseDepthConfig, CoarseDepthEstimator
from distillnerf_core.model.compositing import RayDepth
from distillnerf_core.model.decoder import DecoderConfig, create_decoder
from distillnerf_core.model.fine_depth import FineDepthConfig, FineDepthEstimator, Frustum, one_stage_frustum
from distillnerf_core.model.image_encoder import ImageEncoder, ImageEncoderConfig
from distillnerf_core.model.lifting import lift, pool
from distillnerf_core.model.progress import ProgressListener, announce, counted
from distillnerf_core.model.renderer import RenderedRays, RendererConfig, render_rays
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.model.voxel_network import VoxelNetwork, VoxelNetworkConfig


class PredictorConfig(Config):
    """Architecture of the predictor; the default is `tiny`.

    Attributes:
        image_height: Network input height in pixels, a multiple of 2.
        image_width: Network input width in pixels, a multiple of 2.
        feature_channels: Channels lifted into space, half for each voxel level.
        language_channels: Width of the compressed text-embedding space.
        space: Contraction of space.
        levels: Octree levels (coarse, fine).
        two_stage_depth: False lifts from the first depth stage alone (an ablation of the paper).
        encoder: Image pyramid.
        coarse_depth: First depth stage.
        fine_depth: Second depth stage.
        voxels: Sparse voxel network.
        renderer: Sampling along rays.
        decoder: Colour decoder.
    """

    image_height: int = 96
    image_width: int = 176
    feature_channels: int = 48
    language_channels: int = 32
    space: ContractedSpace = ContractedSpace()
    levels: tuple[int, int] = (6, 8)
    two_stage_depth: bool = True
    encoder: ImageEncoderConfig = ImageEncoderConfig()
    coarse_depth: CoarseDepthConfig = CoarseDepthConfig()
    fine_depth: FineDepthConfig = FineDepthConfig()
    voxels: VoxelNetworkConfig = VoxelNetworkConfig()
    renderer: RendererConfig = RendererConfig()
    decoder: DecoderConfig = DecoderConfig()


@dataclass(frozen=True)
class Stages:
    """Which stages of the method take part; the default is all of them.

    Attributes:
        two_stage_depth: False lifts from the first depth stage alone.
        fine_voxels: False leaves the coarse voxels alone.
    """

    two_stage_depth: bool = True
    fine_voxels: bool = True


@dataclass(frozen=True)
class DepthEstimate:
    """What both depth stages say of each pixel.

    Attributes:
        features: Image features, and behind them the colours of the four pixels that each covers.
        coarse: Depth rendered from the first stage.
        frustum: Candidates of the second stage.
        rig: Cameras at the resolution of all of these.
    """

    features: Float[Tensor, "cameras channels h w"]
    coarse: RayDepth
    frustum: Frustum
    rig: CameraRig


@dataclass(frozen=True)
class EncodedScene:
    """A field with the intermediate estimates that training supervises.

    Attributes:
        field: The predicted field.
        depth: What it was lifted from.
    """

    field: SceneField
    depth: DepthEstimate


class ScenePredictor(nn.Module):
    """DistillNeRF: image encoder, two-stage depth, lifting, sparse voxels, scene field, renderer, decoder.

    Args:
        config: Architecture; weights are drawn at random.

    Attributes:
        config: The architecture.
        stages: Which stages :meth:`encode` runs.
    """

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = Stages(two_stage_depth=config.two_stage_depth)
        features = config.encoder.output_channels
        self.image_encoder = ImageEncoder(config.encoder)
        self.coarse_depth = CoarseDepthEstimator(features, config.coarse_depth)
        self.fine_depth = FineDepthEstimator(features, config.fine_depth)
        self.lifted_features = nn.Conv2d(features + 3 * 4, config.feature_channels, 1)
        self.voxel_network = VoxelNetwork(
            config.feature_channels, config.language_channels, config.levels, config.space, config.voxels
        )
        self.decoder = create_decoder(config.feature_channels + 1, config.decoder)

    def encode_frame(self, frame: MultiViewFrame, progress: ProgressListener | None = None) -> SceneField:
        """Predicts the field of one glance.

        Args:
            frame: Images at (image_height, image_width); cameras that are masked out are ignored.
            progress: Told how far the work is.

        Returns:
            Field in the ego frame of the glance.
        """
        announce("encoding", progress)
        return self.encode_scene(frame, self.stages).field

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""
        return self.config.image_height, self.config.image_width

    def with_stages(self, stages: Stages) -> "ScenePredictor":
        """Returns a predictor of the same weights that encodes with the given stages only (a baseline)."""
        other = copy.copy(self)
        other.stages = stages
        return other

    def estimate_depth(self, frame: MultiViewFrame, stages: Stages) -> DepthEstimate:
        """Runs the image encoder and both depth stages on the cameras that are present."""
        frame = frame.visible()
        features = self.image_encoder(frame.images, frame.rig)
        coarse: RayDepth = self.coarse_depth(features)
        if stages.two_stage_depth and self.config.two_stage_depth:
            frustum: Frustum = self.fine_depth(features, coarse.distance_m)
        else:
            frustum = one_stage_frustum(coarse, self.coarse_depth.edges_m, self.config.fine_depth)
        # Colour is lifted as it is, so that the deep features need not carry it.
        colors = torch.nn.functional.pixel_unshuffle(2.0 * frame.images - 1.0, 2)
        rig = frame.rig.resized(*features.shape[-2:])
        return DepthEstimate(torch.cat((features, colors), dim=1), coarse, frustum, rig)

    def encode_scene(self, frame: MultiViewFrame, stages: Stages) -> EncodedScene:
        """Predicts the field and keeps the intermediate estimates, which training supervises."""
        depth = self.estimate_depth(frame, stages)
        lifted = pool(
            depth.frustum,
            lift(depth.frustum, depth.rig),
            self.lifted_features(depth.features),
            self.config.space,
            self.config.levels,
            frame.visible().valid_at(depth.rig.height, depth.rig.width),
        )
        return EncodedScene(self.voxel_network(lifted, stages.fine_voxels), depth)

    def render(
        self,
        field: SceneField,
        cameras: CameraRig,
        color: bool = True,
        language: bool = True,
        progress: ProgressListener | None = None,
    ) -> RenderedViews:
        """Renders a field into the cameras of a rig.

        Args:
            field: What `encode` predicted.
            cameras: Calibration at the resolution of the rays; `cameras.resized(...)` chooses it.
            color: Decode RGB, at twice the resolution.
            language: Composite language features.
            progress: Told how far the work is.

        Returns:
            Images of all cameras of the rig.
        """
        content = torch.cat((field.appearance, field.language), dim=1) if language else field.appearance
        rays = list(camera_rays(cameras).chunks(self.config.renderer.chunk_rays))
        chunks = counted(rays, "rendering", progress)
        parts = [render_rays(field, content, *pair, self.config.renderer) for pair in chunks]
        return self.assemble(parts, cameras, color)

    def assemble(self, parts: list[RenderedRays], rig: CameraRig, color: bool = True) -> RenderedViews:
        """Puts rendered rays (row-major over the rig's pixels) back into images and decodes colour."""
        shape = (len(rig), rig.height, rig.width)
        opacity = torch.cat([part.opacity for part in parts]).view(shape)
        features = torch.cat([part.features for part in parts]).view(*shape, -1).permute(0, 3, 1, 2)
        appearance, language = features.tensor_split((self.config.feature_channels,), dim=1)
        rgb: Float[Tensor, "cameras 3 height width"] | None = None
        if color:
            rgb = self.decoder(torch.cat((appearance, opacity[:, None]), dim=1))
        distance = torch.cat([part.distance_m for part in parts]).view(shape)
        median = torch.cat([part.median_m for part in parts]).view(shape)
        return RenderedViews(rgb, distance, median, opacity, language if language.shape[1] else None)
