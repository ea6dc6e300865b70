"""The residual process: what some known grades of a query say about its other pairs.

What belongs here: the model, fitting its five parameters, and the grades that it expects. What does
not: choosing the pairs whose grades are asked for (asking.py) and the student's own grades
(student/labeler.py).

A residual is the teacher's grade minus the student's expected grade. The residuals of one query are
alike in three ways: the student is too strict or too generous with the query as a whole, it misjudges
similar documents alike, and it weighs a feature wrongly for this query. So they are modelled as a
Gaussian process (Rasmussen & Williams 2006, chapters 2 and 5). For pairs i and j of one query

    covariance = s_i s_j (offset + similarity * exp((v_i . v_j - 1) / length) + features * f_i . f_j / F)

s is the standard deviation of the student's own grade probabilities: where the student is sure, little
may change. v is the document's unit mean vector, f the pair's F standardized features. Each grade has
independent noise of the variance noise * s^2 besides. Pairs of different queries are independent.

Without a known grade, the expected grade is the student's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from relabel_assets.progress import Progress, silent

# The centre and the spread of a weak log-normal prior, from fits to four corpora. It decides where few
# queries are graded: there, parameters fitted without it end at zero or infinity.
_PRIOR = {"offset": 0.06, "similarity": 0.6, "length": 0.2, "features": 0.2, "noise": 0.15}
_PRIOR_STD = 1.0  # of the logarithm: a factor of e is as usual as none
# Of a grade, squared. Keeps the covariance of equal documents invertible.
_JITTER = 2e-3
_MIN_STD = 0.01  # of the student's probabilities: a certain student may still be wrong
# A fit takes 20 s with them; more make the five parameters no better. Not measured beyond.
_MAX_QUERIES = 300
_MAX_PAIRS_PER_QUERY = 250
_ITERATIONS = 50


@dataclass(frozen=True)
class QueryPairs:
    """The n pairs of one query, as the student sees them.

    `expected` (n,) is the student's expected grade, and `std` (n,) the standard deviation of its grade
    probabilities. `vectors` (n, H) are the documents' unit mean vectors, `features` (n, F) the
    standardized features.
    """

    expected: NDArray
    std: NDArray
    vectors: NDArray
    features: NDArray

    @classmethod
    def of(cls, grade_probs: NDArray, vectors: NDArray, features: NDArray) -> "QueryPairs":
        """The pairs with these probabilities of each grade, (n, n_grades).

        >>> QueryPairs.of(np.array([[0.5, 0.0, 0.5]]), np.ones((1, 1)), np.zeros((1, 1))).std.tolist()
        [1.0]
        """
        grades = np.arange(grade_probs.shape[1])
        expected = grade_probs @ grades
        variance = grade_probs @ grades**2 - expected**2
        std = np.sqrt(np.maximum(variance, _MIN_STD**2))
        return cls(expected, std, vectors, features)

    def __len__(self) -> int:
        return len(self.expected)


@dataclass(frozen=True)
class Posterior:
    """The `mean` and the `variance` of each pair's grade, (n,) each, given the known grades."""

    mean: NDArray
    variance: NDArray


class ResidualProcess(pydantic.BaseModel):
    """The parameters of the process, all positive. See the module's docstring.

    >>> process = ResidualProcess(offset=0.1, similarity=0.6, length=0.2, features=0.1, noise=0.1)
    >>> twins_and_another = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> pairs = QueryPairs(np.ones(3), np.ones(3), twins_and_another, np.zeros((3, 1)))
    >>> process.posterior(pairs, known=[0], grades=[3]).mean.round(1).tolist()
    [2.7, 2.7, 1.3]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False, frozen=True)

    offset: float = pydantic.Field(gt=0)
    similarity: float = pydantic.Field(gt=0)
    length: float = pydantic.Field(gt=0)
    features: float = pydantic.Field(gt=0)
    noise: float = pydantic.Field(gt=0)

    def covariance(self, pairs: QueryPairs, known: Sequence[int] | NDArray = ()) -> NDArray:
        """The covariance of the residuals (n, n) given grades of the rows `known` (K,), without the noise.

        It does not depend on what these grades are.
        """
        parameters = torch.tensor([getattr(self, name) for name in _PRIOR], dtype=torch.double)
        covariance: NDArray = _covariance(parameters, _Tensors.of(pairs))[0].numpy()
        rows = np.asarray(known, dtype=int)
        if not len(rows):
            return covariance
        return covariance - covariance[:, rows] @ cho_solve(
            self._factor(pairs, covariance, rows), covariance[rows]
        )

    def noise_variance(self, pairs: QueryPairs) -> NDArray:
        """The variance of the noise of each pair's grade, (n,)."""
        return self.noise * pairs.std**2 + _JITTER

    def posterior(
        self, pairs: QueryPairs, known: Sequence[int] | NDArray, grades: Sequence[int] | NDArray
    ) -> Posterior:
        """The grades of `pairs`, given the `grades` (K,) of the rows `known` (K,).

        A known pair's own mean is between its grade and what the others say: grades have noise.
        """
        covariance, rows = self.covariance(pairs), np.asarray(known, dtype=int)
        prior_variance = np.diagonal(covariance)
        if not len(rows):
            return Posterior(pairs.expected.copy(), prior_variance.copy())
        factor = self._factor(pairs, covariance, rows)
        residuals = np.asarray(grades, dtype=float) - pairs.expected[rows]
        mean = pairs.expected + covariance[:, rows] @ cho_solve(factor, residuals)
        explained = (covariance[:, rows] * cho_solve(factor, covariance[rows]).T).sum(axis=1)
        return Posterior(mean, np.maximum(prior_variance - explained, 0.0))

    def _factor(
        self, pairs: QueryPairs, covariance: NDArray, rows: NDArray
    ) -> tuple[NDArray, bool]:
        """The Cholesky factor of the covariance of the grades of `rows`, their noise included."""
        noise = np.diag(self.noise_variance(pairs)[rows])
        factor: tuple[NDArray, bool] = cho_factor(covariance[np.ix_(rows, rows)] + noise)
        return factor


