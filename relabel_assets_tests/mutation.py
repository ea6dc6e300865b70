"""Mutation run: small changes of the pure modules that no unit test detects.

    python -m relabel_assets_tests.mutation               # 60 mutants of all pure modules, seed 1
    python -m relabel_assets_tests.mutation --n 24 --seed 20
    python -m relabel_assets_tests.mutation --module corpus/queries/splits.py --n 0    # all of one module

A mutant is one small change of one expression: `<` becomes `<=`, `and` becomes `or`, a number grows
by one. A mutant is killed when the unit tests of its room fail or hang, and survives when they
pass. A survivor is a rule without a test, or a change without an effect: look at each. Every mutant
is tried in a scratch copy, so the working tree stays as it is.

The mutations are the classic ones of DeMillo, Lipton and Sayward (1978). mutmut and cosmic-ray do
the same for a whole suite; this script runs only the unit tests that mirror a module, which makes a
mutant cost seconds.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
# Modules that take values and return values: their rules can be tested without files, processes or
# networks.
PURE = (
    "benchmark/metrics.py",
    "benchmark/bootstrap.py",
    "benchmark/resampling.py",
    "benchmark/cut_points.py",
    "benchmark/baselines.py",
    "candidates/bm25.py",
    "candidates/choose.py",
    "corpus/documents.py",
    "corpus/grades/grades.py",
    "corpus/pairs.py",
    "corpus/queries/queries.py",
    "corpus/rows.py",
    "corpus/queries/splits.py",
    "graph/inputs.py",
    "prompts/prompt.py",
    "prompts/rubric.py",
    "student/calibration.py",
    "student/training/losses.py",
    "student/sample.py",
    "student/windows.py",
    "student/late_interaction/corpus_statistics.py",
    "student/late_interaction/features.py",
    "student/late_interaction/head.py",
    "student/late_interaction/head_loss.py",
    "student/people/people_calibration.py",
    "student/people/people_labels.py",
    "teacher/decisions/bundles.py",
    "teacher/decisions/decision_replies.py",
    "teacher/ledger/shares.py",
    "teacher/grading/consensus.py",
    "teacher/document_text.py",
    "teacher/estimate.py",
    "teacher/grading/carried.py",
    "corpus/excerpts/passages.py",
    "corpus/excerpts/excerpt.py",
    "teacher/grading/grade_replies.py",
    "teacher/grading/grading.py",
    "teacher/prices.py",
    "teacher/grading/log_probs.py",
    "teacher/queries/query_filters.py",
    "teacher/queries/query_requests.py",
    "teacher/grading/recorded.py",
    "teacher/replies.py",
    "teacher/reply_object.py",
    "teacher/requests.py",
    "teacher/verdict.py",
    "teacher/error_body.py",
    "teacher/http/asked_wait.py",
    "teacher/http/response_body.py",
    "teacher/sending/complaints.py",
    "teacher/decision.py",
    "teacher/cut_prompts.py",
    "student/training/epochs.py",
    "teacher/sending/dialects.py",
    "teacher/sending/limits.py",
)
TIMEOUT_S = (
    180  # many times what a room's unit tests take: only a mutant that loops for ever reaches it
)
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "left": "right", "right": "left"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module. `source` is the whole changed module."""

    module: str
    line: int
    change: str
    source: str


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant of a module of the package, in the order of its nodes."""
    tree = ast.parse((ROOT / "relabel_assets" / module).read_text(encoding="utf-8"))
    n_nodes = sum(1 for _ in _mutable(tree))
    for number in range(n_nodes):
        changed = deepcopy(tree)
        node = next(node for index, node in enumerate(_mutable(changed)) if index == number)
        before = ast.unparse(node)
        _mutate(node)
        yield Mutant(module, node.lineno, f"{before} -> {ast.unparse(node)}", ast.unparse(changed))


def _mutable(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that a mutation can change. Messages, docstrings and annotations have no rule
    in them."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(
            child, ast.JoinedStr | ast.Raise | ast.arguments | ast.Import | ast.ImportFrom
        ):
            continue
        if child in getattr(tree, "decorator_list", ()):  # frozen=True is no rule of a module
            continue
        if isinstance(tree, ast.AnnAssign | ast.arg | ast.FunctionDef) and child in (
            getattr(tree, "annotation", None),
            getattr(tree, "returns", None),
        ):
            continue
        if isinstance(child, ast.expr) and _is_mutable(child):
            yield child
        yield from _mutable(child)


def _is_mutable(node: ast.expr) -> bool:
    match node:
        case ast.Compare(ops=[operator, *_]) | ast.BinOp(op=operator) | ast.BoolOp(op=operator):
            return type(operator) in _SWAPS
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Constant(value=value):
            return isinstance(value, int | float) or value in _NAMES
        case ast.Name(id=name, ctx=ast.Load()):
            return name in _NAMES
    return False


def _mutate(node: ast.expr) -> None:
    match node:
        case ast.Compare():
            node.ops[0] = _SWAPS[type(node.ops[0])]()  # type: ignore[assignment]
        case ast.BoolOp() | ast.BinOp():
            node.op = _SWAPS[type(node.op)]()  # type: ignore[assignment]
        case ast.UnaryOp():
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
            ast.fix_missing_locations(node)
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=str()):
            node.value = _NAMES[node.value]
        case ast.Constant(value=int() | float()):
            node.value += 1
        case ast.Name():
            node.id = _NAMES[node.id]


def is_killed(mutant: Mutant, copy: Path) -> bool:
    """Whether the unit tests that mirror the module fail or hang with the mutant; `copy` holds both
    packages."""
    file = copy / "relabel_assets" / mutant.module
    original = file.read_text(encoding="utf-8")
    file.write_text(mutant.source, encoding="utf-8")
    try:
        # -P keeps the current folder out of sys.path: the child imports the copy and nothing else.
        command = [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            "-x",
            "-q",
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, *tests_of(mutant.module, copy)],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(original, encoding="utf-8")


def tests_of(module: str, copy: Path) -> list[str]:
    """The test files of the module's room, its own first: most mutants die there."""
    folder = copy / "relabel_assets_tests" / Path(module).parent
    stem = Path(module).stem
    files = sorted(
        folder.glob("test_*.py"),
        key=lambda file: (not file.stem.startswith(f"test_{stem}"), file.name),
    )
    return [str(file) for file in files]


