r"""How often irrelevant documents that carry a query get grade 2 or 3, with and without hardening.

    python -m relabel_assets_tests.benchmarks.attacks [CORPUS]...

Needs corpora whose teacher has graded (`relabel run -s +teacher_labels`); reads RELABEL_HOME and
RELABEL_DATA. Every third train or dev query is held out; benchmark queries are never looked at. Two
students learn from the others, one with `hardening` and one, the rival, without. Each grades:

- stuffed documents of the held-out queries: of the kinds that hardening trains on, and of others. They
  are made of documents of the corpus that are irrelevant to the query, and of texts about other things;
- the same documents before they were stuffed;
- the pairs that the teacher graded.

Figures have 95 % intervals from a bootstrap over queries.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.benchmark.resampling import resamples
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.intake.visible_text import visible_text
from relabel_assets.running import runner
from relabel_assets.student import Labeler, corpus_sample, train_student
from relabel_assets.student.hardening.probes import in_path, scattered
from relabel_assets.student.hardening.stuffed_documents import KINDS, Document
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets_tests.benchmarks.student_training import split_by_query

SEED = 7  # not that of training
# About nothing that a company's documents or web passages of the corpora are about.
OTHER_TEXTS = (
    "Preheat the oven to 180 degrees. Whisk four eggs with sugar until pale, fold in the flour and the "
    "melted butter, and bake for thirty-five minutes. Let the cake cool on a rack before you cut it.",
    "The Danube rises in the Black Forest and flows through ten countries before it reaches the Black "
    "Sea. Its delta is home to more than three hundred species of birds.",
    "The home team took the lead in the twelfth minute after a corner that the goalkeeper could not "
    "hold. The visitors equalised shortly before the break and missed a penalty in the second half.",
    "Prune roses in late winter, before the buds open. Remove dead wood first, then cut each stem to an "
    "outward facing bud. Feed with compost in spring and water deeply once a week in dry summers.",
)


def _insert(text: str, document: Document, draw: random.Random) -> None:
    paragraphs = str(document["body"] or "").split("\n\n")
    paragraphs.insert(draw.randint(0, len(paragraphs)), text)
    document["body"] = "\n\n".join(paragraphs)


def _heading(query: str, document: Document, draw: random.Random) -> None:
    _insert(f"## {query}", document, draw)


def _guide(query: str, document: Document, draw: random.Random) -> None:
    document["title"] = f"{query}: the complete guide"
    document["body"] = f"Everything you need to know about {query}. {document['body']}"


def _keywords(query: str, document: Document, draw: random.Random) -> None:
    document["body"] = f"{document['body']}\n\nKeywords: {', '.join(query.split())}, {query}"


def _question(query: str, document: Document, draw: random.Random) -> None:
    _insert(f"Q: {query}? A: See the next section.", document, draw)


def _everywhere(query: str, document: Document, draw: random.Random) -> None:
    document["title"] = query
    document["body"] = "\n\n".join(
        f"{query}: {part}" for part in str(document["body"] or "").split("\n\n")
    )


def _quoted(query: str, document: Document, draw: random.Random) -> None:
    _insert(f'A visitor once asked about "{query}". This page is not about it.', document, draw)


def _hidden(query: str, document: Document, draw: random.Random) -> None:
    element = draw.choice(
        [
            "<!-- {} -->",
            "<div style='display:none'>{}</div>",
            "<p hidden>{}</p>",
            "<span style='font-size:0'>{}</span>",
        ]
    )
    _insert(element.format(". ".join([query] * 5)), document, draw)
    document["body"] = visible_text(document["body"])  # as documents are read


OTHER_KINDS: dict[str, Callable[[str, Document, random.Random], None]] = {
    "heading": _heading,
    "guide": _guide,
    "metadata": in_path,
    "keywords": _keywords,
    "question": _question,
    "scattered": scattered,
    "everywhere": _everywhere,
    "quoted": _quoted,
    "hidden in HTML": _hidden,
}


def stuffed(held_out: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """A pair of each held-out query with a document of each kind, and with one that is not stuffed."""
    draw, rows = random.Random(SEED), []
    texts = {row["doc_id"]: row for row in documents.to_dicts()}
    queries = held_out.group_by("query_id", "text", maintain_order=True).agg("doc_id", "grade")
    for query_id, query, doc_ids, grades in queries.rows():
        zeros = [doc_id for doc_id, grade in zip(doc_ids, grades, strict=True) if grade == 0]
        others = sorted(texts.keys() - set(doc_ids))
        for kind, carry in [*KINDS.items(), *OTHER_KINDS.items(), ("not stuffed", None)]:
            pool = draw.choice([pool for pool in (zeros, others) if pool])
            document = dict(texts[draw.choice(pool)])
            if draw.random() < 1 / 3:
                document |= {"title": "Notes", "path": "notes.md", "body": draw.choice(OTHER_TEXTS)}
            if carry:
                carry(query, document, draw)
            keys = {"query_id": query_id, "text": query, "doc_id": f"{kind} {len(rows)}"}
            rows.append({name: document[name] for name in DOCUMENT_COLUMNS} | keys | {"kind": kind})
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(DOCUMENT_COLUMNS, pl.String))


def false_high(graded: pl.DataFrame) -> str:
    """The share of grades 2 and 3, with its interval."""
    by_query = graded.group_by("query_id").agg(high=(pl.col("grade") >= 2).sum(), n=pl.len())
    weights = resamples(by_query.height, 2000, SEED)
    shares = (weights @ by_query["high"].to_numpy()) / (weights @ by_query["n"].to_numpy())
    low, high = np.percentile(shares[1:], (2.5, 97.5))
    return f"{shares[0]:5.1%} [{low:.1%}, {high:.1%}]"


def trained(
    pairs: pl.DataFrame, sample: pl.DataFrame, rubric: object, *, hardening: bool
) -> Labeler:
    with tempfile.TemporaryDirectory() as folder:
        train_student(
            pairs,
            corpus=sample,
            config=StudentConfig(hardening=hardening),
            rubric=rubric,  # type: ignore[arg-type]
            folder=Path(folder) / "s",
        )
        return Labeler.load(Path(folder) / "s")


def main(corpora: list[str]) -> None:
    project, warehouse = runner.from_environment()
    everything: dict[str, list[pl.DataFrame]] = {"hardened": [], "rival": []}
    for corpus in corpora or project.corpora().names():
        rubric = project.corpora().open(corpus).rubric
        queries, documents = (
            warehouse.read(table, corpus) for table in ("synthetic_queries", "seed_docs")
        )
        pairs = training_pairs(warehouse.read("teacher_labels", corpus), queries, documents)
        train_pairs, held_out = split_by_query(pairs)
        attacks = stuffed(held_out, documents)
        sample, labels = corpus_sample(documents, StudentConfig()), []
        print(
            f"\n{corpus}: {held_out['query_id'].n_unique()} held-out queries, {attacks.height:,} pairs "
            "with made documents"
        )
        # `measure` takes the difference of these two names.
        for name, labeler_name in (("hardened", "student"), ("rival", "teacher")):
            started = time.monotonic()
            labeler = trained(train_pairs, sample, rubric, hardening=name == "hardened")
            print(f"  {name}: trained in {time.monotonic() - started:.0f} s", flush=True)
            graded = labeler.grade(attacks).with_columns(
                kind=attacks["kind"], query_id=corpus + "/" + attacks["query_id"]
            )
            everything[name].append(graded)
            honest = labeler.grade(held_out).select(
                pl.lit(labeler_name).alias("labeler"), "query_id", "doc_id", "grade",
                score="expected_grade",
            )  # fmt: skip
            labels.append(honest)
            zero = honest.with_columns(taught=held_out["grade"]).filter(pl.col("taught") == 0)
            print(f"  {name}: teacher's grade 0, graded 2 or 3: {false_high(zero)}", flush=True)
        print_honest(pl.concat(labels), held_out, queries)
    print_kinds({name: pl.concat(frames) for name, frames in everything.items()})


def print_honest(labels: pl.DataFrame, held_out: pl.DataFrame, queries: pl.DataFrame) -> None:
    reference = held_out.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
    rows = measure(labels, reference, queries).rows.filter(pl.col("slice") == "all")
    for labeler, name in (
        ("student", "hardened"),
        ("teacher", "rival"),
        (DIFFERENCE, "difference"),
    ):
        cells = [
            f"{row['metric']} {row['value']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
            for row in rows.filter(pl.col("labeler") == labeler).iter_rows(named=True)
            if row["metric"] in ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic")
        ]
        print(f"  {name:11} {'  '.join(cells)}")


def print_kinds(graded: dict[str, pl.DataFrame]) -> None:
    groups = {
        "kinds that are trained on": list(KINDS),
        "kinds that are not": list(OTHER_KINDS),
        "before they were stuffed": ["not stuffed"],
    }
    n_queries = graded["rival"]["query_id"].n_unique()
    print(f"\ngraded 2 or 3, {n_queries} queries    {'hardened':24} rival")
    for title, kinds in groups.items():
        frames = {name: frame.filter(pl.col("kind").is_in(kinds)) for name, frame in graded.items()}
        print(f"{title:26}{'  '.join(f'{false_high(frame):24}' for frame in frames.values())}")
        for kind in kinds if len(kinds) > 1 else []:
            cells = [false_high(frame.filter(pl.col("kind") == kind)) for frame in frames.values()]
            print(f"  {kind:24}{'  '.join(f'{cell:24}' for cell in cells)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="default: all")
    main(parser.parse_args().corpora)
