"""Scores of features against a text and what it should not be: a softmax over cosines."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

DEFAULT_TEMPERATURE = 0.1
"""Softmax temperature; chosen so that a class's own words score above 0.5 and other classes' below 0.1."""
SYNONYM_SIMILARITY = 0.2
"""A class is taken for a synonym of a text from this cosine on."""


def score(
    features: Float[Tensor, "points channels"],
    texts: Float[Tensor, "texts channels"],
    negatives: Float[Tensor, "negatives channels"],
    kept: Bool[Tensor, "texts negatives"] | None = None,
    temperature: float = DEFAULT_TEMPERATURE,
) -> Float[Tensor, "texts points"]:
    """Scores every point against every text: softmax of the text against the negatives.

    score = exp(f.t / T) / (exp(f.t / T) + sum_j exp(f.n_j / T)), with f of unit length. A text does not
    compete with the other texts, so asking for more at once changes no answer. Without negatives the score
    is the cosine mapped to [0, 1].

    Args:
        features: Language features of any length; a zero feature scores as far from everything.
        texts: Text features as :meth:`FeatureCodec.encode_text` gives them (length at most 1).
        negatives: Text features of what an answer must beat.
        kept: Which negatives count for which text; None: all. See :func:`keep_negatives`.
        temperature: Softmax temperature T.

    Returns:
        Scores in [0, 1].
    """
    unit = normalize(features, dim=-1)
    wanted = texts @ unit.T
    if len(negatives) == 0:
        return (wanted.clamp(-1, 1) + 1) / 2
    unwanted = (negatives @ unit.T / temperature).expand(len(texts), -1, -1)
    if kept is not None:
        unwanted = unwanted.masked_fill(~kept[:, :, None], -torch.inf)
    return torch.sigmoid(wanted / temperature - torch.logsumexp(unwanted, dim=1))


def keep_negatives(
    texts: Float[Tensor, "texts channels"],
    negatives: Float[Tensor, "negatives channels"],
    similarity: float = SYNONYM_SIMILARITY,
) -> Bool[Tensor, "texts negatives"]:
    """Decides which classes compete with a text as default negatives.

    A text must not compete with the class that means the same: "automobile" with car. A plain threshold
    cannot tell a synonym ("lamp post" and building: 0.27) from a relative ("street" and sidewalk: 0.37), so
    only the class nearest to the text is dropped, and only if it is at least `similarity` alike. A word
    foreign to all classes keeps every negative and scores low everywhere.

    Args:
        texts: Text features.
        negatives: Class features.
        similarity: Least cosine of a synonym.

    Returns:
        True where the negative stays.
    """
    kept = torch.ones(len(texts), len(negatives), dtype=torch.bool, device=texts.device)
    if len(negatives) == 0:
        return kept
    nearest = (texts @ normalize(negatives, dim=-1).T).max(dim=1)
    return kept.scatter(1, nearest.indices[:, None], (nearest.values < similarity)[:, None])
