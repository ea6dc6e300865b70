"""Quantization: token vectors in 8 bits a value, with one scale a vector.

What belongs here: rounding vectors and giving them back. What does not: the bytes of a document
(packed_document.py), and models in fewer bits (runtime/precision.py).

A vector takes a quarter of its size in fp32. Every vector of a document is rounded, whether it was just
computed or comes from the store: so both are equal, and a grade does not depend on what the store has.
Measured: at least 99.9 % of grades stay as they are in fp32 (docs/experiments.md).
"""

import numpy as np
from numpy.typing import NDArray

_GREATEST = 127  # of a signed byte, the same in both directions


def quantized(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The values (N, H) of `vectors` (N, H) as bytes, and the scale of each vector, (N,).

    The greatest value of a vector becomes 127. The scale gives a vector back its length, so a unit
    vector stays one. A vector with a value that is no number becomes one without any number.

    >>> values, scales = quantized(np.array([[0.6, -0.8]], dtype=np.float32))
    >>> values.tolist(), dequantized(values, scales).round(3).tolist()
    ([[95, -127]], [[0.5989999771118164, -0.8009999990463257]])
    """
    greatest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    is_number = np.isfinite(greatest)
    steps = np.where(is_number & (greatest > 0), greatest, 1.0) / _GREATEST
    values = np.rint(np.where(is_number, vectors, 0.0) / steps).astype(np.int8)
    lengths, rounded = _lengths(vectors), _lengths(values)
    # Both are 0 for a vector of zeros, and the scale of one without a number is NaN.
    scales = np.where(is_number[:, 0], lengths / np.maximum(rounded, 1.0), np.nan)
    return values, scales.astype(np.float32)


def dequantized(values: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors (N, H) of bytes (N, H) and scales (N,).

    >>> dequantized(np.array([[127, 0]], dtype=np.int8), np.array([0.5], dtype=np.float32)).tolist()
    [[63.5, 0.0]]
    """
    vectors = values.astype(np.float32)
    vectors *= scales[:, None]
    return vectors


def _lengths(vectors: NDArray) -> NDArray[np.float64]:
    # In 64 bits, whose sums of squared bytes are exact: the same on every machine.
    exact = vectors.astype(np.float64)
    return np.sqrt(np.einsum("nh,nh->n", exact, exact))
