"""Metrics for monitoring: `relabel metrics`."""

from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.cli.options import CorpusOption, chosen_corpora


def metrics(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A file to write, for example for node_exporter's textfile collector. "
            "Default: stdout.",
        ),
    ] = None,
    corpus: CorpusOption = None,
) -> None:
    """Print rows, seconds, spend and benchmark of each corpus in Prometheus' text format.

    - `relabel metrics -c support_desk | grep relabel_benchmark`: the benchmark of one corpus

    `docs/operations.md` shows how to scrape the metrics, and lists useful alerts.
    """
    from relabel_assets.errors import ConfigError
    from relabel_assets.files import whole
    from relabel_assets.running import runner
    from relabel_assets.running.dagster_state import usable_instance
    from relabel_assets.upkeep.prometheus import exposition

    project, warehouse = runner.from_environment()
    chosen = (
        chosen_corpora(corpus, project.data_path, project.corpora().names()) if corpus else None
    )
    with usable_instance(project.home) as instance:
        text = exposition(project, warehouse, instance, chosen)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with whole(out) as scratch:
            scratch.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error}.") from error
