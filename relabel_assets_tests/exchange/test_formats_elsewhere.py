"""Every export is what its tool reads: by the tool's own parser, or by the form that its page documents."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import ir_measures
import jsonschema
import polars as pl
import pytest
from sklearn.datasets import load_svmlight_file

from relabel_assets.exchange.export_file import export_file
from relabel_assets.exchange.formats.all_formats import FORMATS
from relabel_assets_tests.exchange.documented_forms import SCHEMAS
from relabel_assets_tests.exchange.frames import DOCUMENTS, MAX_GRADE, ROWS, judgments, row

RUN = pl.DataFrame(
    {
        "query_id": ["q1", "q1", "q1", "q2", "q2"],
        "doc_id": ["d2", "d1", "d3", "d1", "d3"],
        "score": [3.0, 2.0, 1.0, 2.0, 1.0],
    }
)
NAMES = ("nDCG@10", "nDCG@2", "AP(rel=2)", "P@2", "RR", "Judged@2")
MEASURES = [ir_measures.parse_measure(name) for name in NAMES]


def exported(name: str, folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"out{FORMATS[name].ending}"
    export_file(judgments(rows), FORMATS[name], path)
    return path


def values(qrels: Any) -> dict[str, float]:
    run = RUN.to_pandas()
    found = ir_measures.calc_aggregate(MEASURES, qrels, run)
    return {str(measure): value for measure, value in found.items()}


def from_frame() -> dict[str, float]:
    frame = judgments().frame.select("query_id", "doc_id", relevance="grade")
    return values(frame.to_pandas())


def test_ir_measures_computes_the_same_from_the_qrels_file(tmp_path: Path) -> None:
    read = list(ir_measures.read_trec_qrels(str(exported("qrels", tmp_path))))
    assert values(read) == pytest.approx(from_frame(), abs=1e-9)


def test_trec_eval_computes_the_same_from_the_qrels_file(tmp_path: Path) -> None:
    import pytrec_eval

    with exported("qrels", tmp_path).open() as file:
        qrels = pytrec_eval.parse_qrel(file)
    run: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in RUN.iter_rows():
        run.setdefault(query_id, {})[doc_id] = score
    measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(run)
    mean = sum(of_query["ndcg_cut_10"] for of_query in measured.values()) / len(measured)
    assert mean == pytest.approx(from_frame()["nDCG@10"], abs=1e-9)


def test_a_beir_folder_is_read_as_beirs_loader_reads_it(tmp_path: Path) -> None:
    """GenericDataLoader: JSON lines with _id, title, text; csv.reader with tabs, and a header to skip."""
    folder = exported("beir", tmp_path)
    lines = (folder / "corpus.jsonl").read_text().splitlines()
    corpus = {line["_id"]: (line["title"], line["text"]) for line in map(json.loads, lines)}
    assert corpus["d2"] == ("", DOCUMENTS["body"][1]) and len(corpus) == 3
    lines = (folder / "queries.jsonl").read_text().splitlines()
    queries = {line["_id"]: line["text"] for line in map(json.loads, lines)}
    assert queries == {"q1": "parental leave", "q2": 'travel, "by train"'}
    qrels: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        assert next(reader) == ["query-id", "corpus-id", "score"]
        for query_id, doc_id, score in reader:
            qrels.setdefault(query_id, {})[doc_id] = int(score)
    assert qrels == {"q1": {"d1": 3, "d2": 0, "d3": 1}, "q2": {"d3": 2}}
    pairs = [
        {"query_id": query, "doc_id": doc, "relevance": grade}
        for query, of_query in qrels.items()
        for doc, grade in of_query.items()
    ]
    assert values(pl.DataFrame(pairs).to_pandas()) == pytest.approx(from_frame(), abs=1e-9)


def test_a_beir_folder_is_a_corpus_of_ours(tmp_path: Path) -> None:
    from relabel_assets.corpus.folder import CorpusFolder

    corpus = CorpusFolder("out", exported("beir", tmp_path))
    assert corpus.reference_labels().frame.height == len(ROWS)
    assert corpus.documents().frame.height == 3


def test_ranklibs_form_is_read_by_an_svmlight_parser(tmp_path: Path) -> None:
    """Features are added before the #, as the search engine logs them."""
    path = exported("ltr", tmp_path)
    logged = tmp_path / "logged.txt"
    logged.write_text(path.read_text().replace("\t# ", "\t1:9.5\t# "))
    for file, n_features in ((path, 0), (logged, 4)):
        features, grades, queries = load_svmlight_file(str(file), query_id=True)
        assert grades.tolist() == [3, 0, 1, 2] and queries.tolist() == [1, 1, 1, 2]
        assert features.nnz == n_features


def test_the_ltr_plugins_patterns_find_queries_and_documents(tmp_path: Path) -> None:
    """hello-ltr and the plugin's demo: `# qid:N: query`, and `grade qid:N # document query`."""
    lines = exported("ltr", tmp_path).read_text().splitlines()
    headers = [found for line in lines if (found := re.match(r"#\sqid:(\d+?):\s+?(.*)", line))]
    assert [(int(found[1]), found[2].strip()) for found in headers] == [
        (1, "parental leave"),
        (2, 'travel, "by train"'),
    ]
    found = [re.match(r"^(\d)\s+qid:(\d+)\s+#\s+(\w+).*", line) for line in lines]
    assert [(one[1], one[3]) for one in found if one] == [
        ("3", "d1"),
        ("0", "d2"),
        ("1", "d3"),
        ("2", "d3"),
    ]


def test_quepids_case_and_book_have_its_own_columns(tmp_path: Path) -> None:
    """app/controllers/api/v1/export/ratings_controller.rb and books_controller.rb of Quepid."""
    rows = [row("q1", "=1+1", "d1", 2), row("q2", "b", "d,2", 0)]
    with exported("quepid-case", tmp_path, rows).open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["query", "docid", "rating"],
            [" =1+1", "d1", "2"],
            ["b", "d,2", "0"],
        ]
    (tmp_path / "book").mkdir()
    with exported("quepid-book", tmp_path / "book", rows).open(newline="") as file:
        assert next(csv.reader(file)) == ["query", "docid", "final"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_json_has_the_form_that_the_tool_documents(name: str, tmp_path: Path) -> None:
    content = json.loads(exported(name, tmp_path).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(content)


def test_vespas_relevance_keeps_ndcg(tmp_path: Path) -> None:
    """NDCG does not change when all gains are divided by one number."""
    content = json.loads(exported("vespa", tmp_path).read_text())
    pairs = [
        {"query_id": query, "doc_id": doc, "relevance": round(relevance * MAX_GRADE)}
        for query, documents in content["relevant_docs"].items()
        for doc, relevance in documents.items()
    ]
    assert values(pl.DataFrame(pairs).to_pandas()) == pytest.approx(from_frame(), abs=1e-9)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_tables_hold_every_column(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path)
    frame = pl.read_parquet(path) if name == "parquet" else pl.read_csv(path)
    assert frame["prob_2"].to_list() == [None, None, None, 0.7]
    assert frame["model"].to_list() == ["ana", "s1", "s1", "gpt-4o"]
    assert frame["grade"].to_list() == [3, 0, 1, 2]
