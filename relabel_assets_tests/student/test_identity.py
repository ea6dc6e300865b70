"""The hash of the training set and the id of a student: their inputs."""

import hashlib
from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import Rubric, default_rubric
from relabel_assets.student import identity
from relabel_assets.student.identity import people_id, rubric_read, student_id, training_set_hash
from relabel_assets_tests.student.tiny_models import pairs

RUBRIC = default_rubric()


def reworded() -> Rubric:
    """The rubric with another meaning of one grade."""
    grades = RUBRIC.model_dump()["grades"]
    grades[0]["meaning"] = "Another meaning."
    return Rubric(grades=grades)


def longer() -> Rubric:
    """The rubric with one more grade."""
    grades = RUBRIC.model_dump()["grades"]
    return Rubric(grades=[*grades, {"grade": 4, "name": "exact", "meaning": "The very words."}])


def test_the_order_of_pairs_and_of_the_corpus_does_not_matter() -> None:
    corpus = pairs().unique("doc_id", keep="first", maintain_order=True)
    one = training_set_hash(pairs(), corpus)
    assert one == training_set_hash(pairs().reverse(), corpus.reverse())
    assert one != training_set_hash(pairs(), corpus.head(2))
    assert one != training_set_hash(pairs())


def _hash_as_before(frame: pl.DataFrame, corpus: pl.DataFrame) -> str:
    """The hash of the versions that cut windows at spaces alone."""
    texts = frame.select(identity._COLUMNS).sort("query_id", "doc_id").write_ndjson()
    return hashlib.sha256((texts + corpus.sort("doc_id").write_ndjson()).encode()).hexdigest()


@pytest.mark.parametrize(("body", "is_same"), [("week " * 500, True), ("育児休業" * 40, False)])
def test_only_windows_of_scripts_without_spaces_change_the_hash(body: str, is_same: bool) -> None:
    changed = pairs().with_columns(body=pl.lit(body))
    corpus = changed.unique("doc_id", keep="first", maintain_order=True)
    assert (training_set_hash(changed, corpus) == _hash_as_before(changed, corpus)) is is_same
    nothing = corpus.clear()  # of an architecture without windows
    assert training_set_hash(changed, nothing) == _hash_as_before(changed, nothing)


@pytest.mark.parametrize("column", ["text", "title", "body", "grade", "split"])
def test_every_text_and_grade_of_a_pair_is_part_of_the_hash(column: str) -> None:
    value = pl.lit(2) if column == "grade" else pl.lit("changed")
    is_first = pl.int_range(pl.len()) == 0
    changed = pairs().with_columns(pl.when(is_first).then(value).otherwise(column).alias(column))
    assert training_set_hash(changed) != training_set_hash(pairs())


def test_settings_training_set_and_recipe_are_part_of_the_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [
        student_id("set", StudentConfig(), RUBRIC),
        student_id("other set", StudentConfig(), RUBRIC),
        student_id("set", StudentConfig(seed=14), RUBRIC),
        student_id("set", StudentConfig(base_model="some/model"), RUBRIC),
    ]
    monkeypatch.setattr(identity, "RECIPE_VERSION", -1)
    ids.append(student_id("set", StudentConfig(), RUBRIC))
    assert len(set(ids)) == 5


@pytest.mark.parametrize("architecture", ["late_interaction", "cross_encoder"])
def test_encoders_depend_on_the_number_of_grades_alone(architecture: str) -> None:
    config = StudentConfig(architecture=architecture)
    assert rubric_read(config, RUBRIC) == rubric_read(config, reworded())
    assert rubric_read(config, RUBRIC) != rubric_read(config, longer())


def test_decoders_depend_on_the_words_of_the_rubric() -> None:
    config = StudentConfig(architecture="decoder")
    assert rubric_read(config, RUBRIC) != rubric_read(config, reworded())


def test_every_setting_of_a_training_changes_the_id() -> None:
    changed: dict[str, Any] = {
        "preset": "minilm",
        "base_model": "other",
        "architecture": "cross_encoder",
        "prompt": "short",
        "method": "full",
        "max_length": 64,
        "epochs": 1,
        "learning_rate": 0.1,
        "precision": "fp32",
        "hardening": False,
        "seed": 1,
    }
    assert set(changed) == set(StudentConfig.model_fields) - {"calibrate", "keep"}
    decoder = {"architecture": "decoder"}  # which reads the prompt too
    configs = [StudentConfig(**decoder | {name: changed[name]}) for name in changed]
    configs.append(StudentConfig(**decoder))
    assert len({student_id("set", config, RUBRIC) for config in configs}) == len(configs)


@pytest.mark.parametrize("architecture", ["late_interaction", "cross_encoder"])
def test_a_prompt_that_is_not_read_leaves_the_id_as_it_is(architecture: str) -> None:
    configs = [
        StudentConfig(architecture=architecture, prompt=name) for name in ("rubric", "short")
    ]
    assert len({student_id("set", config, RUBRIC) for config in configs}) == 1


def test_who_calibrates_leaves_the_id_of_the_training_as_it_is() -> None:
    configs = [StudentConfig(calibrate=name) for name in ("teacher", "people")]
    assert len({student_id("set", config, RUBRIC) for config in configs}) == 1


def test_a_grade_and_a_text_that_people_saw_change_the_id_of_their_student() -> None:
    texts = dict.fromkeys(("title", "author", "path", "updated_at", "doc_type"), "a")
    pair = {"query_id": "q", "doc_id": "d", "text": "leave", "body": "b", "grade": 3, **texts}
    changed = [pair, pair | {"grade": 2}, pair | {"grade": None}, pair | {"body": "c"}]
    ids = {
        people_id("model", pl.DataFrame([pair], schema_overrides={"grade": pl.Int64}))
        for pair in changed
    }
    assert len(ids | {people_id("other", pl.DataFrame([pair]))}) == 5
