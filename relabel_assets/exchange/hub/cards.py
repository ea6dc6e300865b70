"""The cards of a student and of a set of labels: README.md with the hub's front matter.

What belongs here: their words and their metadata. What does not: the files beside them (package.py), and
sending (sending.py). The form: https://huggingface.co/docs/hub/model-cards and
https://huggingface.co/docs/hub/datasets-cards
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from relabel_assets.intake.markdown import inert
from relabel_assets.plural import counted

# Those of the hub's list of licences that companies use for documents.
_LICENCES = (
    "apache-2.0",
    "mit",
    "bsd-3-clause",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-3.0",
    "cc-by-sa-4.0",
    "cc-by-sa-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "odc-by",
    "odbl",
    "gpl-3.0",
    "agpl-3.0",
    "mpl-2.0",
)
_SHOWN = ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Facts:
    """What both cards say of the corpus. `report`: the rows of benchmark_report."""

    corpus: str
    description: str
    licence: str
    report: pl.DataFrame
    has_texts: bool  # whether the documents' texts are among the labels


def model_card(
    existing: str, facts: Facts, student: Mapping[str, Any], *, knows_corpus: bool
) -> str:
    """The card of a student: its own README.md with the hub's metadata, its benchmark, and what left.

    `student`: the row of student_model. `knows_corpus`: its files hold vectors and word counts of the
    corpus' documents.

    >>> facts = Facts("demo", "A corpus.", "CC-BY-4.0", pl.DataFrame({"slice": [], "metric": []}), False)
    >>> student = {"base_model": "embedded", "model_id": "s1"}
    >>> own = "---\\nlibrary_name: transformers\\n---\\n# Student s1"
    >>> card = model_card(own, facts, student, knows_corpus=True)
    >>> [line for line in card.splitlines() if line.startswith("license")]
    ['license: cc-by-4.0']
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    own = ModelCard(existing)
    metadata = own.data.to_dict()
    name = f"{facts.corpus}-student"
    results = [
        EvalResult(
            task_type="text-ranking",
            dataset_type=facts.corpus,
            dataset_name=f"{facts.corpus}, reference labels of kind {row['reference_kind']}",
            metric_type=row["metric"].replace("@", "_at_"),
            metric_name=row["metric"],
            metric_value=round(row["value"], 4),
        )
        for row in _figures(facts.report)
        if row["labeler"] == "student"
    ]
    base = student["base_model"]
    data = ModelCardData(
        **licence_data(facts.licence),
        library_name=metadata.get("library_name"),
        tags=metadata.get("tags"),
        pipeline_tag="text-ranking",
        base_model="sentence-transformers/all-MiniLM-L6-v2" if base == "embedded" else base,
        model_name=name if results else None,
        eval_results=results or None,
    )
    left = [
        "- Weights that were trained on grades of pairs of the corpus' queries and documents.",
        "- `evidence.safetensors` holds vectors and word counts of the corpus' documents. Parts of their "
        "texts can be guessed from it."
        if knows_corpus
        else "- No file with the corpus' documents or counts of their words.",
    ]
    parts = [own.text.strip()]
    parts += [_benchmark(facts), "## What of the corpus is in it", "\n".join(left), _licence(facts)]
    return _card(data, parts)


def dataset_card(facts: Facts, labels: pl.DataFrame, files: Sequence[str]) -> str:
    """The card of a set of labels. `labels` has the columns of JUDGMENTS; `files` are those of its splits.

    >>> facts = Facts("demo", "A corpus.", "", pl.DataFrame({"slice": [], "metric": []}), False)
    >>> labels = pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "labeler": ["student"], "model": ["s1"],
    ...                        "prompt_hash": [None], "grade": [2]})
    >>> "path: data/train.parquet" in dataset_card(facts, labels, ["data/train.parquet"])
    True
    """
    from huggingface_hub import DatasetCardData

    splits = [{"split": re.sub(r".*/|\..*", "", file), "path": file} for file in files]
    data = DatasetCardData(
        **licence_data(facts.licence),
        task_categories=["text-ranking"],
        size_categories=next((size for most, size in _SIZES if labels.height < most), "1M<n<10M"),
        pretty_name=f"Relevance labels of {facts.corpus}",
        configs=[{"config_name": "default", "data_files": splits}],
    )
    by = labels.group_by("labeler", "model", "prompt_hash").len().sort("len", descending=True)
    rows = [
        f"| {inert(row['labeler'] or '-')} | {inert(row['model'] or '-')} | "
        f"{(row['prompt_hash'] or '-')[:12]} | {row['len']:,} |"
        for row in by.head(20).iter_rows(named=True)
    ]
    texts = "with" if facts.has_texts else "without"
    queries = counted(labels["query_id"].n_unique(), "query")
    parts = [
        f"# Relevance labels of {inert(facts.corpus)}",
        inert(facts.description),
        f"{counted(labels.height, 'grade')} of {queries}, from 0 up; a higher one is more relevant. "
        "`expected_grade` and `prob_N` are how sure the labeler was.",
        "\n".join(["| who | model | prompt | grades |", "|---|---|---|---|", *rows]),
        _benchmark(facts),
        "## What of the corpus is in it",
        f"- The queries' texts, the documents' ids, and grades, {texts} the documents' titles and texts.",
        _licence(facts),
    ]
    return _card(data, [part for part in parts if part])


def licence_data(licence: str) -> dict[str, Any]:
    """The hub's metadata of a licence; none where none is stated.

    >>> licence_data("CC-BY-4.0"), licence_data("Internal use only"), licence_data("")
    ({'license': 'cc-by-4.0'}, {'license': 'other', 'license_name': 'internal-use-only'}, {})
    """
    simple = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-.")
    if not simple:
        return {}
    if simple in _LICENCES:
        return {"license": simple}
    return {"license": "other", "license_name": simple[:64]}


def _figures(report: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of the metrics that cards show, over all queries."""
    of_all = report.filter(pl.col("slice") == "all", pl.col("metric").is_in(_SHOWN))
    if "value" in of_all.columns:
        of_all = of_all.filter(pl.col("value").is_not_null())
    return list(of_all.iter_rows(named=True))


def _benchmark(facts: Facts) -> str:
    """The benchmark with its intervals, as a table."""
    figures = _figures(facts.report)
    if not figures:
        return "## Benchmark\n\nIt was not measured: the corpus has no benchmark."
    lines = [
        f"| {row['labeler']} | {row['metric']} | {row['value']:.3f} | {row['ci_low']:.3f} to "
        f"{row['ci_high']:.3f} | {row['n_queries']:,} | {row['n_pairs']:,} |"
        for row in figures
        if row["labeler"] in ("student", "teacher", "student-teacher", "bm25")
    ]
    kind = figures[0]["reference_kind"]
    head = (
        "| labeler | metric | value | 95 % interval | queries | pairs |\n|---|---|---|---|---|---|"
    )
    return f"## Benchmark\n\nAgainst reference labels of kind `{kind}`.\n\n{head}\n" + "\n".join(
        lines
    )


def _licence(facts: Facts) -> str:
    stated = f"corpus.yaml states: {inert(facts.licence)}."
    return "## Licence\n\n" + (
        stated if facts.licence else "None is stated, so nobody else may use it."
    )


def _card(data: Any, parts: Sequence[str]) -> str:
    front = data.to_yaml(line_break="\n").strip()
    return f"---\n{front}\n---\n" + "\n\n".join(parts) + "\n"
