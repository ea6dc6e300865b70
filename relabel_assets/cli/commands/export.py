"""Judgments out and in: `relabel export` and `relabel import`."""

from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.cli.options import OneCorpusOption


def export(
    corpus: OneCorpusOption,
    labeler: Annotated[
        str,
        typer.Option(
            help="Whose grades: final (the grades to use), student, teacher, people, reference (all "
            "reference labels), or an imported labeler."
        ),
    ] = "final",
    to: Annotated[str, typer.Option(help="The format.")] = "qrels",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The file to write; for `beir` a new folder. Default: CORPUS-LABELER in this folder, with "
            "the format's ending.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Queries of this split: benchmark, dev, train or label. Repeat for several. Default: all."
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            help="The search index that `rank-eval` and `rre` name. Default: the corpus' name."
        ),
    ] = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out",
            help="Leave out rows that the format cannot hold. Default: write nothing.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write the judgments of a labeler for another tool.

    Formats:

    - `qrels`: TREC qrels: trec_eval, ir_measures, pytrec_eval, ranx

    - `beir`: a BEIR folder, with the documents' texts: beir, sentence-transformers, ir_datasets

    - `parquet`: every column, with provenance: Polars, DuckDB, Spark, pandas

    - `csv`: every column, with provenance: spreadsheets, pandas, SQL

    - `quepid-case`: Quepid: the ratings of a case, as CSV

    - `quepid-book`: Quepid: a book with a rater, as CSV

    - `rre`: Rated Ranking Evaluator: ratings.json

    - `opensearch`: OpenSearch Search Relevance Workbench: a judgment list to import

    - `rank-eval`: Elasticsearch and OpenSearch: the body of _rank_eval

    - `ltr`: RankLib and the Elasticsearch LTR plugin, without features

    - `vespa`: Vespa: queries and relevant_docs of pyvespa's VespaEvaluator

    Who gave each grade, with which model and prompt, is beside it in `OUT.provenance.jsonl`.

    Examples:

        relabel export -c support_desk --split benchmark

        relabel export -c support_desk --labeler student --to opensearch -o judgments.json

    More: docs/exchange.md.
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing.exchange_output import print_exported
    from relabel_assets.errors import ConfigError
    from relabel_assets.exchange.chosen_labels import chosen_labels, table_reader
    from relabel_assets.exchange.export_file import default_out, export_file
    from relabel_assets.exchange.formats.all_formats import format_named
    from relabel_assets.exchange.judgments import Judgments
    from relabel_assets.running import runner
    from relabel_assets.tables.vocabulary import SPLITS

    form = format_named(to)
    for one in split or ():
        if one not in SPLITS:
            raise ConfigError(f"--split is {one!r}. Allowed: {', '.join(SPLITS)}.")
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    judgments = Judgments(
        chosen_labels(table_reader(warehouse, name), labeler, name, split or ()),
        name,
        labeler,
        max_grade=project.corpora().open(name).rubric.max_grade,
        index=index or name,
        documents=lambda: warehouse.read_batches("seed_docs", name),
    )
    out = out or default_out(name, labeler, form)
    exported = export_file(judgments, form, out, is_forced=force, leave_out=leave_out)
    print_exported(name, labeler, exported)


def import_judgments(
    file: Annotated[Path, typer.Argument(help="The file, or the folder of BEIR.")],
    corpus: OneCorpusOption,
    as_: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="reference|NAME",
            help="`reference`: what labelers are measured against. Another name: a labeler of that name, "
            "which the benchmark measures beside the others.",
        ),
    ],
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The format, as in `relabel export --help`. Default: by what the file holds.",
        ),
    ] = None,
    assessor: Annotated[
        str | None,
        typer.Option(
            help="Who gave reference labels. Default: as the file names them, else the file's name."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier import of this name.")
    ] = False,
) -> None:
    """Bring judgments of another tool in: as reference labels, or as a labeler.

    Queries are matched by id, else by text. A judgment of an unknown query or document, and a grade outside
    of the rubric, are left out and named; the others are imported.

    Reference labels go to `reference_labels/` of the corpus folder. `reference: {kind: human}` in corpus.yaml
    says that people gave them. Grades of a labeler go to `labelers/NAME.jsonl`. The next run uses them. The
    same file again changes nothing.

    Examples:

        relabel import support_desk-final.qrels -c support_desk --as vendor

        relabel import judgments.json -c support_desk --from opensearch --as reference --dry-run
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing.exchange_output import print_imported
    from relabel_assets.errors import CorpusError
    from relabel_assets.exchange.formats.all_formats import format_named, format_of
    from relabel_assets.exchange.import_file import import_file
    from relabel_assets.exchange.known_ids import known_ids
    from relabel_assets.running import runner

    if not file.exists():
        raise CorpusError(f"{file}: there is no such file. Correct its name.")
    form = format_named(origin) if origin else format_of(file)
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    folder = project.corpora().open(name)
    done = import_file(
        file,
        form,
        folder.path,
        known_ids(warehouse, folder),
        labeler=as_,
        max_grade=folder.rubric.max_grade,
        assessor=assessor,
        is_forced=force,
        is_trial=dry_run,
    )
    print_imported(name, done, is_trial=dry_run)