def fit_residual_process(
    queries: Sequence[tuple[QueryPairs, Sequence[int] | NDArray]],
    seed: int,
    progress: Progress = silent,
) -> ResidualProcess:
    """The process under which the teacher's grades of these queries are most likely.

    `queries` has the pairs of each query and their grades (n,). The student's probabilities must come
    from a student that had not seen the query: else its residuals are too small. `seed` draws 300
    queries, and 250 pairs of each, where there are more.

    >>> east, north = [1.0, 0.0], [0.0, 1.0]
    >>> pairs = QueryPairs(np.ones(4), np.ones(4), np.array([east, east, north, north]), np.zeros((4, 1)))
    >>> alike = fit_residual_process([(pairs, [3, 3, 0, 0]), (pairs, [0, 0, 2, 2])], seed=13)
    >>> unlike = fit_residual_process([(pairs, [3, 0, 3, 0]), (pairs, [0, 2, 0, 2])], seed=13)
    >>> alike.noise < unlike.noise
    True
    """
    chosen = _sampled(queries, seed)
    centre = torch.tensor(list(_PRIOR.values()), dtype=torch.double).log()
    logarithms = centre.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logarithms], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    n_evaluated = 0

    def step() -> torch.Tensor:
        nonlocal n_evaluated
        progress("fitting the second stage, evaluations of the likelihood", n_evaluated, 0)
        n_evaluated += 1
        optimizer.zero_grad()
        loss = (((logarithms - centre) / _PRIOR_STD) ** 2).sum() / 2
        for tensors, residuals in chosen:
            loss = loss + _negative_log_likelihood(logarithms.exp(), tensors, residuals)
        loss.backward()
        return loss

    optimizer.step(step)
    fitted = logarithms.detach().exp().tolist()
    return ResidualProcess(**dict(zip(_PRIOR, fitted, strict=True)))


@dataclass(frozen=True)
class _Tensors:
    """What the covariance of a query's n pairs is computed from; its parameters apart."""

    std: torch.Tensor  # (n,)
    cosines: torch.Tensor  # (n, n)
    products: torch.Tensor  # of features, (n, n)

    @classmethod
    def of(cls, pairs: QueryPairs) -> "_Tensors":
        vectors = torch.tensor(pairs.vectors, dtype=torch.double)
        features = torch.tensor(pairs.features, dtype=torch.double)
        return cls(
            torch.tensor(pairs.std, dtype=torch.double),
            vectors @ vectors.T,
            features @ features.T / max(1, features.shape[1]),
        )


def _covariance(parameters: torch.Tensor, pairs: _Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    """The covariance of the residuals (n, n), and the variance of the noise (n,)."""
    offset, similarity, length, features, noise = parameters
    alike = similarity * torch.exp((pairs.cosines - 1) / length)
    covariance = torch.outer(pairs.std, pairs.std) * (offset + alike + features * pairs.products)
    return covariance, noise * pairs.std**2 + _JITTER


def _negative_log_likelihood(
    parameters: torch.Tensor, pairs: _Tensors, residuals: torch.Tensor
) -> torch.Tensor:
    """Of the residuals (n,) of one query, without its constant."""
    covariance, noise = _covariance(parameters, pairs)
    factor = torch.linalg.cholesky(covariance + torch.diag(noise))
    whitened = torch.linalg.solve_triangular(factor, residuals[:, None], upper=False)
    return (whitened**2).sum() / 2 + torch.log(torch.diagonal(factor)).sum()


def _sampled(
    queries: Sequence[tuple[QueryPairs, Sequence[int] | NDArray]], seed: int
) -> list[tuple[_Tensors, torch.Tensor]]:
    """The queries to fit to, with the residuals of their pairs."""
    draw = np.random.default_rng(seed)
    n_queries = min(len(queries), _MAX_QUERIES)
    sampled = []
    for number in sorted(draw.choice(len(queries), n_queries, replace=False)):
        pairs, grades = queries[number]
        n_pairs = min(len(pairs), _MAX_PAIRS_PER_QUERY)
        rows = np.sort(draw.choice(len(pairs), n_pairs, replace=False))
        residuals = np.asarray(grades, dtype=float)[rows] - pairs.expected[rows]
        some = QueryPairs(
            pairs.expected[rows], pairs.std[rows], pairs.vectors[rows], pairs.features[rows]
        )
        sampled.append((_Tensors.of(some), torch.tensor(residuals)))
    return sampled
