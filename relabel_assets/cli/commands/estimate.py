"""The estimated cost of a live teacher: `relabel estimate`."""

from typing import TYPE_CHECKING

from relabel_assets.cli.options import CorpusOption, chosen_corpora

if TYPE_CHECKING:
    from relabel_assets.graph.project import Project
    from relabel_assets.warehouse.warehouse import Warehouse


def estimate(corpus: CorpusOption = None) -> None:
    """Estimate requests, tokens, dollars and minutes of a live teacher, without sending a request.

    Requests with an answer in the ledger cost nothing and are not counted. A corpus without candidates
    is estimated from a sample of its documents. The output then states its assumption.
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    output.print_problems(corpora.refused())
    show_progress()
    names, each = chosen_corpora(corpus, project.data_path, corpora.names()), EachCorpus()
    for _ in each.of(names, lambda name: _print_estimates(project, warehouse, name)):
        pass
    each.exit_if_failed()


def _print_estimates(project: "Project", warehouse: "Warehouse", name: str) -> None:
    """Print the estimates of one corpus: of its queries, where the teacher writes them, and its grades.

    Those of queries that only get labels come last.
    """
    from relabel_assets.cli.printing import output_teacher
    from relabel_assets.labeling.final.label_teacher import LabelTeacher
    from relabel_assets.labeling.final.precedence import people_grades
    from relabel_assets.progress import working_on
    from relabel_assets.running.candidate_pairs import candidate_pairs, label_pairs
    from relabel_assets.running.plan import stale_tables
    from relabel_assets.teacher.questions import AssumedPairs, GradingQuestions, QueryQuestions

    folder = project.corpora().open(name)
    if folder.teacher_kind != "openai":
        output_teacher.print_unpaid(name, folder.teacher_kind)
        return
    teacher, pairs = project.teacher(), candidate_pairs(warehouse, name)
    if not folder.has_queries:
        with working_on(f"{name} / queries") as progress:
            writing = QueryQuestions.for_corpus(folder, folder.documents(progress).frame)
            estimated = teacher.estimate(writing, corpus=name, progress=progress)
        output_teacher.print_queries_estimate(name, estimated)
    if pairs.is_empty():
        with working_on(f"{name} / sample") as progress:
            assumed = AssumedPairs.for_corpus(folder, progress)
        n_pairs, assumption = assumed.n_pairs, assumed.assumption
        questions = GradingQuestions.for_corpus(folder, assumed.sample)
        grading = teacher.estimate(questions, corpus=name, n_pairs=n_pairs)
        n_label, n_asked = (
            assumed.n_label_pairs,
            round(folder.config.labels.ask * assumed.n_label_pairs),
        )
        asking = LabelTeacher(teacher, folder).estimate(assumed.sample, n_asked)
    else:
        n_pairs, assumption = pairs.height, ""
        stale = stale_tables(
            project, warehouse, name, ["seed_docs", "synthetic_queries", "bm25_candidates"]
        )
        if stale:
            assumption = (
                "the candidates now in the warehouse. A run would compute "
                f"{', '.join(stale)} again before grading"
            )
        questions = GradingQuestions.for_corpus(folder, pairs)
        with working_on(f"{name} / grades") as progress:
            grading = teacher.estimate(questions, corpus=name, progress=progress)
        with working_on(f"{name} / label queries") as progress:
            people = people_grades(warehouse.read("reference_labels", name))
            texts = label_pairs(warehouse, name)
            need = LabelTeacher(teacher, folder).need(texts, people, progress)
        n_label, n_asked, asking = need.n_pairs, need.n_to_ask, need.estimate
    spent_usd = teacher.ledger.spend(name).usd
    output_teacher.print_estimate(
        name, n_pairs, grading, folder.config.teacher, spent_usd, assumption
    )
    output_teacher.print_label_estimate(name, n_label, n_asked, asking, folder.config.labels)
