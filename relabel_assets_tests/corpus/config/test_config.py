"""Parsing corpus.yaml and rubrics: refused settings, hints, defaults and stable hashes."""

import hashlib
from collections.abc import Iterator
from typing import Any, get_args

import pydantic
import pytest

from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.config.student_config import PRESETS
from relabel_assets.errors import ConfigError
from relabel_assets.prompts.rubric import default_rubric, parse_rubric


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studnt: 1", "Did you mean 'student'"),
        ("? |\n  x\n  y\n: 1", r"c.yaml:1: x y is not a setting"),
        ("'': 1", "c.yaml:1: the empty key is not a setting"),
        ("teacher: {moddel: x}", "teacher.moddel is not a setting. Did you mean 'model'"),
        ("teacher: {price_usd_per_million_tokens: {inputs: 1}}", "Did you mean 'input'"),
        ("- a list", "must be keys and values"),
        ("a: b: c", "c.yaml:1: not YAML"),
        ("teacher: {temperature: hot}", "teacher.temperature"),
        ("queries: {intents: {keyword: 0.5}}", "add up to 1"),
        ("name: HR Docs", "name"),
        ("student: {epochs: -1}", "student.epochs"),
        (f"rubric: {'x' * 1_001}", "rubric: String should have at most 1000 characters"),
        (f"teacher: {{prompt: {'x' * 1_001}}}", "teacher.prompt: String should have at most 1000"),
        (f"queries: {{prompt: {'x' * 1_001}}}", "queries.prompt: String should have at most 1000"),
    ],
)
def test_a_wrong_setting_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        parse_corpus_config(text, file="c.yaml")


@pytest.mark.parametrize(
    ("n_keys", "last"), [(10, "k9 is not"), (11, "1 more mistake."), (12, "2 more mistakes.")]
)
def test_of_many_mistakes_the_first_ten_are_listed(n_keys: int, last: str) -> None:
    text = "".join(f"k{number}: x\n" for number in range(n_keys))
    with pytest.raises(ConfigError) as caught:
        parse_corpus_config(text, file="c.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == min(n_keys, 11)
    assert last in lines[-1]


def test_an_empty_file_is_all_defaults() -> None:
    assert parse_corpus_config("", file="c.yaml").candidates.bm25_top_k == 10
    assert parse_corpus_config("# nothing\n", file="c.yaml").teacher.kind is None


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("teacher.temperature", 0, 2),
        ("teacher.max_completion_tokens", 1, None),
        ("teacher.max_document_tokens", 50, None),
        ("teacher.votes", 1, 15),
        ("teacher.max_concurrency", 1, 1024),
        ("teacher.max_retries", 0, 20),
        ("teacher.budget_usd", 0, None),
        ("teacher.run_budget_usd", 0, None),
        ("queries.seed_documents", 1, None),
        ("queries.per_document", 1, 20),
        ("queries.benchmark_share", 0, 0.9),
        ("queries.dev_share", 0, 0.5),
        ("candidates.bm25_top_k", 0, 1000),
        ("candidates.random", 0, 1000),
        ("student.max_length", 16, 32768),
        ("student.epochs", 0, 1000),
        ("gate.ndcg_margin", 0, 0.1),
        ("gate.pairwise_margin", 0, 0.1),
        ("gate.min_queries", 2, 1_000_000),
        ("gate.min_pairs", 2, 1_000_000_000),
    ],
)
def test_bounds_are_allowed_and_values_outside_are_refused(
    key: str, lowest: float, highest: float | None
) -> None:
    section, name = key.split(".")

    def parse(value: float) -> Any:
        config = parse_corpus_config(f"{section}: {{{name}: {value}}}", file="c.yaml")
        return getattr(getattr(config, section), name)

    step = 1 if isinstance(lowest, int) and isinstance(highest, int | None) else 0.01
    assert parse(lowest) == lowest
    with pytest.raises(ConfigError, match=key):
        parse(lowest - step)
    if highest is not None:
        assert parse(highest) == highest
        with pytest.raises(ConfigError, match=key):
            parse(highest + step)


