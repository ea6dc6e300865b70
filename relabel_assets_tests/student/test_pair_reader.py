"""Code shared by cross-encoders and decoders: document text, order of scores, loss of a step."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import pair_reader
from relabel_assets.student.grader import TrainingTask
from relabel_assets.student.pair_reader import PairLearner, document_text, score_pairs
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets.student.training.fit import GradedQuery
from relabel_assets.student.training.losses import ranking_loss


def test_a_document_is_its_header_and_its_body() -> None:
    document = {"title": "Leave", "author": None, "updated_at": "2026-01-01", "body": "Rules."}
    assert document_text({"text": "q"} | document, 64) == "Leave | 2026-01-01\nRules."
    assert document_text({"text": "q", "title": None, "body": "Rules."}, 64) == "Rules."
    assert document_text({"text": "q", "title": "Leave", "body": None}, 64) == "Leave"


def test_a_long_body_is_cut_to_the_passages_nearest_the_query() -> None:
    parts = [f"Part {n} is about subject{n}. " + "Filler words. " * 10 for n in range(40)]
    pair = {"text": "subject30", "title": "Leave", "body": "\n\n".join(parts)}
    text = document_text(pair, 192)
    assert text.startswith("Leave\nPart 0 ") and "about subject30." in text
    assert len(text) <= 192 * 4 - len("subject30")
    crowded = pair | {"text": "subject30 " * 200, "title": "t" * 300}
    assert "about subject30." in document_text(crowded, 64)  # 240 bytes are left to the body


def tokenize(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"input_ids": [1] * pair["length"], "score": pair["score"]} for pair in pairs]


def test_scores_are_in_the_order_of_pairs_across_batches_and_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair_reader, "_PAIRS_PER_CHUNK", 4)
    lengths, scores = [5, 1, 9, 3, 7, 2, 8, 4, 6, 10], [float(n) for n in range(10)]
    pairs = pl.DataFrame({"length": lengths, "score": scores})
    reports: list[tuple[int, int, str]] = []
    times = iter([100.0, 102.0, 102.0, 104.0])
    monkeypatch.setattr(pair_reader, "monotonic", lambda: next(times))
    scored = score_pairs(
        pairs,
        tokenize,  # type: ignore[arg-type]
        lambda rows: torch.tensor([row["score"] for row in rows]),
        lambda step, done, total, note="": reports.append((done, total, note)),
    )
    assert scored.tolist() == scores
    assert reports == [
        (0, 10, ""),
        (4, 10, "2.0 pairs/s"),
        (8, 10, "4.0 pairs/s"),
        (10, 10, "2.5 pairs/s"),
    ]


def test_tokens_that_rows_share_do_not_count_for_the_size_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair_reader, "max_batch_tokens", lambda: 10)
    pairs = pl.DataFrame({"length": [6] * 5, "score": [1.0] * 5})
    sizes: dict[int, list[int]] = {0: [], 4: []}
    for n_shared, batches in sizes.items():
        score_pairs(
            pairs,
            tokenize,  # type: ignore[arg-type]
            lambda rows, batches=batches: batches.append(len(rows)) or torch.ones(len(rows)),  # type: ignore[misc]
            n_shared=n_shared,
        )
    assert sizes == {0: [1] * 5, 4: [5]}


class LengthReader:
    """A pair's score is its document's length times a weight."""

    def __init__(self) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        self.model.weight.data.fill_(0.5)
        self.inference = InferenceCopy("fp32")
        self.batches: list[list[int]] = []

    def tokenize(self, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"input_ids": [1] * len(pair["body"])} for pair in pairs]

    def logits(self, rows: list[dict[str, Any]]) -> Tensor:
        lengths = [len(row["input_ids"]) for row in rows]
        self.batches.append(lengths)
        return self.model(torch.tensor(lengths, dtype=torch.float32)[:, None])[:, 0]

    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        return pairs["body"].str.len_chars().to_numpy().astype(float)


def test_the_loss_of_a_step_is_the_mean_over_queries_of_ranking_and_grade_losses() -> None:
    pairs = pl.DataFrame({"doc_id": ["a", "b", "c"], "body": ["x" * 4, "x" * 2, "x" * 6]})
    reader = LengthReader()
    learner = PairLearner(reader, 1e-3, pairs, n_grades=3)  # type: ignore[arg-type]
    first = GradedQuery("leave", ["a", "b"], torch.tensor([0.0, 2.0]))
    second = GradedQuery("badges", ["c"], torch.tensor([1.0]))
    loss = learner.loss([first, second])
    of_first, of_second = torch.tensor([2.0, 1.0]), torch.tensor([3.0])
    expected = [
        ranking_loss(of_first, first.grades) + learner.grade_loss(of_first, first.grades),
        learner.grade_loss(of_second, second.grades),
    ]
    assert loss.item() == pytest.approx(torch.stack(expected).mean().item())
    assert reader.batches == [[2, 4, 6]], "rows of like length are neighbours"


def test_thresholds_learn_faster_than_the_model() -> None:
    pairs = pl.DataFrame({"doc_id": ["a"]})
    learner = PairLearner(LengthReader(), 1e-3, pairs, n_grades=3)  # type: ignore[arg-type]
    weights, thresholds = learner.groups()
    assert weights["lr"] == 1e-3 < thresholds["lr"]
    assert len(weights["params"]) == len(thresholds["params"]) == 1


def task(n_dev: int, stuffed: Sequence[str] = ()) -> TrainingTask:
    """Pairs of grades 0 and 1, of which the last `n_dev` are dev, and stuffed documents of query q0."""
    n = 30
    pairs = pl.DataFrame(
        {
            "query_id": [f"q{row // 2}" for row in range(n)],
            "text": "leave",
            "doc_id": [f"d{row}" for row in range(n)],
            "grade": [row % 2 for row in range(n)],
            "body": ["x" * (row + 1) for row in range(n)],
        }
    )
    made = pl.DataFrame(
        {
            "query_id": [f"q{n // 2 - 1}", *(["q0"] * len(stuffed))],
            "text": "leave",
            "doc_id": ["of a dev query", *stuffed],
            "grade": 0,
            "body": "y",
        },
        schema=pairs.schema,
    )
    is_train = pl.Series([row < n - n_dev for row in range(n)])
    config = StudentConfig(architecture="cross_encoder", epochs=1)
    return TrainingTask(
        pairs, is_train, made, pairs.clear(), config, default_rubric(), lambda scores: 0.0, silent
    )


def test_stuffed_documents_of_train_queries_are_trained_on_and_not_calibrated_on() -> None:
    made = task(n_dev=2, stuffed=["stuffed 0", "stuffed 1"])
    learner = PairLearner(LengthReader(), 1e-3, made.pairs, n_grades=2)  # type: ignore[arg-type]
    trained_on: dict[str, float] = {}
    original = learner.token_rows

    def spy(query: GradedQuery) -> list[Any]:
        trained_on.update(zip(query.documents, query.grades.tolist(), strict=True))
        return original(query)

    learner.token_rows = spy  # type: ignore[method-assign]
    result = learner.train(made)
    assert trained_on["stuffed 0"] == trained_on["stuffed 1"] == 0
    assert "of a dev query" not in trained_on
    assert set(trained_on) == {*made.train_pairs["doc_id"], "stuffed 0", "stuffed 1"}
    assert len(result.scores) == made.pairs.height


@pytest.mark.parametrize(("n_dev", "n_unseen"), [(20, 20), (18, 30), (0, 30)])
def test_the_calibration_is_of_dev_pairs_if_each_grade_has_ten(n_dev: int, n_unseen: int) -> None:
    made = task(n_dev)
    learner = PairLearner(LengthReader(), 1e-3, made.pairs, n_grades=2)  # type: ignore[arg-type]
    is_unseen = learner.train(made).is_unseen
    assert is_unseen.sum() == n_unseen
    assert is_unseen[-n_dev:].all()
