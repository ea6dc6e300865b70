"""The documentation holds: its commands and snippets run, its settings parse, its links lead
somewhere.

What belongs here: README.md and docs/ as a reader would try them, on one small home. What does not:
the twenty queries of docs/sql.md (warehouse/test_replica.py), and what the commands do beside
ending well (cli/).

A command that cannot run here is listed in NOT_RUN with its reason. Its options are still parsed.
"""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml
from typer._click.exceptions import NoSuchOption

from relabel_assets.cli.app import app
from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets_tests import config_reference
from relabel_assets_tests.builders import (
    DOCUMENT_SUBJECTS,
    relabel,
    write_runs,
    writes_queries,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
# Pages for those who use the project; contributors' commands are not run here.
GUIDES = [page for page in PAGES if page.name != "CONTRIBUTING.md"]
GENERATED = (config_reference.PAGE.name,)

# Commands by how they begin, each with the reason why no test runs it.
NOT_RUN = {
    "relabel push -c support_desk --to hub:": "sends to the Hugging Face hub",
    "relabel corpora remove old_name": "needs a corpus whose folder is gone (upkeep/test_remove_corpus.py)",
    "relabel ui": "starts a server and does not end",
    "relabel review serve": "starts a server and does not end",
    "relabel run -c trec_dl": "needs a corpus that is not shipped",
    "relabel label pairs.parquet -c support_desk -o /shared": "needs a Ray cluster and shared "
    "storage",
    "relabel metrics --out /var/lib/node_exporter": "writes outside of the test's folder",
}
# Corpora of the demo and of the examples, and which corpus of the test's home stands in for each.
STANDS_IN = {"support_desk": "tiny", "people_handbook": "tiny", "engineering_wiki": "tiny"}


class Block(NamedTuple):
    page: str
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced code blocks of a page, with their language."""
    text = page.read_text(encoding="utf-8")
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield Block(page.name, language, body)


BLOCKS = [block for page in GUIDES for block in blocks(page)]


def shell_lines(text: str) -> list[list[str]]:
    """The commands of a block as words, without comments. Quotes and backslashes may run over
    lines."""
    commands, pending = [], ""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        pending += line + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # an open quote
            continue
        if words:
            commands.append(words)
        pending = ""
    assert not pending.strip(), f"an open quote: {pending}"
    return commands


def relabel_commands(block: Block) -> list[list[str]]:
    """Every `relabel` in a block with its arguments, whatever stands before it: a variable, a
    schedule."""
    if block.language == "":  # output, trees, a crontab: each line on its own
        lines = [
            line for line in block.text.splitlines() if re.search(r"(^|\s)relabel [a-z]", line)
        ]
        commands = [shlex.split(line, comments=True) for line in lines]
    else:
        commands = shell_lines(block.text) if block.language == "sh" else []
    return [words[words.index("relabel") :] for words in commands if "relabel" in words]


COMMANDS = [(block.page, command) for block in BLOCKS for command in relabel_commands(block)]
SPANS = sorted(
    {
        span
        for page in GUIDES
        for span in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    }
)


def test_shell_lines_joins_quotes_and_drops_comments() -> None:
    text = 'relabel sql "select 1\n  from t"   # all\n# nothing\nX=1 relabel run \\\n  -c a\n'
    assert shell_lines(text) == [
        ["relabel", "sql", "select 1\n  from t"],
        ["X=1", "relabel", "run", "-c", "a"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_in_fences_so_that_it_is_found(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert re.findall(r"\n\n    \S.*", text) == []


def reason_not_run(command: list[str]) -> str | None:
    line = " ".join(command)
    return next((reason for start, reason in NOT_RUN.items() if line.startswith(start)), None)


def parse(arguments: list[str]) -> None:
    """Raise where the command does not know one of the arguments. Nothing is run."""
    command: Any = typer.main.get_command(app)
    names = ["relabel"]
    while hasattr(command, "commands"):
        assert arguments and arguments[0] in command.commands, (
            f"{' '.join(names)} has no command {arguments[:1]}"
        )
        names.append(arguments[0])
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(" ".join(names), list(arguments))


@pytest.mark.parametrize(
    ("page", "command"),
    COMMANDS,
    ids=[f"{page}: {' '.join(words)[:60]}" for page, words in COMMANDS],
)
def test_a_command_has_options_that_exist(page: str, command: list[str]) -> None:
    parse([argument for argument in command[1:] if argument not in ("|", "&&")])


def test_parse_refuses_an_option_that_does_not_exist() -> None:
    parse(["run", "-c", "a"])
    for arguments in (["run", "--nope"], ["requests", "nope"], ["nope"]):
        with pytest.raises((AssertionError, NoSuchOption)):
            parse(arguments)


@pytest.mark.parametrize(
    "span", [span for span in SPANS if re.match(r"(\w+=\w+ )?relabel [a-z]", span)]
)
def test_a_command_within_a_sentence_has_options_that_exist(span: str) -> None:
    words = shlex.split(span)
    arguments = words[words.index("relabel") + 1 :]
    if arguments == ["--help"] or "COMMAND" in arguments:
        return
    command = typer.main.get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
    if hasattr(command, "commands"):
        assert len(arguments) == 1 or arguments[1] in command.commands
        command, arguments = (
            command.commands.get(arguments[1]) if len(arguments) > 1 else command,
            arguments[1:],
        )
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("-") and word != "-"} <= known


def test_what_is_not_run_is_still_in_the_documentation() -> None:
    lines = [" ".join(command) for _, command in COMMANDS]
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)] == []


# One home for all that runs: `tiny` with recorded grades, made as a whole, and `my_docs` with a
# live teacher.


@pytest.fixture(scope="module")
def folder(finished_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with .relabel and data, as after `make demo`; my_docs has a teacher on
    loopback."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(finished_home, folder / ".relabel")
    shutil.copytree(finished_home.parent / "data", folder / "data")
    documents = folder / "data" / "my_docs" / "documents"
    documents.mkdir(parents=True)
    for subject in DOCUMENT_SUBJECTS:
        (documents / f"{subject.replace(' ', '-')}.md").write_text(
            f"# {subject.title()}\n" + f"Rules on {subject}. " * 9
        )
    write_pairs(folder / "pairs.parquet")
    write_runs(folder / "runs")
    write_exports(folder)
    server = TeacherServer()
    server.behave = writes_queries
    with pytest.MonkeyPatch.context() as patch, server.running():
        teacher = {
            "kind": "openai",
            "model": "fake",
            "base_url": server.base_url,
            "requests_per_minute": None,
        }
        settings = {
            "teacher": teacher | {"tokens_per_minute": None},
            "candidates": {"bm25_top_k": 2, "random": 0},
            "student": {"epochs": 0},
        }
        (folder / "data" / "my_docs" / "corpus.yaml").write_text(json.dumps(settings))
        for variable in ("RELABEL_HOME", "RELABEL_DATA"):
            patch.delenv(variable, raising=False)
        patch.setenv("DAGSTER_HOME", str(folder / ".relabel" / "dagster"))
        patch.setenv("OPENAI_API_KEY", "sk-test")
        patch.chdir(folder)
        yield folder


def write_pairs(file: Path) -> None:
    import polars as pl

    pl.DataFrame(
        {
            "query": ["parental leave", "laptops"],
            "title": ["Leave", "Repair"],
            "body": ["480 days.", "Ask IT."],
        }
    ).write_parquet(file)


def write_exports(folder: Path) -> None:
    """An archive of documents, and a search log."""
    (folder / "exports").mkdir()
    with zipfile.ZipFile(folder / "exports" / "wiki.zip", "w") as archive:
        for subject in DOCUMENT_SUBJECTS:
            archive.writestr(f"{subject}.md", f"# {subject}\n" + f"Rules on {subject}. " * 9)
    searches = [subject for subject in DOCUMENT_SUBJECTS for _ in range(3)]
    (folder / "log.csv").write_text("\n".join(["query", *searches]) + "\n")


def with_stand_ins(text: str) -> str:
    for name, stand_in in STANDS_IN.items():
        text = text.replace(name, stand_in)
    return text


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with the files that a reader would have. A backup is restored into another
    home."""
    if command[:3] == ["relabel", "requests", "import"]:
        for name in command[3:]:
            (folder / name).touch()
    if command[:3] == ["relabel", "corpora", "remove"]:
        leave_rows_behind(folder, command[3])
    with pytest.MonkeyPatch.context() as patch:
        if command[:2] == ["relabel", "restore"]:
            patch.setenv("RELABEL_HOME", str(folder / "restored"))
            patch.setenv("DAGSTER_HOME", str(folder / "restored" / "dagster"))
        done = relabel(*map(with_stand_ins, command[1:]))
    if command[:2] == [
        "relabel",
        "init",
    ]:  # it has no teacher, and other commands are for all corpora
        shutil.rmtree(folder / "data" / command[2])
    return done


def leave_rows_behind(folder: Path, corpus: str) -> None:
    """Rows of a corpus whose folder is gone."""
    from relabel_assets.warehouse.warehouse import Warehouse

    warehouse = Warehouse.at(folder / ".relabel" / "warehouse.duckdb")
    rows = warehouse.read("reference_labels", "tiny").head(1)
    warehouse.replace("reference_labels", corpus, rows, input_hash="a" * 64)


@pytest.mark.parametrize(
    "page", [page for page in GUIDES if page.name not in GENERATED], ids=lambda page: page.name
)
def test_every_command_runs(page: Path, folder: Path) -> None:
    for block in blocks(page):
        for command in relabel_commands(block):
            if reason_not_run(command):
                continue
            done = run(command, folder)
            assert done.returncode == 0, (
                f"{page.name}: {' '.join(command)}\n{done.stdout}\n{done.stderr}"
            )


@pytest.mark.parametrize(
    ("page", "snippet"),
    [(block.page, block.text) for block in BLOCKS if block.language == "python"],
)
def test_a_python_snippet_runs(
    page: str, snippet: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(with_stand_ins(snippet), page, "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "query"), [(block.page, block.text) for block in BLOCKS if block.language == "sql"]
)
def test_a_query_runs(page: str, query: str, folder: Path) -> None:
    if page != "sql.md":
        assert relabel("sql", query).returncode == 0


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_a_line_of_json_is_json(block: Block) -> None:
    for line in block.text.splitlines():
        assert json.loads(line)


# Settings


def corpus_settings() -> list[tuple[str, str]]:
    """Every piece of a corpus.yaml: blocks, alternatives in comments, settings in a sentence or a
    table."""
    keys = "|".join(CorpusConfig.model_fields)
    pieces = []
    for block in BLOCKS:
        if block.language == "yaml":
            pieces.append((block.page, block.text))
            pieces += [
                (block.page, line)
                for line in re.findall(rf"^# ((?:{keys}): .*)$", block.text, re.MULTILINE)
            ]
    for page in GUIDES:
        spans = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        pieces += [(page.name, span) for span in spans if re.match(rf"({keys}): \S", span)]
    return pieces


@pytest.mark.parametrize(("page", "text"), corpus_settings())
def test_a_piece_of_corpus_yaml_parses(page: str, text: str) -> None:
    keys = [line.split(":")[0] for line in text.splitlines() if re.match(r"\w+:", line)]
    assert len(keys) == len(set(keys)), "a key twice: the first would be lost"
    parse_corpus_config(text.replace(r"\|", "|"), file=page)


def test_the_reference_of_corpus_yaml_is_up_to_date() -> None:
    command = "python -m relabel_assets_tests.config_reference --write"
    assert config_reference.PAGE.read_text(encoding="utf-8") == config_reference.render_page(), (
        f"run: {command}"
    )
    assert (
        config_reference.SCHEMA.read_text(encoding="utf-8") == config_reference.render_schema()
    ), f"run: {command}"


def test_every_setting_has_a_meaning_and_the_reference_names_it() -> None:
    page = config_reference.render_page()
    for key, model in config_reference.sections():
        assert (model.__doc__ or "").strip(), f"{model.__name__} has no docstring"
        for name, field in model.model_fields.items():
            assert f"`{name}`" in page
            is_section = not key and config_reference._model_in(field.annotation)
            assert is_section or field.description, f"{key}.{name} has no description="


def test_naming_the_schema_in_a_corpus_yaml_makes_nothing_again(folder: Path) -> None:
    file = folder / "data" / "tiny" / "corpus.yaml"
    before = relabel("plan", "-c", "tiny").stdout
    line = "# yaml-language-server: $schema=../../docs/corpus.schema.json\n"
    file.write_text(line + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert relabel("plan", "-c", "tiny").stdout == before
    assert "up to date" in before


# Links, files, extras, width


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name}: {target}"


FILE_ENDINGS = r"\.(?:py|yaml|yml|md|json|sql|toml|txt|j2|png)"
ROOMS = ("relabel_assets", "relabel_assets_tests", "docs", "deploy", ".ci")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "experiments.md"], ids=lambda page: page.name
)
def test_every_file_of_the_project_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for span in re.findall(r"`([^`\n]+)`", text):
        if re.search(r"[<>*{} ]|^RELABEL_|^\.relabel|^\.\.\.|^OUT|^/", span):
            continue
        is_file = "/" in span and re.search(rf"{FILE_ENDINGS}$", span)
        if is_file or span.startswith(tuple(f"{room}/" for room in ROOMS)):
            places = (ROOT, ROOT / "relabel_assets", page.parent)
            assert any((place / span).exists() for place in places), f"{page.name}: {span}"


def test_every_script_that_is_called_exists() -> None:
    for block in BLOCKS:
        if block.language != "sh":
            continue
        for script in re.findall(r"python (\S+\.py)", block.text):
            assert (ROOT / script).is_file(), f"{block.page}: {script}"
        for module in re.findall(r"python -m (relabel_assets\S+)", block.text):
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), f"{block.page}: {module}"


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for page in PAGES:
        for names in re.findall(r"relabel-assets\[([\w,-]+)\]", page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(extras), page.name


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in GENERATED], ids=lambda page: page.name
)
def test_prose_is_at_most_110_characters_wide(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    prose = [line for line in text.splitlines() if not line.startswith(("|", "    ", "<!--", "!["))]
    assert [line for line in prose if len(line) > 110] == []


def test_every_yaml_of_deploy_is_yaml() -> None:
    for file in (ROOT / "deploy").glob("*.yaml"):
        assert yaml.safe_load(file.read_text(encoding="utf-8"))
