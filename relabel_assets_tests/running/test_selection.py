"""A selection of tables after `-s`: bare names with `+`, as in dbt."""

import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.running.runner import select_tables
from relabel_assets.running.selection import with_keys
from relabel_assets.tables.tables import TABLES

UP_TO_STUDENT = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates"]
UP_TO_STUDENT += ["teacher_labels", "student_model"]
AFTER_LABELS = ["benchmark_report", "final_labels", "system_rankings"]
FROM_STUDENT = ["student_model", "asked_labels", "student_labels", *AFTER_LABELS]


@pytest.mark.parametrize(
    ("selection", "tables"),
    [
        ("+student_model", UP_TO_STUDENT),
        ("+ student_model", UP_TO_STUDENT),
        ("*student_model", UP_TO_STUDENT),
        ('+key:"student_model"', UP_TO_STUDENT),
        ("student_model+", FROM_STUDENT),
        ("student_model*", FROM_STUDENT),
        ("+student_model+", [*UP_TO_STUDENT, *FROM_STUDENT[1:]]),
        ("seed_docs or student_labels", ["seed_docs", "student_labels"]),
        ("seed_docs OR student_labels", ["seed_docs", "student_labels"]),
        (
            "1+(student_model or student_labels) and kind:pytorch",
            ["student_model", "student_labels"],
        ),
        (
            "not +student_labels",
            ["review_samples", "asked_labels", "imported_labels", *AFTER_LABELS],
        ),
        ("kind:pytorch and not student_model", ["student_labels", "final_labels"]),
        ("sinks(student_model+)", ["system_rankings"]),
        ("key:student_*", ["student_model", "student_labels"]),
        ("corpus_folder+", list(TABLES)),
        ("*", list(TABLES)),
    ],
)
def test_names_select_as_keys_do(selection: str, tables: list[str]) -> None:
    assert select_tables(selection) == tables


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("1+student_model", '1+key:"student_model"'),
        ("student_model+1", 'key:"student_model"+1'),
        ("++student_model", '2+key:"student_model"'),
        ("student_model++", 'key:"student_model"+2'),
        ("2 + student_model", '2+key:"student_model"'),
    ],
)
def test_layers_are_counted(short: str, long: str) -> None:
    assert with_keys(short, TABLES) == long
    assert select_tables(short) == select_tables(long) != select_tables("student_model")


@pytest.mark.parametrize(
    "selection", ['key:"seed_docs"', "group:student", 'tag:"a"="seed_docs"', "kind:labels", "*"]
)
def test_what_is_no_bare_name_stays_as_it_is(selection: str) -> None:
    assert with_keys(selection, TABLES) == selection


def test_an_unknown_table_is_refused_wherever_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"there is no table 'labls'. Tables: seed_docs"):
        select_tables("seed_docs or labls")


def test_two_names_side_by_side_get_the_advice_to_join_them() -> None:
    with pytest.raises(
        ConfigError, match=r"'seed_docs student_model' .* Join several tables with `or`"
    ):
        select_tables("seed_docs student_model")