@pytest.mark.parametrize(
    "key",
    ["requests_per_minute", "tokens_per_minute", "timeout_s"],
)
def test_a_rate_and_a_timeout_must_be_above_zero(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        parse_corpus_config(f"teacher: {{{key}: 0}}", file="c.yaml")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lisence: x", "Did you mean 'licence'?"),
        ("candidate: {}", "Did you mean 'candidates'?"),
        ("teacher: {budget: 5}", "Did you mean 'budget_usd'?"),
        ("queries: {per_documents: 3}", "Did you mean 'per_document'?"),
        ("candidates: {top_k: 5}", "Did you mean 'bm25_top_k'?"),
        ("student: {learning-rate: 0.1}", "Did you mean 'learning_rate'?"),
        ("reference: {kinds: human}", "Did you mean 'kind'?"),
        ("gate: {margin: 0.1}", "Did you mean 'ndcg_margin'?"),
        ("teacher: {price_usd_per_million_tokens: {outputs: 1}}", "Did you mean 'output'?"),
    ],
)
def test_an_unknown_key_names_the_nearest_one_of_its_section(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_corpus_config(text, file="c.yaml")
    assert hint in str(refused.value)


def test_an_unknown_key_without_a_similar_one_lists_the_allowed_keys() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_corpus_config("gate: {zzz: 1}", file="c.yaml")
    allowed = "ndcg_margin, pairwise_margin, agreement_margin, blocking, min_queries, min_pairs"
    assert str(refused.value) == f"c.yaml:1: gate.zzz is not a setting. Allowed here: {allowed}."


@pytest.mark.parametrize("margin", ["-0.01", "0.5", "1", ".nan", ".inf", "1e400", "wide"])
def test_a_margin_that_would_pass_or_fail_nearly_anything_is_refused(margin: str) -> None:
    with pytest.raises(ConfigError, match=r"gate\.ndcg_margin"):
        parse_corpus_config(f"gate: {{ndcg_margin: {margin}}}", file="c.yaml")


def test_who_gave_the_reference_grades_has_no_default() -> None:
    assert parse_corpus_config("", file="c.yaml").reference.stated_kind == "not stated"
    assert parse_corpus_config("reference: {}", file="c.yaml").reference.stated_kind == "not stated"
    for kind in ("human", "adjudicated"):
        stated = parse_corpus_config(f"reference: {{kind: {kind}}}", file="c.yaml")
        assert stated.reference.stated_kind == kind
    with pytest.raises(ConfigError, match=r"reference\.kind"):
        parse_corpus_config("reference: {kind: not stated}", file="c.yaml")


def test_an_error_names_every_mistake_of_the_file() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_corpus_config("gate: {zzz: 1}\nstudent: {epochs: -1}", file="c.yaml")
    assert "gate.zzz" in str(refused.value)
    assert "student.epochs" in str(refused.value)


@pytest.mark.parametrize(
    ("intents", "is_allowed"),
    [
        ("{keyword: 1.0}", True),
        ("{keyword: 0.5, question: 0.5}", True),
        ("{keyword: 0.33, question: 0.33, messy: 0.33}", True),  # 0.99: rounded shares
        ("{keyword: 0.5, question: 0.4}", False),
        ("{keyword: 1.5, question: -0.5}", False),
        ("{telepathic: 1.0}", False),
    ],
)
def test_shares_of_intents_add_up_to_one(intents: str, is_allowed: bool) -> None:
    text = f"queries: {{intents: {intents}}}"
    if is_allowed:
        parse_corpus_config(text, file="c.yaml")
    else:
        with pytest.raises(ConfigError, match="intents"):
            parse_corpus_config(text, file="c.yaml")


def test_a_student_that_cannot_use_known_grades_asks_nobody() -> None:
    text = "labels: {ask: 0.1}\nstudent: {preset: modernbert}\n"
    with pytest.raises(ConfigError, match=r"labels\.ask is 0\.1, and a cross_encoder student"):
        parse_corpus_config(text, file="c.yaml")
    assert parse_corpus_config("student: {preset: modernbert}", file="c.yaml").labels.ask == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_absent_settings(preset: str) -> None:
    student = parse_corpus_config(f"student: {{preset: {preset}}}", file="c.yaml").student
    for name, value in PRESETS[preset].items():
        assert getattr(student, name) == value
    own = parse_corpus_config(f"student: {{preset: {preset}, epochs: 7}}", file="c.yaml").student
    assert own.epochs == 7


def test_the_hash_of_the_default_settings_is_stable() -> None:
    """Settings are hashed into what each table was made from, in the order of their keys. A new
    default, key or order makes every corpus again: change this hash only if that is meant."""
    digest = hashlib.sha256(CorpusConfig().model_dump_json().encode()).hexdigest()
    assert digest == ("5f114dc9dd30229ec93a653bf21f818f0ab48c48a4774dcac00274f064556087")


def every_key(model: type[pydantic.BaseModel]) -> Iterator[tuple[str, pydantic.fields.FieldInfo]]:
    for name, field in model.model_fields.items():
        yield name, field
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
                yield from every_key(kind)


def test_every_key_has_a_description() -> None:
    assert [name for name, field in every_key(CorpusConfig) if not field.description] == []


@pytest.mark.parametrize(
    "text",
    [
        "grades: []", "grades: [{grade: 0, name: a, meaning: b}]", "nonsense", "grades: [", "{}",
        "grades: [{grade: 1, name: a, meaning: b}, {grade: 2, name: a, meaning: b}]",
    ],
)  # fmt: skip
def test_an_invalid_rubric_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"r\.yaml"):
        parse_rubric(text, file="r.yaml")


def test_a_rubric_that_is_a_list_is_named_as_the_file() -> None:
    with pytest.raises(ConfigError, match=r"^r\.yaml: the file: Input should be"):
        parse_rubric("- a", file="r.yaml")


def test_the_rubric_of_the_project_has_four_grades_and_a_stable_hash() -> None:
    assert (default_rubric().n_grades, default_rubric().max_grade) == (4, 3)
    # The hash is in every request's key: a change here asks the teacher about every pair again.
    assert default_rubric().content_hash == (
        "c3dc9c1991f30ba575a8b2012246f4cc2c917ccd5c87e917468eed9e885386d9"
    )
