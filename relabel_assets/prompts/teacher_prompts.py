"""The teacher's prompts, for grading, Decisions and writing queries, with their placeholders.

What belongs here: which placeholders are required and optional. What does not: their values
(teacher/grading/grading.py, teacher/queries/query_requests.py), parsing (prompt.py) and finding a
corpus' own file (corpus/folder.py).
"""

from relabel_assets.errors import ConfigError
from relabel_assets.prompts.prompt import Prompt, packaged_prompt, parse_prompt

_GRADING_REQUIRED = frozenset({"query", "body", "grades"})
_GRADING_OPTIONAL = frozenset({"title", "metadata", "guidance", "max_grade"})
_DECISIONS_REQUIRED = frozenset({"query", "body"})
_DECISIONS_OPTIONAL = frozenset({"title", "metadata", "grades", "guidance", "max_grade"})
_DECISIONS_TEXTS = ("input", "question")
_QUERIES_REQUIRED = frozenset({"body", "wanted"})
_QUERIES_OPTIONAL = frozenset({"title", "metadata", "n_queries"})


def grading_prompt(text: str | None = None, *, file: str = "the grading prompt") -> Prompt:
    """The grading prompt in `text`, or the project's own. Raises ConfigError for a wrong placeholder.

    >>> sorted(grading_prompt("user: '{{query}} {{body}} {{grades}}'").placeholders)
    ['body', 'grades', 'query']
    """
    if text is None:
        return packaged_prompt("grading", required=_GRADING_REQUIRED, allowed=_GRADING_OPTIONAL)
    return parse_prompt(text, file=file, required=_GRADING_REQUIRED, allowed=_GRADING_OPTIONAL)


def decisions_prompt(text: str | None = None, *, file: str = "the decisions prompt") -> Prompt:
    """The Decisions prompt in `text`, or the project's own. `system` is its input, `user` its question.

    Raises ConfigError for a wrong placeholder, and for an empty text: the API takes none.

    >>> prompt = decisions_prompt("{input: '{{body}}', question: 'Is it about {{query}}?'}")
    >>> prompt.system, prompt.user
    ('{{body}}', 'Is it about {{query}}?')
    """
    if text is None:
        return packaged_prompt(
            "decisions",
            required=_DECISIONS_REQUIRED,
            allowed=_DECISIONS_OPTIONAL,
            texts=_DECISIONS_TEXTS,
        )
    prompt = parse_prompt(
        text,
        file=file,
        required=_DECISIONS_REQUIRED,
        allowed=_DECISIONS_OPTIONAL,
        texts=_DECISIONS_TEXTS,
    )
    for name, part in zip(_DECISIONS_TEXTS, (prompt.system, prompt.user), strict=True):
        if not part.strip():
            raise ConfigError(
                f"{file}: `{name}` is empty, and teacher.api decisions needs it. `input` is said once "
                "for all questions about it, `question` once for each pair."
            )
    return prompt


def queries_prompt(text: str | None = None, *, file: str = "the queries prompt") -> Prompt:
    """The queries prompt in `text`, or the project's own. Raises ConfigError for a wrong placeholder.

    >>> sorted(queries_prompt("user: '{{body}} {{wanted}}'").placeholders)
    ['body', 'wanted']
    """
    if text is None:
        return packaged_prompt("queries", required=_QUERIES_REQUIRED, allowed=_QUERIES_OPTIONAL)
    return parse_prompt(text, file=file, required=_QUERIES_REQUIRED, allowed=_QUERIES_OPTIONAL)
