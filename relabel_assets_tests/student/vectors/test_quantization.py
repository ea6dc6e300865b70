"""8 bits a value: the rounding, the length of a vector, and vectors without a number."""

import numpy as np
import pytest

from relabel_assets.student.vectors.quantization import dequantized, quantized


def unit_vectors(n: int, width: int) -> np.ndarray:
    vectors = np.random.default_rng(13).normal(size=(n, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_greatest_value_of_each_vector_is_127_and_others_are_rounded_to_the_nearest() -> None:
    values, _ = quantized(np.array([[1.0, 0.501], [-0.02, 0.0098]], dtype=np.float32))
    # .501 * 127 = 63.6, and .0098 / .02 * 127 = 62.2.
    assert values.tolist() == [[127, 64], [-127, 62]]


def test_a_vector_keeps_its_length() -> None:
    vectors = unit_vectors(100, 384)
    again = dequantized(*quantized(vectors))
    assert np.linalg.norm(again, axis=1) == pytest.approx(np.ones(100), abs=1e-6)
    longer = dequantized(*quantized(3 * vectors))
    assert np.linalg.norm(longer, axis=1) == pytest.approx(np.full(100, 3.0), abs=1e-5)


def test_a_value_is_at_most_half_a_step_off_and_a_little_for_the_length() -> None:
    vectors = unit_vectors(100, 384)
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    assert (np.abs(dequantized(*quantized(vectors)) - vectors) <= 0.6 * step).all()


def test_quantizing_a_quantized_vector_again_changes_no_byte() -> None:
    values, scales = quantized(unit_vectors(100, 384))
    again, same_scales = quantized(dequantized(values, scales))
    assert np.array_equal(values, again)
    assert scales == pytest.approx(same_scales, rel=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours() -> None:
    vectors = unit_vectors(7, 32)
    together = dequantized(*quantized(vectors))
    alone = [dequantized(*quantized(vectors[row : row + 1]))[0] for row in range(7)]
    assert np.array_equal(together, np.stack(alone))


def test_zeros_stay_zeros_and_a_vector_without_a_number_keeps_none() -> None:
    nan, inf = float("nan"), float("inf")
    vectors = np.array([[0.0, 0.0], [nan, 1.0], [1.0, -inf], [0.6, 0.8]], dtype=np.float32)
    zeros, with_nan, with_inf, plain = dequantized(*quantized(vectors))
    assert zeros.tolist() == [0.0, 0.0]
    assert np.isnan(with_nan).all() and np.isnan(with_inf).all()
    assert plain == pytest.approx([0.6, 0.8], abs=0.005)


def test_no_vectors_are_no_vectors() -> None:
    assert dequantized(*quantized(np.empty((0, 4), dtype=np.float32))).shape == (0, 4)
