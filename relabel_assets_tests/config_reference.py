"""The reference of corpus.yaml, made from the models that parse it.

    python -m relabel_assets_tests.config_reference            # print the page
    python -m relabel_assets_tests.config_reference --write    # write both files

It is docs/corpus-yaml.md for people and docs/corpus.schema.json for editors.

What belongs here: how a setting becomes a row of the page. What does not: its default, bounds and
meaning. They are written once, in config.py, teacher_config.py and student_config.py of
relabel_assets/corpus/.
"""

import argparse
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import yaml
from pydantic.fields import FieldInfo

from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.config.student_config import PRESETS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "corpus-yaml.md"
SCHEMA = DOCS / "corpus.schema.json"

# An example for each setting whose default says little. A setting that is not here shows its
# default.
EXAMPLES: dict[str, Any] = {
    "name": "people_handbook",
    "description": "Policies and guides of the people team",
    "licence": "internal",
    "rubric": "rubric.yaml",
    "documents.boilerplate": "drop",
    "teacher.redact": ["secrets", "emails", "phone_numbers"],
    "teacher.redact_patterns": {"employee_id": r"E\d{6}"},
    "teacher.redact_phone_region": "US",
    "teacher.kind": "openai",
    "teacher.prompt": "grading.yaml",
    "teacher.base_url": "http://127.0.0.1:8000/v1",
    "teacher.api_version": "2024-10-21",
    "teacher.is_logprobs": True,
    "teacher.votes": 3,
    "teacher.panel": ["gpt-4o-mini", "gpt-4.1-mini"],
    "teacher.budget_usd": 5.0,
    "teacher.run_budget_usd": 1.0,
    "teacher.price_usd_per_million_tokens": {"input": 0.1, "output": 0.4},
    "queries.personas": ["a new hire", "a team lead"],
    "queries.prompt": "queries.yaml",
    "reference.kind": "human",
    "student.preset": "modernbert",
    "student.learning_rate": 1e-5,
}
INTRODUCTION = """\
# corpus.yaml

<!-- Generated, do not edit: python -m relabel_assets_tests.config_reference --write -->

Every setting of a corpus, with its default, what it may be, and an example. The file is
`data/<corpus>/corpus.yaml`. Every key is optional, and so is the file. An unknown key is an error that names
the nearest known one: `relabel corpora check`.

Editors that speak YAML complete and check the file when its first line names the schema:

```yaml
# yaml-language-server: $schema=../../docs/corpus.schema.json
description: Policies and guides of the people team
teacher: {kind: openai, model: gpt-4o-mini, budget_usd: 5.0}
student: {preset: minilm}
```

"none" as a default means that the setting is absent; `null` says the same in the file.
"""


def sections() -> Iterator[tuple[str, type[pydantic.BaseModel]]]:
    """The models behind corpus.yaml with the key each is under: "" for the top."""
    yield "", CorpusConfig
    for key, field in CorpusConfig.model_fields.items():
        if model := _model_in(field.annotation):
            yield key, model
            for inner_key, inner in model.model_fields.items():
                if inner_model := _model_in(inner.annotation):
                    yield f"{key}.{inner_key}", inner_model


def example_yaml(key: str, field: FieldInfo) -> str:
    """One line of YAML that sets the setting `key`, such as "teacher: {votes: 3}"."""
    value = EXAMPLES.get(
        key, None if field.is_required() else field.get_default(call_default_factory=True)
    )
    for part in reversed(key.split(".")):
        value = {part: value}
    section, inner = next(iter(value.items()))
    return f"{section}: {_flow(inner)}"


def render_page() -> str:
    parts = [INTRODUCTION]
    for key, model in sections():
        if key.count(".") == 1:
            parts.append(f"### `{key}`\n\n{_purpose(model)}\n")
        else:
            parts.append(f"## `{key}`\n\n{_purpose(model)}\n" if key else "## Top level\n")
        rows = ["| setting | default | allowed | meaning | example |", "|---|---|---|---|---|"]
        for name, field in model.model_fields.items():
            path = f"{key}.{name}" if key else name
            if (section := _model_in(field.annotation)) and not key:
                rows.append(f"| [`{name}`](#{name}) | | settings | {_purpose(section)} | |")
                continue
            # A price is set whole: its parts have no example of their own.
            example = "" if field.is_required() else f"`{example_yaml(path, field)}`"
            cells = [
                f"`{name}`",
                _default(field),
                _allowed(field),
                field.description or "",
                example,
            ]
            rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
        parts.append("\n".join(rows) + "\n")
        if key == "student":
            parts.append(_presets())
    return "\n".join(parts)


def render_schema() -> str:
    schema = CorpusConfig.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "corpus.yaml"}
    return (
        json.dumps(
            head | {k: v for k, v in schema.items() if k != "title"}, indent=2, ensure_ascii=False
        )
        + "\n"
    )


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    for member in (annotation, *typing.get_args(annotation)):
        if isinstance(member, type) and issubclass(member, pydantic.BaseModel):
            return member
    return None


def _purpose(model: type[pydantic.BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value in (None, "", []) else f"`{_flow(value)}`"


def _allowed(field: FieldInfo) -> str:
    """The type in words, with its bounds."""
    words = _type_in_words(field.annotation)
    bounds = []
    for rule in field.metadata:
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if (bound := getattr(rule, attribute, None)) is not None:
                bounds.append(f"{sign} {bound:,}")
        if pattern := getattr(rule, "pattern", None):
            bounds.append(f"matching `{pattern}`")
    return f"{words}, {' and '.join(bounds)}" if bounds else words


def _type_in_words(annotation: Any) -> str:
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        annotation = members[0]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(
            "null" if member is types.NoneType else _type_in_words(member) for member in members
        )
    if origin is typing.Literal:
        return ", ".join(f"`{member}`" for member in members)
    if origin is list:
        return f"list of {_type_in_words(members[0])}s"
    if origin is dict:
        return f"{_type_in_words(members[0])}: {_type_in_words(members[1])}"
    if _model_in(annotation):
        return "settings"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[annotation]


def _presets() -> str:
    rows = ["### Presets of `student`", "", "| preset | sets |", "|---|---|"]
    rows += [
        f"| `{name}` | {f'`{_flow(values)}`' if values else 'the defaults'} |"
        for name, values in PRESETS.items()
    ]
    return "\n".join(rows) + "\n"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def main() -> None:
    parser = argparse.ArgumentParser(description="The reference of corpus.yaml.")
    parser.add_argument(
        "--write", action="store_true", help="write docs/corpus-yaml.md and docs/corpus.schema.json"
    )
    if parser.parse_args().write:
        PAGE.write_text(render_page(), encoding="utf-8")
        SCHEMA.write_text(render_schema(), encoding="utf-8")
    else:
        print(render_page())


if __name__ == "__main__":
    main()
