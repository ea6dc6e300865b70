"""Hostile rows: JSON lines, lines of qrels files, and settings of YAML files.

What belongs here: one bad row or setting, or many rows, in a file of a good corpus. What does not: single
values (nasty_values.py), CSV and Parquet (nasty_tables.py).
"""

import json
from pathlib import Path
from random import Random

from relabel_assets_tests.fuzz.good_corpus import write_good
from relabel_assets_tests.fuzz.nasty_values import (
    ESCAPES,
    NUMBERS,
    json_value,
    nested,
    plain_text,
    size,
    text,
    variant,
    yaml_value,
)  # fmt: skip

_FIELDS = {
    "documents.jsonl": {
        "doc_id": '"d9"', "body": '"A body."', "title": '"T"', "author": '"A"', "path": '"p/q"',
        "updated_at": '"2024-01-01"', "doc_type": '"policy"', "_id": '"d8"', "text": '"A text."',
    },
    "queries.jsonl": {
        "query_id": '"q9"', "text": '"lunch menu"', "intent": '"keyword"', "seed_doc_id": '"d0"',
        "split": '"train"',
    },
    "teacher_labels.jsonl": {
        "query_id": '"q0"', "doc_id": '"d9"', "grade": "2", "rationale": '"r"', "model": '"m"',
    },
}  # fmt: skip
_SETTINGS = (
    "name", "description", "licence", "rubric", "teacher", "queries", "candidates", "student",
    "reference", "gate",
    "teacher.kind", "teacher.model", "teacher.prompt", "teacher.base_url", "teacher.mode",
    "teacher.temperature",
    "teacher.votes", "teacher.panel", "teacher.budget_usd", "teacher.max_document_tokens",
    "teacher.timeout_s",
    "teacher.price_usd_per_million_tokens", "teacher.seed", "teacher.api_key", "queries.personas",
    "queries.prompt",
    "queries.intents", "queries.seed", "queries.dev_share", "queries.seed_documents", "candidates.random",
    "candidates.bm25_top_k", "student.preset", "student.base_model", "student.max_length",
    "student.learning_rate",
    "student.epochs", "reference.kind", "gate.ndcg_margin", "unknown", "unknown.deep",
)  # fmt: skip


def json_field(rng: Random, folder: Path) -> str:
    """A row whose one field has a hostile value or name, or is missing or there twice."""
    file = _good(rng, folder)
    members = [
        f'"{name}": {value}' for name, value in _FIELDS[file].items() if not name.startswith("_")
    ]
    name = rng.choice(list(_FIELDS[file]))
    change = rng.randrange(6)
    if change == 0:
        members = [member for member in members if not member.startswith(f'"{name}"')]
    elif change == 1:
        members.append(f"{json.dumps(text(rng), ensure_ascii=True)}: {json_value(rng)}")
    else:
        members = [member for member in members if not member.startswith(f'"{name}"')]
        members += [f'"{name}": {json_value(rng)}'] * rng.choice((1, 1, 1, 2))
    _insert(rng, folder / file, "{" + ", ".join(members) + "}")
    return f"{file}: {name}"


def json_line(rng: Random, folder: Path) -> str:
    """A line that is another JSON value, torn, two values, or no JSON."""
    file = _good(rng, folder)
    good = "{" + ", ".join(f'"{name}": {value}' for name, value in _FIELDS[file].items()) + "}"
    lines = (
        json_value(rng), nested(rng), plain_text(rng), good[: rng.randrange(len(good))], good * 2,
        good + ",", f"[{good}]",
        good.replace('"', "'"), good.replace(": ", ":\n"), f"{good}{plain_text(rng)}", f"// x\n{good}",
        f"\ufeff{good}",
        f"\x1e{good}", "{" * size(rng), good.replace("}", ', "x": ' + nested(rng) + "}"),
        "\r" + good + "\r",
    )  # fmt: skip
    _insert(rng, folder / file, rng.choice(lines))
    return file


def same_ids(rng: Random, folder: Path) -> str:
    """Rows whose ids are equal, or differ in case, Unicode form, spaces or type."""
    file = _good(rng, folder)
    key = next(iter(_FIELDS[file]))
    for _ in range(size(rng, 30)):
        row = {
            name: json.loads(value)
            for name, value in _FIELDS[file].items()
            if not name.startswith("_")
        }
        row[key] = rng.choice(
            (variant(rng, "d1"), variant(rng, "q1"), 1, 1.0, "1", True, "x" * size(rng, 3_000))
        )
        _insert(rng, folder / file, json.dumps(row))
    return file


