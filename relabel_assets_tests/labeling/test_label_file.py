"""`relabel label` on a real student: ids and texts, rows that cannot be graded, a kill in the middle."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from relabel_assets.errors import ConfigError
from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.label_file import in_process, label_file
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel

KILLED = """
import os, signal, sys
from pathlib import Path
from relabel_assets.student import Labeler
from relabel_assets.labeling.label_file import in_process, label_file
from relabel_assets.warehouse.warehouse import Warehouse

home, student, pairs, out = map(Path, sys.argv[1:])
def stop(step, done, total, note=""):
    if done >= 50: os.kill(os.getpid(), signal.SIGKILL)
label_file(pairs, out, engine=in_process(Labeler.load(student)), model_id="m", model_hash="h", rows_a_batch=10, progress=stop,
           texts=lambda column, ids: Warehouse.at(home / "warehouse.duckdb").texts("tiny", column, ids))
"""


@pytest.fixture(autouse=True)
def tiny(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(made))
    monkeypatch.setenv("RELABEL_DATA", str(made.parent / "data"))


@pytest.fixture
def known(made: Path) -> pl.DataFrame:
    return Warehouse.at(made / "warehouse.duckdb").query(
        "select query_id, text as query, doc_id, title, body, author, grade, expected_grade, model_id from student_labels "
        "join synthetic_queries using (corpus, query_id) join seed_docs using (corpus, doc_id) order by hash(query_id || doc_id)"
    )


def label(pairs: Path, out: Path) -> pl.DataFrame:
    done = relabel("label", str(pairs), "-c", "tiny", "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert not out.with_name(f"{out.name}.parts").exists()
    return {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}[out.suffix](out)


def assert_same(found: pl.DataFrame, known: pl.DataFrame) -> None:
    assert found["row"].to_list() == list(range(known.height))
    assert found["grade"].to_list() == known["grade"].to_list()
    assert found["expected_grade"].to_list() == pytest.approx(known["expected_grade"].to_list(), abs=1e-4)
    assert set(found["model_id"]) == set(known["model_id"])
    assert set(found["status"]) == {"ok"}


def test_ids_are_graded_as_in_the_table(known: pl.DataFrame, tmp_path: Path) -> None:
    known.select("query_id", "doc_id").write_parquet(tmp_path / "pairs.parquet")
    found = label(tmp_path / "pairs.parquet", tmp_path / "labels.parquet")
    assert_same(found, known)
    assert found["grade_probs"].list.sum().to_list() == pytest.approx([1.0] * found.height)
    assert found["model_hash"].str.len_chars().unique().to_list() == [64]


def test_texts_are_graded_as_ids_are(known: pl.DataFrame, tmp_path: Path) -> None:
    known.select("query", "title", "body", "author").write_csv(tmp_path / "pairs.csv")
    assert_same(label(tmp_path / "pairs.csv", tmp_path / "labels.jsonl"), known)
    known.select("query", "title", "body", "author", doc_id=pl.lit("the same")).write_ndjson(tmp_path / "pairs.jsonl")
    assert_same(label(tmp_path / "pairs.jsonl", tmp_path / "labels.csv"), known)


def test_rows_that_cannot_be_graded_are_kept_with_a_reason(known: pl.DataFrame, tmp_path: Path) -> None:
    rows = [*known.select("query_id", "doc_id").head(2).to_dicts(), {"query_id": "q00", "doc_id": "nowhere"},
            {"query_id": None, "doc_id": "d0"}]  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = relabel("label", str(tmp_path / "pairs.jsonl"), "-c", "tiny", "-o", str(tmp_path / "labels.parquet"))
    assert "1 without a grade: the document is not known" in done.stderr
    found = pl.read_parquet(tmp_path / "labels.parquet")
    assert found["status"].to_list() == ["ok", "ok", "set_aside", "set_aside"]
    assert found["grade"].is_null().to_list() == [False, False, True, True]


def test_a_kill_loses_and_repeats_nothing(made: Path, known: pl.DataFrame, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.parquet", tmp_path / "labels.parquet"
    known.select("query_id", "doc_id").write_parquet(pairs)
    student = made / Warehouse.at(made / "warehouse.duckdb").query("select path from student_model")["path"][0]
    killed = subprocess.run([sys.executable, "-c", KILLED, made, student, pairs, out], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = {part.name: part.stat().st_mtime_ns for part in tmp_path.glob("labels.parquet.parts/*.parquet")}
    assert len(before) == 5
    assert not out.exists()
    graded: list[int] = []

    class Counting:
        def grade(self, rows: pl.DataFrame, **given: object) -> pl.DataFrame:
            graded.append(rows.height)
            return pl.DataFrame(
                {"query_id": rows["query_id"], "doc_id": rows["doc_id"], "grade": 0, "expected_grade": 0.0,
                 "grade_probs": [[1.0, 0.0, 0.0, 0.0]] * rows.height},
                schema_overrides={"grade": pl.Int64})  # fmt: skip

    def texts(column: str, ids: pl.Series) -> pl.DataFrame:
        return Warehouse.at(made / "warehouse.duckdb").texts("tiny", column, ids)

    again = {"engine": in_process(Counting()), "texts": texts, "model_hash": "h", "rows_a_batch": 10}
    with pytest.raises(ConfigError, match="another student"):
        label_file(pairs, out, model_id="other", **again)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="other documents"):
        label_file(pairs, out, model_id="m", texts_hash="re-read", **again)  # type: ignore[arg-type]
    changed = tmp_path / "changed.parquet"
    known.select("query_id", "doc_id").reverse().write_parquet(changed)
    with pytest.raises(ConfigError, match="other pairs"):
        label_file(changed, out, model_id="m", **again)  # type: ignore[arg-type]
    with FileLock(tmp_path / "labels.parquet.parts" / "lock"), pytest.raises(ConfigError, match="another process"):
        label_file(pairs, out, model_id="m", **again)  # type: ignore[arg-type]
    label_file(pairs, out, model_id="m", **again)  # type: ignore[arg-type]
    assert sum(graded) == known.height - 50
    found = pl.read_parquet(out)
    assert found["row"].to_list() == list(range(known.height))
    assert found.select("query_id", "doc_id").equals(known.select("query_id", "doc_id"))
    assert found["grade"].to_list()[:50] == known["grade"].to_list()[:50]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("pairs.txt", b"x", "its ending names no format"),
        ("pairs.csv", b"", "it is empty"),
        ("pairs.csv", b"a,b\n1,2\n", "neither query_id nor query"),
        ("pairs.csv", b"query_id,doc_id\n", "no row to label"),
        ("pairs.csv", b"query_id,doc_id\nq00,d0\nq00,d0,d1\n", "pairs.csv, line 3: it has 3 fields"),
        ("pairs.csv", b'query_id,doc_id\nq00,"d0\n', "pairs.csv, line 2: not CSV"),
        ("pairs.csv", b"query_id,doc_id\n\xff\xfe,d0\n", "not UTF-8"),
        ("pairs.parquet", b"not parquet", "cannot be read as Parquet"),
        ("pairs.jsonl", b'{"query_id": "q00", "doc_id": "d0"}\n{"query_id": "q", ', "pairs.jsonl, line 2: not JSON"),
        ("pairs.jsonl", b'{"query_id": "q00", "doc_id": ["d0"]}', "line 1: doc_id is list"),
        ("pairs.jsonl", b'[{"query_id": "q00"}]', "line 1: list"),
        ("pairs.jsonl", b'{"query": "\xff", "doc_id": "d0"}', "line 1: not UTF-8"),
    ],
)
def test_files_that_cannot_be_used_are_told(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    done = relabel("label", str(tmp_path / name), "-c", "tiny", "-o", str(tmp_path / "labels.parquet"))
    assert done.returncode == 4
    assert said in done.stderr.replace("\n", " ")
    assert not list(tmp_path.glob("labels.parquet*"))


def test_what_a_parquet_file_holds_must_be_text(tmp_path: Path) -> None:
    pl.DataFrame({"query": ["q"], "body": [["a", "b"]]}).write_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(ConfigError, match=r"body is .*list.*, and must be text"):
        pairs_file.check(tmp_path / "pairs.parquet")
    pl.DataFrame({"query_id": [1, 2], "body": ["a", None]}).write_parquet(tmp_path / "pairs.parquet")
    (rows,) = pairs_file.runs(tmp_path / "pairs.parquet", 10)
    assert rows.select("query_id", "body").rows() == [("1", "a"), ("2", None)]


@pytest.mark.parametrize("out", ["/proc/labels.parquet", "pairs.jsonl/labels.parquet", "labels.txt"])
def test_an_out_that_cannot_be_written_is_told(out: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"query": "leave", "body": "rules"}\n')
    done = relabel("label", str(tmp_path / "pairs.jsonl"), "-c", "tiny", "-o", str(tmp_path / out))
    assert done.returncode == 4
    assert "--out" in done.stderr


def test_long_rows_make_short_runs_that_are_cut_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_file, "CHARACTERS_A_RUN", 1000)
    rows = [{"query": f"q{row}", "body": "x" * (900 if row % 2 == 0 else 10)} for row in range(50)]
    frame = pl.DataFrame(rows)
    frame.write_parquet(tmp_path / "pairs.parquet", row_group_size=7)
    frame.write_csv(tmp_path / "pairs.csv")
    frame.write_ndjson(tmp_path / "pairs.jsonl")
    cut = [
        [run["query"].to_list() for run in pairs_file.runs(tmp_path / f"pairs.{ending}", 8)]
        for ending in ("parquet", "csv", "jsonl")
    ]
    assert cut[0] == cut[1] == cut[2]
    assert [query for run in cut[0] for query in run] == frame["query"].to_list()
    assert {len(run) for run in cut[0]} <= set(range(1, 9))
    assert len(cut[0]) > 50 // 8 + 1


def test_a_row_has_its_own_texts_or_those_of_its_ids_and_repeated_rows_stay(
    known: pl.DataFrame, tmp_path: Path
) -> None:
    row = known.row(0, named=True)
    document = {name: row[name] for name in ("title", "body", "author")}
    rows = [{"query": row["query"], "doc_id": row["doc_id"]}, {"query_id": row["query_id"], **document},
            {"query_id": row["query_id"], "doc_id": row["doc_id"]}, {"query": row["query"], "doc_id": "x", **document}]  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(some) + "\n" for some in rows * 3))
    found = label(tmp_path / "pairs.jsonl", tmp_path / "labels.parquet")
    assert found["row"].to_list() == list(range(12))
    assert found["grade"].to_list() == [row["grade"]] * 12
    assert found["expected_grade"].to_list() == pytest.approx([row["expected_grade"]] * 12, abs=1e-4)


def test_a_body_of_five_megabytes_is_graded(tmp_path: Path) -> None:
    body = "All that there is to know about parental leave. " * 105_000
    (tmp_path / "pairs.csv").write_text(f'query,body\nparental leave,"{body}"\nparental leave,lunch\n')
    found = label(tmp_path / "pairs.csv", tmp_path / "labels.csv")
    assert found["status"].to_list() == ["ok", "ok"]
    assert found["expected_grade"][0] > found["expected_grade"][1]
