"""Dagster's web server with the reports of RELABEL_HOME beside it, and `dagster dev` that starts it.

What belongs here: the address /reports/. What does not: the pages themselves (benchmark/report.py), the
marks of tables that are out of date (stale_marks.py), and the processes of `relabel ui` (web_ui.py).

    python -m relabel_assets.running.web_server -w workspace.yaml     as dagster-webserver
    python -m relabel_assets.running.web_server dev -m MODULE         as dagster dev
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagster._cli import dev
from dagster_webserver import cli
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from relabel_assets.corpus.folders import NAME
from relabel_assets.home import Home
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.regular_files import read_regular
from relabel_assets.running.stale_marks import add_stale_marks

# not measured: a report has 30 KB to 300 KB.
_MAX_BYTES = 50_000_000
# A report holds text of documents, and the same address accepts commands to Dagster. So a page may
# load nothing, run no script, and counts as of another origin (sandbox).
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def report_routes(reports: Path) -> list[Route]:
    """The routes /reports/ and /reports/CORPUS.html, which read the folder `reports`."""

    def index(request: Request) -> Response:
        return _page(_index(reports).encode())

    def report(request: Request) -> Response:
        file = request.path_params["file"]
        corpus = file.removesuffix(".html")
        if file != f"{corpus}.html" or not NAME.fullmatch(corpus):
            return _missing("Reports are at /reports/CORPUS.html.")
        try:
            return _page(read_regular(reports, file, max_bytes=_MAX_BYTES))
        except SetAside as reason:
            return _missing(f"{file}: {reason}. This makes a report: relabel run -c {corpus}")

    return [Route("/reports/", index), Route("/reports/{file:path}", report)]


def _index(reports: Path) -> str:
    files = sorted(reports.glob("*.html")) if reports.is_dir() else []
    names = [file.stem for file in files if NAME.fullmatch(file.stem)]
    rows = "".join(f'<li><a href="/reports/{name}.html">{name}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Reports</title>'
        "<style>body { font: 16px sans-serif; margin: 2em; color-scheme: light dark }</style>"
        f"<h1>Reports</h1><ul>{rows}</ul>"
        + ("" if names else "<p>There is none yet. <code>relabel run</code> makes them.</p>")
    )


def _page(html: bytes) -> Response:
    return HTMLResponse(html, headers=_HEADERS)


def _missing(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=404, headers=_HEADERS)


def _with_reports(create_app: Callable[..., Starlette]) -> Callable[..., Starlette]:
    """`create_app`, whose app also serves the reports."""

    def create(*arguments: Any, **named: Any) -> Starlette:
        app = create_app(*arguments, **named)
        app.router.routes[:0] = report_routes(Home.from_environment().reports)
        return app

    return create


def _with_this_server(open_process: Callable[..., Any]) -> Callable[..., Any]:
    """`open_process`, which starts this module where `dagster dev` starts its web server."""

    def start(command: Sequence[str], **named: Any) -> Any:
        parts = [__spec__.name if part == "dagster_webserver" else part for part in command]
        return open_process(parts, **named)

    return start


def main() -> None:
    """Run Dagster's own command with the arguments of this one."""
    if sys.argv[1:2] == ["dev"]:
        # Dagster has no option for either: a test starts both, so an upgrade that breaks them is seen.
        dev.open_ipc_subprocess = _with_this_server(dev.open_ipc_subprocess)
        dev.dev_command(args=sys.argv[2:], prog_name="dagster dev")
    cli.create_app_from_workspace_process_context = _with_reports(
        cli.create_app_from_workspace_process_context
    )
    add_stale_marks()
    cli.main()


if __name__ == "__main__":
    main()
