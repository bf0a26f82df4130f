"""What the published network does and one would not do today, named in one place.

Its weights have learned with these, so the reference variants follow them; `tiny` does the better thing.
"""

from enum import Enum


class Choice(Enum):
    """A choice of the published network (reference network, sections 1.12, 1.13 and 5.1)."""

    EMPTY_FIRST_LEAF = "empty-first-leaf"
    NEAREST_VOXEL = "nearest-voxel"
    CLAMPED_TO_BOX = "clamped-to-box"
    INTEGER_PIXELS = "integer-pixels"
    ALIGNED_CORNERS = "aligned-corners"
    SAMPLE_JITTER = "sample-jitter"

    @property
    def sentence(self) -> str:
        """Says what the published network does, and what is better."""
        return _SENTENCES[self]


_SENTENCES = {
    Choice.EMPTY_FIRST_LEAF: (
        "The voxel with the smallest Morton code of each level counts as occupied but holds zeros; "
        "no voxel deserves this."
    ),
    Choice.NEAREST_VOXEL: "A point reads the voxel that contains it; trilinear interpolation would be smoother.",
    Choice.CLAMPED_TO_BOX: (
        "What lies beyond the box, in linear variants 50 m around and 15 m up and down, is pooled into the outermost "
        "layer of voxels; it should be dropped."
    ),
    Choice.INTEGER_PIXELS: (
        "Pixel i of the resized image lies at coordinate i of the scaled camera, though resizing aligns pixel centres: "
        "about three pixels of the original image too far to the upper left."
    ),
    Choice.ALIGNED_CORNERS: (
        "Corners of the render grid are those of the image, while the decoder doubles it by repetition: the two grids "
        "drift apart by up to half a pixel."
    ),
    Choice.SAMPLE_JITTER: (
        "Samples of the first pass are drawn at random within their intervals, in evaluation too; the weights do not "
        "depend on it, so that here the midpoints are taken and the same images give the same views."
    ),
}

FOLLOWED = tuple(choice for choice in Choice if choice is not Choice.SAMPLE_JITTER)
"""Choices that the reference variants follow, since the weights depend on them."""
