"""Grading through a Batch API server in a test.

What belongs here: settings and calls that several tests of this room use. What does not: the
server (faults/batch_server.py) and tests.
"""

from pathlib import Path

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.sending.retry_settings import FileLimits, RetrySettings
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import true_grade

IMPATIENT = RetrySettings(
    first_backoff_s=0.002,
    longest_backoff_s=0.01,
    first_poll_s=0.01,
    longest_poll_s=0.05,
    batch_limits=FileLimits(40),
)


# The server bills 720 tokens a reply: 0.0072 USD.
PRICE = {"price_usd_per_million_tokens": {"input": 10.0, "output": 10.0}}


def make_config(base_url: str, **settings: object) -> TeacherConfig:
    return TeacherConfig.model_validate(
        {
            "kind": "openai",
            "model": "fake",
            "base_url": base_url,
            "mode": "batch",
            "max_retries": 2,
            **settings,
        }
    )


def grade(
    folder: Path,
    server: BatchServer,
    pairs: pl.DataFrame,
    retry_settings: RetrySettings = IMPATIENT,
    base_url: str | None = None,
    **settings: object,
) -> pl.DataFrame:
    teacher = Teacher(folder, retry_settings=retry_settings)
    config = make_config(base_url or server.base_url, **settings)
    labels = teacher.grade(pairs, corpus="demo", config=config, rubric=default_rubric())
    TABLES["teacher_labels"].validate(labels.with_columns(corpus=pl.lit("demo")))
    return labels


def assert_no_wrong_grade(labels: pl.DataFrame, server: BatchServer) -> None:
    for row in labels.filter(pl.col("status") == "ok").iter_rows(named=True):
        assert row["grade"] == true_grade(server.bodies[row["request_key"]])
