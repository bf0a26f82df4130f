"""The steps of the published network that are reported while a frame takes long."""

from distillnerf_core.model.depth_prior.extractor import DepthPrior
from distillnerf_core.model.progress import WatchedStage
from distillnerf_core.model.reference.blocks import BottleneckBlock
from distillnerf_core.model.reference.coarse import CoarseDepthStage
from distillnerf_core.model.reference.decoder import ReferenceDecoder
from distillnerf_core.model.reference.fine import FineDepthStage
from distillnerf_core.voxels.convolution import SparseConv3d
from distillnerf_core.voxels.network import SparseVoxelNetwork


def depth_stages(
    prior: DepthPrior, coarse: CoarseDepthStage, fine: FineDepthStage, cameras: int
) -> tuple[WatchedStage, ...]:
    """Returns the stages before lifting: the prior's blocks for each camera, the coarse blocks, the scored cameras."""
    return (
        WatchedStage("depth prior", (*prior.transformer.blocks, prior.head), cameras),
        WatchedStage("coarse depth", [block for block in coarse.modules() if isinstance(block, BottleneckBlock)]),
        WatchedStage("fine depth", (fine.scorer,), cameras),
    )


def network_stages(network: SparseVoxelNetwork) -> tuple[WatchedStage, ...]:
    """Returns the sparse network, a step for each convolution."""
    return (WatchedStage("sparse network", [layer for layer in network.modules() if isinstance(layer, SparseConv3d)]),)


def decoder_stages(decoder: ReferenceDecoder) -> tuple[WatchedStage, ...]:
    """Returns the decoder, a step for each hidden layer."""
    return (WatchedStage("decoder", tuple(decoder.layers)),)
