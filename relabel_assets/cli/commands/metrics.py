"""Watching a home: `relabel metrics`."""

from pathlib import Path
from typing import Annotated

import typer


def metrics(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A file to write whole, such as one of node_exporter's textfiles."),
    ] = None,
) -> None:
    """Print rows, seconds, spend and benchmark by corpus as Prometheus text, from what is stored.

    `docs/operations.md` says how to scrape it, and which alerts are worth having.
    """
    from relabel_assets.errors import ConfigError
    from relabel_assets.running import runner
    from relabel_assets.running.dagster_state import usable_instance
    from relabel_assets.upkeep.prometheus import exposition

    project, warehouse = runner.from_environment()
    with usable_instance(project.home) as instance:
        text = exposition(project, warehouse, instance)
    if out is None:
        typer.echo(text, nl=False)
        return
    half = out.with_name(f".{out.name}.half")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(out)
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error}.") from error
