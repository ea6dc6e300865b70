"""The false-high rates of probes, by hand, and when one is a warning."""

from collections.abc import Sequence

import polars as pl
import pytest

from relabel_assets.benchmark.page.page import render_html
from relabel_assets.benchmark.probes.false_high import CONTROLS, false_high_rows, fooled, rate_table
from relabel_assets.benchmark.report import ReportFacts, render_markdown, slice_names


def graded(**grades: Sequence[int | None]) -> pl.DataFrame:
    rows = [(f"q{n}", probe, grade) for probe, of in grades.items() for n, grade in enumerate(of)]
    return pl.DataFrame(rows, ["query_id", "probe", "grade"], orient="row").with_columns(
        pl.col("probe").str.replace_all("_", " ")
    )


def test_the_rate_and_wilsons_interval_by_hand() -> None:
    # 1 of 10: (0.1 + z2/20 -+ z sqrt(0.1 * 0.9/10 + z2/400)) / (1 + z2/10), z = 1.96
    rows = false_high_rows("student", graded(empty=[2] + [1] * 9), n_grades=4)
    row = rows.row(0, named=True)
    assert (row["slice"], row["metric"], row["value"]) == ("probe=empty", "false_high", 0.1)
    assert (row["ci_low"], row["ci_high"]) == (
        pytest.approx(0.0179, abs=1e-4),
        pytest.approx(0.4042, abs=1e-4),
    )


@pytest.mark.parametrize(("n_grades", "value"), [(2, 0.75), (3, 0.5), (4, 0.5)])
def test_grades_of_2_are_high_and_so_is_the_best_of_two(n_grades: int, value: float) -> None:
    grades: list[int | None] = (
        [0, 1, 2, 3] if n_grades == 4 else [0, 1, 2, 2] if n_grades == 3 else [0, 1, 1, 1]
    )
    assert false_high_rows("s", graded(empty=grades), n_grades)["value"].item() == value


def test_a_pair_without_a_grade_does_not_count_and_a_probe_without_any_has_no_row() -> None:
    rows = false_high_rows("teacher", graded(empty=[None, None], honest=[0, None, 3]), n_grades=4)
    assert rows.select("slice", "value", "n_queries", "n_pairs").rows() == [
        ("probe=honest", 0.5, 2, 2)
    ]
    assert false_high_rows("teacher", graded(empty=[None]), n_grades=4).is_empty()


def report(probe: str, ci_low: float, honest: float, control: str = "") -> pl.DataFrame:
    control = control or CONTROLS[probe]
    return pl.DataFrame(
        {
            "labeler": "student", "metric": "false_high", "n_queries": 50, "n_pairs": 50,
            "slice": [f"probe={probe}", f"probe={control}"], "value": [0.5, honest],
            "ci_low": [ci_low, 0.0], "ci_high": [0.9, 0.2],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ci_low", "honest", "n_warnings"),
    [(0.16, 0.1, 1), (0.14, 0.1, 0), (0.06, 0.0, 1), (0.04, 0.0, 0)],
)
def test_a_probe_warns_where_its_whole_interval_is_above_honest_and_the_margin(
    ci_low: float, honest: float, n_warnings: int
) -> None:
    assert len(fooled(report("query alone", ci_low, honest))) == n_warnings


def test_each_probe_is_compared_with_honest_documents_of_its_length() -> None:
    assert fooled(report("stuffed with the query", 0.3, 0.0, control="honest"))
    assert not fooled(report("stuffed with the query", 0.3, 0.0, control="honest and short"))
    assert fooled(report("empty", 0.3, 0.0, control="honest and short"))
    assert not fooled(report("empty", 0.3, 0.0, control="honest"))


def test_probes_have_a_table_of_their_own_in_the_reports() -> None:
    rows = pl.concat(
        false_high_rows(labeler, graded(empty=[grade] * 4, query_alone=[0] * 4), n_grades=4)
        for labeler, grade in (("student", 3), ("teacher", 0))
    )
    assert rate_table(rows).rows() == [
        ("query alone", "0 % [0, 49]", "0 % [0, 49]"),
        ("empty", "100 % [51, 100]", "0 % [0, 49]"),
    ]
    assert "| empty | 100 % [51, 100] | 0 % [0, 49] |" in render_markdown(rows, ReportFacts("tiny"))
    assert slice_names(rows) == []
    assert ">empty</th><td>student</td><td>false_high</td>" in render_html(
        rows, ReportFacts("tiny")
    )
