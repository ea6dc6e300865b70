"""A cascade over a file of pairs of 30 queries, in buckets of some 60 rows, with any teacher at a server."""

import json
from pathlib import Path

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.labeling.asked_teacher import LiveTeacher
from relabel_assets.labeling.bucket_questions import AskingPlan
from relabel_assets.labeling.cascade_engine import asking
from relabel_assets.labeling.label_file import label_file
from relabel_assets.labeling.people_known import PeoplesGrades
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, write_corpus
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import TeacherServer, true_grade
from relabel_assets_tests.labeling.graders import HashScorer, no_texts

N_ROWS, N_QUERIES, SHARE = 300, 30, 0.5


def write_pairs(folder: Path) -> Path:
    """Write the corpus tiny, and pairs of 30 queries in turn, into `folder`."""
    write_corpus(folder / "tiny")
    rows = [
        {"query": f"query {row % N_QUERIES}", "body": f"Body of document {row}."}
        for row in range(N_ROWS)
    ]
    pl.DataFrame(rows).write_parquet(folder / "pairs.parquet")
    return folder


def live_teacher(
    folder: Path,
    server: TeacherServer | BatchServer,
    budget_usd: float | None = None,
    **settings: object,
) -> LiveTeacher:
    """The teacher of tiny at `server`, with its ledger in `folder`."""
    limits = {"requests_per_minute": None, "tokens_per_minute": None, "timeout_s": 1.0}
    price = {"input": 10.0, "output": 10.0}
    teacher = {"kind": "openai", "model": "fake", "base_url": server.base_url, **limits}
    teacher |= {"price_usd_per_million_tokens": price, **settings}
    (folder / "tiny" / "corpus.yaml").write_text(json.dumps({"teacher": teacher}))
    corpus = CorpusFolder("tiny", folder / "tiny")
    return LiveTeacher(Teacher(folder / "ledger", retry_settings=IMPATIENT), corpus, budget_usd)


def label(
    folder: Path,
    server: TeacherServer | BatchServer,
    plans: list[AskingPlan] | None = None,
    teacher: LiveTeacher | None = None,
    people: PeoplesGrades | None = None,
    n_rounds: int = 1,
) -> HashScorer:
    """Label pairs.parquet into labels.parquet, some 60 rows at a time; return the student."""
    scorer, plans = HashScorer(), [] if plans is None else plans
    teacher = teacher or live_teacher(folder, server)
    label_file(
        folder / "pairs.parquet",
        folder / "labels.parquet",
        engine=asking(scorer, teacher, SHARE, plans.append, people, n_rounds),
        texts=no_texts,
        asking={"share": SHARE},
        model_id="m",
        model_hash="h",
        rows_per_chunk=60,
    )
    return scorer


def labels_of(folder: Path) -> pl.DataFrame:
    labels = pl.read_parquet(folder / "labels.parquet")
    assert labels["row"].to_list() == list(range(N_ROWS))
    assert set(labels["status"]) == {"ok"} and labels["grade"].null_count() == 0
    assert not (folder / "labels.parquet.parts").exists()
    return labels


def assert_right(labels: pl.DataFrame, server: TeacherServer | BatchServer) -> None:
    """Every row of the teacher has the right grade of its own request."""
    for row in labels.filter(pl.col("labeler") == "teacher").iter_rows(named=True):
        body = server.bodies[row["request_key"]]
        assert f"Body of document {row['row']}." in body["messages"][-1]["content"]
        assert row["grade"] == true_grade(body)
