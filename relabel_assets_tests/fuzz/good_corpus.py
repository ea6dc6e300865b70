"""A small corpus without a fault, in each format that documents can have.

What belongs here: the files that a hostile thing is put into. What does not: hostile things (nasty_*.py).
"""

import json
from pathlib import Path

import polars as pl

KINDS = ("markdown", "jsonl", "csv", "parquet", "beir")
SUBJECTS = ("parental leave", "travel expenses", "laptop repair", "visitor badges")
DOCUMENTS = [
    {"doc_id": f"d{n}", "title": subject.title(), "body": f"All about {subject}.", "author": "Ana"}
    for n, subject in enumerate(SUBJECTS)
]
QUERIES = [
    {
        "query_id": f"q{n}",
        "text": f"how does {subject} work",
        "intent": "question",
        "seed_doc_id": f"d{n}",
    }
    for n, subject in enumerate(SUBJECTS)
]
LABELS = [
    {
        "query_id": f"q{n}",
        "doc_id": f"d{m}",
        "grade": 3 if n == m else 0,
        "rationale": "r",
        "model": "m",
    }
    for n in range(4)
    for m in range(4)
]
SETTINGS = (
    "description: A test\nrubric: rubric.yaml\nteacher: {prompt: grading.yaml}\nstudent: {epochs: 1}\n"
    "reference: {kind: human}\n"
)
RUBRIC = (
    "grades:\n"
    + "".join(f"- {{grade: {n}, name: n{n}, meaning: m{n}}}\n" for n in range(4))
    + "guidance: [Be strict]\n"
)
PROMPT = "description: x\nsystem: Grade.\nuser: '<d>{{title}} {{body}}</d> {{query}} {{grades}}'\n"


def write_good(folder: Path, kind: str) -> Path:
    """Write the corpus with documents in the format `kind`, one of KINDS. Returns their file or folder."""
    folder.mkdir(parents=True)
    jsonl(folder / "queries.jsonl", [renamed(row, "query_id", kind) for row in QUERIES])
    jsonl(folder / "teacher_labels.jsonl", LABELS)
    _text(folder / "corpus.yaml", SETTINGS)
    _text(folder / "rubric.yaml", RUBRIC)
    _text(folder / "grading.yaml", PROMPT)
    if kind == "beir":
        grades = "".join(f"{row['query_id']}\t{row['doc_id']}\t{row['grade']}\n" for row in LABELS)
        _text(folder / "qrels" / "test.tsv", f"query-id\tcorpus-id\tscore\n{grades}")
        rows = [
            {"_id": row["doc_id"], "title": row["title"], "text": row["body"]} for row in DOCUMENTS
        ]
        return jsonl(folder / "corpus.jsonl", rows)
    grades = "".join(f"{row['query_id']} 0 {row['doc_id']} {row['grade']}\n" for row in LABELS)
    _text(folder / "reference_labels.qrels", grades)
    if kind == "jsonl":
        return jsonl(folder / "documents.jsonl", DOCUMENTS)
    if kind == "csv":
        return _text(folder / "documents.csv", pl.DataFrame(DOCUMENTS).write_csv())
    if kind == "parquet":
        pl.DataFrame(DOCUMENTS).write_parquet(folder / "documents.parquet")
        return folder / "documents.parquet"
    for row in DOCUMENTS:
        _text(
            folder / "documents" / f"{row['doc_id']}.md",
            f"---\nauthor: Ana\n---\n# {row['title']}\n\n{row['body']}\n",
        )
    return folder / "documents"


def renamed(row: dict[str, object], name: str, kind: str) -> dict[str, object]:
    """`row` with BEIR's `_id` in place of `name`, if the corpus is BEIR's."""
    return {"_id" if key == name and kind == "beir" else key: value for key, value in row.items()}


def jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    return _text(path, "".join(json.dumps(row) + "\n" for row in rows))


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
