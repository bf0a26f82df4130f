import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import fit_feature_pca
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS, embed_classes, embed_words
from distillnerf_core.language.vocabulary import VOCABULARY
from distillnerf_core.model.checkpoint import save_predictor
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import PerceptionResult

HEIGHT, WIDTH = 32, 64
_YAW_DEG = {"CAM_FRONT": 0.0, "CAM_FRONT_LEFT": 55.0, "CAM_BACK": 180.0}


@pytest.fixture(scope="session")
def encoder() -> MiniLmEncoder:
    """The default text encoder, loaded once."""
    return MiniLmEncoder()


@pytest.fixture(scope="session")
def codec(encoder: MiniLmEncoder) -> FeatureCodec:
    """A codec fitted on few words, which is quicker."""
    classes, words = embed_classes(encoder), embed_words(encoder, VOCABULARY[::12])
    pca = fit_feature_pca(classes, words, channels=24)
    return FeatureCodec(pca, normalize(pca.reduce(classes), dim=1), tuple(CLASS_PROMPTS), encoder.name)


@pytest.fixture(scope="session")
def rig() -> CameraRig:
    """Three cameras at 1.5 m that look to the front, the left and the back."""
    poses = torch.eye(4).repeat(len(_YAW_DEG), 1, 1)
    optical = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    for pose, yaw in zip(poses, _YAW_DEG.values(), strict=True):
        cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
        pose[:3, :3] = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ optical
        pose[:3, 3] = torch.tensor([0.0, 0.0, 1.5])
    intrinsics = torch.tensor([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]]).repeat(3, 1, 1)
    return CameraRig(tuple(_YAW_DEG), intrinsics, poses, HEIGHT, WIDTH)


@pytest.fixture(scope="session")
def frame(rig: CameraRig) -> MultiViewFrame:
    """Random images; the camera at the left is missing."""
    images = torch.rand(3, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([True, False, True])
    images[1] = 0
    return MultiViewFrame(1_000_000_000, rig, images, mask, (1_000_000_000, 0, 1_030_000_000))


@pytest.fixture(scope="session")
def checkpoint(codec: FeatureCodec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor that never learned anything."""
    torch.manual_seed(0)
    config = PredictorConfig(image_height=HEIGHT, image_width=WIDTH, language_channels=codec.channels)
    path = tmp_path_factory.mktemp("checkpoint") / "random.safetensors"
    save_predictor(path, config, ScenePredictor(config).state_dict(), codec, {})
    return path


@pytest.fixture(scope="session")
def pipeline(checkpoint: Path, encoder: MiniLmEncoder) -> PerceptionPipeline:
    """The pipeline around that predictor."""
    return PerceptionPipeline.from_checkpoint(checkpoint, device="cpu", encoder=encoder)


@pytest.fixture(scope="session")
def result(pipeline: PerceptionPipeline, frame: MultiViewFrame) -> PerceptionResult:
    """All outputs for the frame."""
    return pipeline.perceive(frame)
