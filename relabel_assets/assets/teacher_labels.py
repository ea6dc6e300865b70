"""The teacher's grade of every candidate, recorded or asked for now; or the reason why there is none."""

from typing import Any

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.grades import with_known_pairs
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.graph.table_asset import Rows, Step, table_asset

_FILE = "teacher_labels.jsonl"
_FINAL = ("ok", "not_recorded")


def _settings(corpus: CorpusFolder) -> dict[str, Any]:
    settings: dict[str, Any] = {"kind": corpus.teacher_kind, "teacher": corpus.config.teacher, "rubric": corpus.rubric}
    prompt = corpus.config.teacher.prompt
    return settings | {"prompt": corpus.read_text(prompt) if prompt and corpus.teacher_kind == "openai" else None}


@table_asset(
    pool="teacher",
    code_version="1",
    group="labels",
    kinds={"openai", "polars"},
    settings=_settings,
    files=("teacher_labels",),
)
def teacher_labels(step: Step) -> Rows:
    corpus, candidates = step.corpus, step.read("bm25_candidates").select("query_id", "doc_id")
    queries, documents = step.read("synthetic_queries"), step.read("seed_docs")
    teacher, problems = step.project.teacher(), []
    if corpus.teacher_kind == "recorded":
        reading = with_known_pairs(corpus.recorded_labels(), queries["query_id"], documents["doc_id"], file=_FILE)
        labels, problems = teacher.grade_recorded(candidates, reading.frame, rubric=corpus.rubric), reading.problems
    else:
        labels = teacher.grade(
            with_texts(candidates, queries, documents),
            corpus=corpus.name,
            config=corpus.config.teacher,
            rubric=corpus.rubric,
            prompt_text=_settings(corpus)["prompt"],
            progress=step.progress,
        )
    statuses = dict(labels.group_by("status").len().sort("status").iter_rows())
    grades = labels.drop_nulls("grade").group_by("grade").len().sort("grade").iter_rows()
    return Rows(
        labels,
        metadata={f"pairs_{status}": count for status, count in statuses.items()}
        | {"cost_usd": labels["cost_usd"].sum(), "notices": "\n".join(teacher.notices) or "none"}
        | {"grades": step.markdown(grade_distribution({str(grade): count for grade, count in grades}))},
        problems=problems,
        n_unfinished=sum(count for status, count in statuses.items() if status not in _FINAL),
    )