def many_rows(rng: Random, folder: Path, largest: int = 300) -> str:
    """Many rows: equal or nearly equal queries, tiny documents, grades of unknown pairs."""
    file = _good(rng, folder)
    unit, count = (
        rng.choice(("leave ", "a", "語", "ß", "word" * 50, "", " ", "9")),
        size(rng, largest),
    )
    kind = rng.randrange(3)
    for number in range(count):
        query = {
            "query_id": f"n{number}",
            "text": unit * 3 + ("", f" {number % 7}", f" {number:09}")[kind],
        }
        rows = {
            "queries.jsonl": query,
            "documents.jsonl": {"doc_id": f"n{number}", "body": unit or "."},
            "teacher_labels.jsonl": {
                "query_id": f"n{number}",
                "doc_id": f"n{number % 5}",
                "grade": number % 5,
            },
        }
        with (folder / file).open("a") as out:
            out.write(json.dumps(rows[file]) + "\n")
    return f"{file}: {count} rows"


def qrels(rng: Random, folder: Path) -> str:
    """A hostile line of reference grades, TREC's or BEIR's."""
    is_beir = rng.random() < 0.5
    write_good(folder, "beir" if is_beir else "jsonl")
    fields = ["q0", "d9", "2"] if is_beir else ["q0", "0", "d9", "2"]
    value = rng.choice(
        (
            plain_text(rng),
            rng.choice(NUMBERS),
            "²",
            "٣",
            "--1",
            "-",
            "9" * size(rng, 6_000),
            "",
            "1 1",
        )
    )
    fields[rng.choice((-1, rng.randrange(len(fields))))] = value
    line = rng.choice(("\t", "\t", " ", "  ", ",", "\u00a0")).join(fields)
    file = f"qrels/{rng.choice(('test', 'train'))}.tsv" if is_beir else "reference_labels.qrels"
    _insert(
        rng,
        folder / file,
        rng.choice((line, line, plain_text(rng), "\t" * size(rng), " ".join(fields * 9))),
    )
    return file


def settings(rng: Random, folder: Path) -> str:
    """A hostile value or key in corpus.yaml, the rubric or the prompt."""
    write_good(folder, "jsonl")
    file = rng.choice(("corpus.yaml", "corpus.yaml", "corpus.yaml", "rubric.yaml", "grading.yaml"))
    value = yaml_value(rng)
    if file == "corpus.yaml":
        key = rng.choice(_SETTINGS) if rng.random() < 0.9 else plain_text(rng, 50)
        section, _, name = key.partition(".")
        written = f"{section}:\n  {name}: {value}\n" if name else f"{section}: {value}\n"
    elif file == "rubric.yaml":
        grade, name, rule = rng.choice(((value, "a", "b"), ("1", value, "b"), ("1", "a", value)))
        first = "{grade: 0, name: a, meaning: b}"
        entry = f"- {first}\n- grade: {grade}\n  name: {name}\n  meaning: b\n"
        written = rng.choice((f"grades: {value}\n", f"grades:\n{entry}guidance: {rule}\n"))
    else:
        placeholders = rng.choice(
            ("{{query}} {{body}} {{grades}}", "{{" * size(rng), "{{ query", "{{x}}", "")
        )
        written = rng.choice(
            (f"user: {value}\n", f"system: {value}\nuser: '{placeholders}'\n", f"<{value}>\n")
        )
    whole = (folder / file).read_text()
    written = rng.choice((written, written, whole + written, yaml_value(rng), rng.choice(ESCAPES)))
    (folder / file).write_text(written, errors="replace")
    return file


def _good(rng: Random, folder: Path) -> str:
    """Write a good corpus, and choose one of its files of JSON lines."""
    write_good(folder, "jsonl")
    return rng.choice(list(_FIELDS))


def _insert(rng: Random, path: Path, line: str) -> None:
    """Insert `line` before any line of the file, or after the last."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    lines.insert(
        rng.randrange(len(lines) + 1), line + rng.choice(("\n", "\n", "\n", "\r\n", "\r", ""))
    )
    path.write_text("".join(lines), errors="replace", newline="")
