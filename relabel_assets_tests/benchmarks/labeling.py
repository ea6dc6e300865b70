"""Pairs per second of each architecture and of sentence-transformers' CrossEncoder.predict.

    python relabel_assets_tests/benchmarks/labeling.py 1000 10000 [--corpus people_handbook]
        [--rival-pairs 500]

It needs a finished `relabel run` and the extra `benchmarks`. Two cases, each with its own lines:

- `distinct`: every pair has a document of its own, so no encoded document is of use again. Beyond
  the corpus' documents these are the same with their words rotated.
- `shared`: every document with a query, then with the next: late interaction encodes a document once.

late_interaction is the corpus' student, beside predict on the same base. cross_encoder is the base
with a fresh head, saved as a student, beside predict on that very folder. decoder is a small Llama
with random weights, saved as a student, beside predict on the same base, and beside the plain
forward of transformers, a whole prompt at a time. A rival's rate does not depend on the number of
pairs and is measured on `--rival-pairs`. Grades are compared with the rival's of the same weights,
else, on all candidates of the corpus, with the student's own in fp32. Peak is the share of this
machine's measured matrix product in the format that was read in; tokens of text count, padding does
not. Pairs are made and graded 5,000 at a time, as `relabel label` does.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from relabel_assets import Labeler
from relabel_assets.benchmark.cut_points import grades_from
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.labeling.label_file import ROWS_PER_CHUNK
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.running import runner
from relabel_assets.student import train_student
from relabel_assets.student.base import base_path
from relabel_assets.student.calibration import expected_grades
from relabel_assets.student.folder import SETTINGS, read_settings
from relabel_assets.student.pair_reader import document_text
from relabel_assets.student.runtime.batches import device
from relabel_assets.student.runtime.precision import dtype_of
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

TRAINED_ON = 200  # pairs from which the students made here have their cut points


@dataclass(frozen=True)
class Corpus:
    queries: pl.DataFrame
    documents: pl.DataFrame
    candidates: pl.DataFrame  # the pairs that the graph grades

    def pairs(self, first: int, end: int, *, distinct: bool) -> pl.DataFrame:
        rows = []
        for number in range(first, end):
            turn, position = divmod(number, self.documents.height)
            document = self.documents.row(position, named=True)
            query = (number * 7 + turn) % self.queries.height
            suffix = "" if distinct else str(turn // self.queries.height or "")
            if distinct and turn:
                words = document["body"].split()
                cut = 1 + (turn * 13) % max(1, len(words) - 1)
                document |= {
                    "doc_id": f"{document['doc_id']}-{turn}",
                    "body": " ".join([*words[cut:], *words[:cut]]),
                }
            text = f"{self.queries['text'][query]} {suffix}".strip()
            rows.append(
                document | {"query_id": text, "text": text, "grade": number % 4, "split": "train"}
            )
        return pl.DataFrame(
            rows, schema_overrides=dict.fromkeys(DOCUMENT_COLUMNS, pl.String)
        ).with_columns(expected_grade=pl.lit(None, pl.Float64))


def matrix_peak(dtype: torch.dtype) -> float:
    """The rate of a large matrix product on this machine, in GFLOP per second."""
    size = 8192 if torch.cuda.is_available() else 2048
    a = torch.rand(size, size, device=device()).to(dtype)
    rates = []
    for _ in range(6):
        started = time.perf_counter()
        float((a @ a)[0, 0])  # a GPU is waited for
        rates.append(2 * size**3 / (time.perf_counter() - started) / 1e9)
    return max(rates)


class Work:
    """Counts the text tokens that a model processes, and samples the memory of this process."""

    def __init__(self, grader: Any) -> None:
        self.tokens, self.peak_mb, self._on = torch.tensor(0), 0.0, True
        own, model = reading(grader)
        self._pad = getattr(grader, "tokenizer", None) and grader.tokenizer.pad_token_id
        # Of the model as it was loaded: fused layers have their weights laid out otherwise.
        linear = [m for m in own.modules() if isinstance(m, torch.nn.Linear)]
        self.flops_a_token = 2 * sum(m.weight.numel() for m in linear)
        self._hook = model.register_forward_pre_hook(self._count, with_kwargs=True)
        self._watch = threading.Thread(target=self._look, daemon=True)

    def _count(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        ids, mask = kwargs["input_ids"], kwargs.get("attention_mask")
        # A decoder's rows have their padding last, and no mask.
        is_text = ids != self._pad if mask is None else mask[:, -ids.shape[1] :]
        self.tokens = self.tokens + is_text.sum().cpu()

    def _look(self) -> None:
        while self._on:
            self.peak_mb = max(self.peak_mb, psutil.Process().memory_info().rss / 1e6)
            time.sleep(0.02)

    def __enter__(self) -> "Work":
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._on = False
        self._watch.join()
        self._hook.remove()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def made_student(folder: Path, corpus: Corpus, architecture: str, base: str) -> Path:
    config = StudentConfig(base_model=base, architecture=architecture, epochs=0, max_length=512)  # type: ignore[arg-type]
    train_student(
        corpus.pairs(0, TRAINED_ON, distinct=True),
        config=config,
        rubric=default_rubric(),
        folder=folder,
    )
    return folder


def small_llama(folder: Path) -> str:
    words = AutoTokenizer.from_pretrained(base_path("embedded"))
    torch.manual_seed(13)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        intermediate_size=1024,
        max_position_embeddings=4096,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def whole_prompts(labeler: Labeler, folder: Path, pairs: pl.DataFrame) -> Callable[[], np.ndarray]:
    """A function that computes expected grades in transformers, one whole prompt at a time."""
    grader: Any = labeler.grader
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = grader.tokenize(pairs.to_dicts())

    @torch.inference_mode()
    def scores() -> np.ndarray:
        expected = []
        for row in rows:
            logits = model(torch.tensor([row["input_ids"]]), logits_to_keep=1).logits[
                0, -1, list(grader.digits)
            ]
            expected.append(
                float(
                    torch.softmax(logits, -1)
                    @ torch.arange(len(grader.digits), dtype=torch.float32)
                )
            )
        return np.array(expected)

    return scores


def compared(labeler: Labeler, pairs: pl.DataFrame, scores: np.ndarray, of: str) -> str:
    """The share of equal grades between the labeler and `scores`, as a sentence."""
    ours = labeler.grade(pairs)
    theirs = expected_grades(labeler.calibration.grade_probs(scores))
    equal = float((ours["grade"].to_numpy() == grades_from(theirs, labeler.points)).mean())
    furthest = np.abs(ours["expected_grade"].to_numpy() - theirs).max()
    return f"grades equal to {of}: {equal:.2%}, expected grades at most {furthest:.4f} apart"


def in_fp32(folder: Path, pairs: pl.DataFrame) -> np.ndarray:
    """The scores of the student in `folder`, computed in fp32."""
    with tempfile.TemporaryDirectory() as beside:
        copied = Path(beside) / "student"
        copied.mkdir()
        for file in folder.iterdir():
            (copied / file.name).symlink_to(file)
        (copied / SETTINGS).unlink()
        (copied / SETTINGS).write_text(
            read_settings(folder).model_copy(update={"precision": "fp32"}).model_dump_json()
        )
        return Labeler.load(copied).grader.scores(pairs)


def reading(grader: Any) -> tuple[Any, Any]:
    """The model of a grader: as loaded, and its inference copy."""
    encoder = getattr(grader, "document_encoder", grader)
    return encoder.model, encoder.inference(encoder.model)


def measure(
    name: str,
    case: str,
    folder: Path,
    corpus: Corpus,
    rival: CrossEncoder,
    sizes: list[int],
    n_rival: int,
) -> Iterator[str]:
    distinct = case == "distinct"
    labeler = Labeler.load(folder)
    rival_pairs = corpus.pairs(0, n_rival, distinct=distinct)
    words = [(row["text"], document_text(row, 192)) for row in rival_pairs.to_dicts()]
    rival.predict(words[:32])
    rival_s, rival_scores = timed(lambda: rival.predict(words, activation_fn=torch.nn.Identity()))
    rival_rate = n_rival / rival_s
    yield f"CrossEncoder.predict: {rival_rate:.1f} pairs/s on {n_rival} pairs"
    if name == "cross_encoder":
        yield compared(
            labeler, rival_pairs, rival_scores, "those of CrossEncoder.predict on the same folder"
        )
    elif name == "decoder":
        plain_s, scores = timed(whole_prompts(labeler, folder, rival_pairs))
        yield f"plain transformers, a prompt at a time: {n_rival / plain_s:.1f} pairs/s"
        yield compared(labeler, rival_pairs, scores, "those of whole prompts in fp32")
    else:
        candidates = corpus.candidates
        comparison = compared(labeler, candidates, in_fp32(folder, candidates), "its own in fp32")
        yield f"{candidates.height:,} candidates: {comparison}"
    labeler.grade(rival_pairs.head(64))
    _, model = reading(labeler.grader)
    peak = matrix_peak(next(model.parameters()).dtype)
    for n in sizes:
        labeler, seconds = Labeler.load(folder), 0.0  # nothing is kept from the run before
        with Work(labeler.grader) as work:
            for first in range(0, n, ROWS_PER_CHUNK):
                pairs = corpus.pairs(first, min(n, first + ROWS_PER_CHUNK), distinct=distinct)
                seconds += timed(partial(labeler.grade, pairs))[0]
        share = work.tokens * work.flops_a_token / seconds / 1e9 / peak
        yield (
            f"{n:,} pairs: {n / seconds:.1f} pairs/s, {share:.0%} of the matrix peak, "
            f"{work.peak_mb:.0f} MB, "
            f"speedup vs CrossEncoder.predict: {n / seconds / rival_rate:.1f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=int, nargs="+")
    parser.add_argument("--corpus", default="people_handbook")
    parser.add_argument("--rival-pairs", type=int, default=500)
    parser.add_argument(
        "--only", nargs="*", default=["late_interaction", "cross_encoder", "decoder"]
    )
    parser.add_argument("--cases", nargs="*", default=["distinct", "shared"])
    arguments = parser.parse_args()
    project, warehouse = runner.from_environment()
    queries, documents = (
        warehouse.read(name, arguments.corpus) for name in ("synthetic_queries", "seed_docs")
    )
    documents = documents.select("doc_id", *DOCUMENT_COLUMNS)
    candidates = warehouse.read("bm25_candidates", arguments.corpus).select("query_id", "doc_id")
    texts = queries.select("query_id", "text")
    corpus = Corpus(
        queries, documents, candidates.join(texts, on="query_id").join(documents, on="doc_id")
    )
    student = (
        warehouse.read("student_model", arguments.corpus).filter("is_current").row(0, named=True)
    )
    # Emulated bf16 is not measured: its product takes minutes.
    dtypes = dict.fromkeys((torch.float32, dtype_of("auto")))
    peaks = ", ".join(f"{str(dtype)[6:]} {matrix_peak(dtype):.0f}" for dtype in dtypes)
    print(
        f"{arguments.corpus}: {documents.height} documents, {torch.get_num_threads()} threads, "
        f"matrix peak {peaks} GFLOP/s"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.only:
            if name == "late_interaction":
                folder = project.home.path / student["path"]
                rival = CrossEncoder(base_path(student["base_model"]), num_labels=1, max_length=512)
            elif name == "cross_encoder":
                folder = made_student(Path(scratch) / name, corpus, name, "embedded")
                rival = CrossEncoder(str(folder))
            else:
                base = small_llama(Path(scratch) / "llama")
                folder = made_student(Path(scratch) / name, corpus, name, base)
                rival = CrossEncoder(base, num_labels=1, max_length=512)
            for case in arguments.cases:
                for line in measure(
                    name, case, folder, corpus, rival, arguments.pairs, arguments.rival_pairs
                ):
                    print(f"{name}, {case}: {line}", flush=True)


if __name__ == "__main__":
    main()
