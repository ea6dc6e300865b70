"""The projection of token vectors that brings out what documents differ in.

What belongs here: making it. What does not: applying it (encoder.py, evidence.py) and whether it is of use (interaction.py).
"""

import torch
from torch import Tensor

DOCUMENTS = 256  # some 20,000 tokens, many times the vectors' width
_POWER = 0.35
_LEAST_SHARE = 1e-6


def coloring(vectors: Tensor) -> Tensor | None:
    """C ** 0.35, (H, H), where C is the covariance of token vectors (N, H); None for fewer tokens than twice their width.

    The opposite of whitening, which is C ** -0.5 (Kessy, Lewin & Strimmer 2018): directions in which documents differ
    most count more in a cosine. It needs no grades; docs/student.md has what it is worth.
    """
    if len(vectors) < 2 * vectors.shape[1]:
        return None
    values, directions = torch.linalg.eigh(torch.cov(vectors.double().T))
    shares = (values / values.mean()).clamp(min=_LEAST_SHARE)
    return (directions * shares**_POWER @ directions.T).float()