def run(mutants: list[Mutant], n_jobs: int) -> list[Mutant]:
    """Try each mutant, print a line for each, and return the survivors."""
    survivors = []
    with tempfile.TemporaryDirectory() as scratch:
        copies: Queue[Path] = Queue()
        for number in range(n_jobs):
            copy = Path(scratch) / str(number)
            for package in ("relabel_assets", "relabel_assets_tests"):
                shutil.copytree(
                    ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
                )
            shutil.copy(ROOT / "pyproject.toml", copy)
            copies.put(copy)

        def attempt(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                return is_killed(mutant, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(n_jobs) as pool:
            for mutant, killed in zip(mutants, pool.map(attempt, mutants), strict=True):
                print(
                    f"{'killed  ' if killed else 'SURVIVED'}  "
                    f"{mutant.module}:{mutant.line}  {mutant.change}",
                    flush=True,
                )
                if not killed:
                    survivors.append(mutant)
    return survivors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=60, help="mutants to draw; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--module",
        action="append",
        help="a pure module, such as corpus/queries/splits.py; repeat for several",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    mutants = [mutant for module in options.module or PURE for mutant in mutants_of(module)]
    n_all = len(mutants)
    if options.n:
        mutants = random.Random(options.seed).sample(mutants, min(options.n, n_all))
    survivors = run(mutants, options.jobs)
    killed = len(mutants) - len(survivors)
    print(
        f"{killed} of {len(mutants)} mutants killed, {killed / len(mutants):.0%} (drawn "
        f"from {n_all}, seed {options.seed})"
    )


if __name__ == "__main__":
    main()
