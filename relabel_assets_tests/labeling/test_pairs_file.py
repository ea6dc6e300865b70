"""Reading a file of pairs: equal chunks from every format, and the line of a mistake."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.labeling import pairs_file

ROWS = [{"query": f"q{row}", "body": "x" * (900 if row % 2 == 0 else 10)} for row in range(50)]


def written(folder: Path, ending: str) -> Path:
    file = folder / f"pairs.{ending}"
    frame = pl.DataFrame(ROWS)
    if ending == "parquet":
        frame.write_parquet(file, row_group_size=7)
    elif ending == "csv":
        frame.write_csv(file)
    else:
        frame.write_ndjson(file)
    return file


def queries(file: Path, size: int) -> list[list[str]]:
    return [chunk["query"].to_list() for chunk in pairs_file.chunks(file, size)]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_chunks_have_the_given_size_and_the_last_one_has_the_remainder(
    tmp_path: Path, ending: str
) -> None:
    chunks = queries(written(tmp_path, ending), 8)
    assert [len(chunk) for chunk in chunks] == [8] * 6 + [2]
    assert [query for chunk in chunks for query in chunk] == [row["query"] for row in ROWS]


def test_long_rows_make_shorter_chunks_that_are_the_same_in_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_file, "CHARACTERS_PER_CHUNK", 1000)
    chunks = [queries(written(tmp_path, ending), 8) for ending in ("parquet", "csv", "jsonl")]
    # 902, 914 and 1816 characters: a chunk ends with the row that reaches 1000.
    assert chunks[0][:2] == [["q0", "q1", "q2"], ["q3", "q4", "q5", "q6"]]
    assert chunks[0] == chunks[1] == chunks[2]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_check_counts_rows_and_names_the_columns_that_are_not_empty(
    tmp_path: Path, ending: str
) -> None:
    assert pairs_file.check(written(tmp_path, ending)) == (50, {"query", "body"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.txt", b"x", "its ending names no format"),
        ("pairs.csv", b"", "it is empty"),
        ("pairs.csv", b"a,b\n1,2\n", "neither query_id nor query"),
        ("pairs.csv", b"query_id,doc_id\n", "no row to label"),
        ("pairs.csv", b"query,body\nq,d\nq,d,e\n", "pairs.csv:3: it has 3 fields"),
        ("pairs.csv", b'query,body\nq,"two\nlines"\nq\n', "pairs.csv:4: it has 1 fields"),
        ("pairs.csv", b'query_id,doc_id\nq00,"d0\n', "pairs.csv: not CSV from line 2 on"),
        ("pairs.csv", b"query_id,doc_id\n\xff\xfe,d0\n", "not UTF-8"),
        ("pairs.parquet", b"not parquet", "cannot be read as Parquet"),
        (
            "pairs.jsonl",
            b'{"query": "q", "body": "d"}\n{"query": ',
            "pairs.jsonl:2: not JSON",
        ),
        ("pairs.jsonl", b'\n\n{"query": "q", "body": ["d"]}', "pairs.jsonl:3: body is list"),
        ("pairs.jsonl", b'{"query": "q", "body": true}', "pairs.jsonl:1: body is bool"),
        ("pairs.jsonl", b'[{"query": "q"}]', "pairs.jsonl:1: a list, not a JSON object"),
        ("pairs.jsonl", b'{"query": "\xff", "body": "d"}', "pairs.jsonl:1: not UTF-8"),
    ],
)
def test_an_unusable_file_is_refused_with_its_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        pairs_file.check(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pairs\.csv: there is no such file"):
        pairs_file.check(tmp_path / "pairs.csv")


def test_a_parquet_column_must_be_text_or_a_number(tmp_path: Path) -> None:
    file = tmp_path / "pairs.parquet"
    pl.DataFrame({"query": ["q"], "body": [["a", "b"]]}).write_parquet(file)
    with pytest.raises(ConfigError, match=r"body is .*list.*, not text or a number"):
        pairs_file.check(file)
    pl.DataFrame({"query_id": [1, 2], "body": ["a", None]}).write_parquet(file)
    (rows,) = pairs_file.chunks(file, 10)
    assert rows.select("query_id", "body").rows() == [("1", "a"), ("2", None)]


def test_numbers_of_json_are_text_and_an_empty_csv_field_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"query_id": 7, "doc_id": 1.5}\n')
    (rows,) = pairs_file.chunks(tmp_path / "pairs.jsonl", 10)
    assert rows.select("query_id", "doc_id").rows() == [("7", "1.5")]
    (tmp_path / "pairs.csv").write_text("query,title,body\nleave,,Rules\n")
    (rows,) = pairs_file.chunks(tmp_path / "pairs.csv", 10)
    assert rows.select("query", "title", "body").rows() == [("leave", None, "Rules")]


def test_half_a_surrogate_pair_of_json_becomes_the_replacement_character(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"query": "a\\ud800b", "body": "d"}\n')
    (rows,) = pairs_file.chunks(tmp_path / "pairs.jsonl", 10)
    assert rows["query"].to_list() == ["a\ufffdb"]


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.symlink_to("pairs.csv")
    with pytest.raises(ConfigError, match=r"pairs\.csv: it cannot be read"):
        pairs_file.check(file)
