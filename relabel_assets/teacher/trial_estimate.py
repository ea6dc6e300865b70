"""What a teacher would cost a corpus that has none yet.

What belongs here: that estimate, before anything is set. What does not: the estimate's arithmetic
(estimate.py), and that of a corpus with a teacher (`relabel estimate`).
"""

from dataclasses import dataclass, replace

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.teacher.questions import AssumedPairs, GradingQuestions, QueryQuestions
from relabel_assets.teacher.teacher import Teacher


@dataclass(frozen=True)
class TrialEstimate:
    """Dollars for writing queries and for grading; None where the model's price is unknown."""

    queries_usd: float | None  # 0 where the corpus has queries
    grades_usd: float | None
    assumption: str


def trial_estimate(teacher: Teacher, folder: CorpusFolder, model: str) -> TrialEstimate:
    """What `model` would cost as the teacher of the corpus. Nothing is sent. Raises CorpusError.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = CorpusFolder("wiki", Path(root))
    ...     _ = (folder.path / "documents.jsonl").write_text('{"doc_id": "d", "body": "Ask HR."}')
    ...     found = trial_estimate(Teacher(Path(root) / "ledger"), folder, "gpt-4o-mini")
    >>> found.assumption
    '1 seed documents x 3 queries x 1 candidates; the length of 1 documents'
    """
    trial = replace(folder, trial_model=model)
    queries_usd: float | None = 0.0
    if not trial.has_queries:
        writing = QueryQuestions.for_corpus(trial, trial.documents().frame)
        queries_usd = teacher.estimate(writing, corpus=trial.name).cost_usd
    assumed = AssumedPairs.for_corpus(trial)
    questions = GradingQuestions.for_corpus(trial, assumed.sample)
    grading = teacher.estimate(questions, corpus=trial.name, n_pairs=assumed.n_pairs)
    return TrialEstimate(queries_usd, grading.cost_usd, assumed.assumption)
