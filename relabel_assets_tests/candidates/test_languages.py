"""Candidates in scripts without spaces and in other languages than English."""

from pathlib import Path

import polars as pl

from relabel_assets.candidates.analyzer import Analyzer
from relabel_assets.candidates.bm25 import bm25_index
from relabel_assets.candidates.choose import retrievable
from relabel_assets.graph.candidates.candidate_inputs import (
    finding_nothing,
    queries_without_results,
)
from relabel_assets_tests.candidates.unspaced_corpus import documents, queries


def test_every_query_in_chinese_japanese_and_thai_finds_its_document(tmp_path: Path) -> None:
    found = retrievable([documents()], queries(), depth=10, scratch=tmp_path)
    # Words between spaces alone find 6 of these 30.
    assert int(found.sum()) == queries().height == 30


def test_a_query_of_one_han_character_and_halfwidth_kana_find_documents(tmp_path: Path) -> None:
    with bm25_index([documents()], scratch=tmp_path) as bm25:
        assert bm25.top("金", 1)
        assert bm25.top("タイムカード", 1)[0][0] == bm25.top("ﾀｲﾑｶｰﾄﾞ", 1)[0][0] == "ja19"
        assert bm25.top("vpn クライアント", 1)[0][0] == "ja14"


def test_scripts_without_spaces_change_no_score_of_other_words(tmp_path: Path) -> None:
    spaced = documents().with_columns(pl.lit("wi-fi password for guests").alias("body"))
    mixed = spaced.with_columns(body=pl.col("body") + " 密码 รหัสผ่าน")
    for title in ("guests", "x"):
        frames = [frame.with_columns(title=pl.lit(title)) for frame in (spaced, mixed)]
        tops = []
        for frame in frames:
            with bm25_index([frame], scratch=tmp_path) as bm25:
                tops.append(bm25.top("guest password", 5))
        assert tops[0] == tops[1]


def test_a_german_corpus_is_stemmed_as_german() -> None:
    german, english = Analyzer.of("de"), Analyzer.of()
    assert german.words("Häuser")[0] == german.words("haus")[0] == german.words("Häusern")[0]
    assert english.words("Häuser")[0] != english.words("haus")[0]


def test_half_of_the_queries_without_a_result_are_a_finding() -> None:
    found = pl.DataFrame({"query_id": ["q1", "q2"], "bm25_score": [1.0, 0.0]})
    (line,) = finding_nothing(found, ["q1", "q2"])
    assert "1 of 2 queries, such as 'q2'" in line
    assert finding_nothing(found, ["q1", "q2", "q1"]) == []
    assert queries_without_results(found, ["q3"]) == ["q3"]
    assert finding_nothing(found, []) == []
