"""Saying what a teacher will cost before it is asked: `relabel estimate`."""

from relabel_assets.cli.options import CorpusOption, chosen_corpora


def estimate(corpus: CorpusOption = None) -> None:
    """Say how many requests, tokens, dollars and minutes a teacher will take; ask nobody, need no network.

    What the ledger can answer is not counted. Where no candidates are chosen yet, the figures rest on what is assumed.
    """
    from relabel_assets.cli import output as terminal
    from relabel_assets.cli import output_teacher as terminal_teacher
    from relabel_assets.running import runner
    from relabel_assets.running.plan import stale_tables
    from relabel_assets.teacher.questions import assumed_pairs, candidate_pairs, grading_questions, queries_estimate

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    terminal.print_problems(corpora.refused())
    for name in chosen_corpora(corpus, project.data_path, corpora.names()):
        folder = corpora.open(name)
        if folder.teacher_kind == "recorded":
            terminal_teacher.print_recorded(name)
            continue
        if not folder.has_queries:
            terminal_teacher.print_queries_estimate(name, queries_estimate(project, folder))
        teacher, pairs = project.teacher(), candidate_pairs(warehouse, name)
        if pairs.is_empty():
            sample, n_pairs, assumption = assumed_pairs(folder)
            found = teacher.estimate(grading_questions(folder, sample), corpus=name, n_pairs=n_pairs)
        else:
            n_pairs, assumption = pairs.height, ""
            stale = stale_tables(project, warehouse, name, ["seed_docs", "synthetic_queries", "bm25_candidates"])
            if stale:
                assumption = f"the candidates as they are; {', '.join(stale)} would be made again first"
            found = teacher.estimate(grading_questions(folder, pairs), corpus=name)
        spent_usd = teacher.ledger.spend(name).usd
        terminal_teacher.print_estimate(name, n_pairs, found, folder.config.teacher, spent_usd, assumption)
