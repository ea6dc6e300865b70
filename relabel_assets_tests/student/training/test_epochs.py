"""The choice of the best epoch."""

import pytest

from relabel_assets.student.training.epochs import Epoch, best_epoch


def history(*dev_metrics: float | None) -> list[Epoch]:
    return [
        Epoch(number, None if number == 0 else 0.5, metric)
        for number, metric in enumerate(dev_metrics)
    ]


@pytest.mark.parametrize(
    ("dev_metrics", "best"),
    [
        ((0.5, 0.7, 0.6), 1),
        ((0.5, 0.7, 0.7), 1),  # of equal epochs the first
        ((0.7, 0.7, 0.7), 0),  # training that gained nothing keeps the base
        ((0.7, 0.6, 0.5), 0),
        ((0.0, 0.0), 0),
        ((0.0, 0.1), 1),
        ((None, None, None), 2),  # without dev the last
        ((None,), 0),
    ],
)
def test_the_first_of_equally_good_epochs_is_kept(
    dev_metrics: tuple[float | None, ...], best: int
) -> None:
    assert best_epoch(history(*dev_metrics)).number == best
