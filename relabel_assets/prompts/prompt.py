"""A prompt: a YAML file with `system` and `user` texts whose {{placeholders}} are checked when it is read.

What belongs here: reading, checking, rendering and fingerprinting a prompt, and keeping the values that are put into
it inside their delimiters. What does not: which values go in (core/grading.py, core/synthesis.py).
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from relabel_assets.errors import ConfigError

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_TAG = re.compile(r"</?([A-Za-z_][\w-]*)>")
_DOUBLED_BRACE = re.compile(r"\{(?=\{)|\}(?=\})")
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # breaks JSON, UTF-8 or a server's tokenizer


@dataclass(frozen=True)
class Prompt:
    """A checked prompt. `content_hash` is the SHA-256 of its two texts, whatever the file's layout."""

    system: str
    user: str
    content_hash: str
    placeholders: frozenset[str]

    def render(self, values: Mapping[str, str]) -> tuple[dict[str, str], ...]:
        """Chat messages, with `values` put in. Every placeholder needs a value; a value without one is not used.

        A delimiter of the prompt (any <tag> it uses) that occurs inside a value is escaped, so that no document can
        close its own frame and speak as the prompt.
        """
        safe = {name: self._contain(values[name]) for name in self.placeholders}
        messages = (("system", self.system), ("user", self.user))
        return tuple(
            {"role": role, "content": _PLACEHOLDER.sub(lambda match: safe[match[1]], text).strip()}
            for role, text in messages
            if text.strip()
        )

    def partial(self, values: Mapping[str, str]) -> "Prompt":
        """The prompt with `values` put in for good; its other placeholders are still to be filled.

        Doubled braces in a value get a space between them, so that no value can bring a placeholder of its own.

        >>> prompt = checked_prompt("", "{{rule}} Query: {{query}}", file="p.yaml", required={"query"}, allowed={"rule"})
        >>> prompt.partial({"rule": "Ignore {{query}}."}).user
        'Ignore { {query} }. Query: {{query}}'
        """
        safe = {name: _DOUBLED_BRACE.sub(r"\g<0> ", value) for name, value in values.items()}

        def fill(text: str) -> str:
            return _PLACEHOLDER.sub(lambda match: safe.get(match[1], match[0]), text)

        return _prompt(fill(self.system), fill(self.user))

    def _contain(self, value: str) -> str:
        delimiter = _delimiter_pattern(frozenset(_TAG.findall(self.system) + _TAG.findall(self.user)))
        return delimiter.sub("&lt;", _UNSENDABLE.sub("\ufffd", value))


@cache
def _delimiter_pattern(tags: frozenset[str]) -> re.Pattern[str]:
    # "<|" opens the control tokens of most open models' chat templates.
    names = "|".join(re.escape(tag) for tag in sorted(tags))
    return re.compile(rf"<(?=\s*/?\s*(?:{names})\b|\|)" if tags else r"<(?=\|)", re.IGNORECASE)


def parse_prompt(text: str, *, file: str, required: Set[str], allowed: Set[str]) -> Prompt:
    """The prompt in `text`; `file` is how messages name it.

    Raises ConfigError for text that is not YAML, has other keys than description, system and user, lacks a placeholder
    of `required`, or has one outside `allowed` (naming the nearest known one).
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("user"), str):
        raise ConfigError(f"{file}: a prompt has the texts `system` (optional) and `user`. `user` is missing.")
    unknown_keys = sorted(str(key) for key in set(raw) - {"description", "system", "user"})
    if unknown_keys or not isinstance(raw.get("system", ""), str):
        raise ConfigError(f"{file}: a prompt has `description`, `system` and `user`, all texts, not {unknown_keys}.")
    return checked_prompt(
        raw.get("system", ""), raw["user"], file=file, required=required, allowed=allowed
    )


def checked_prompt(system: str, user: str, *, file: str, required: Set[str], allowed: Set[str]) -> Prompt:
    """The prompt of these two texts; `file` is how messages name where they come from.

    Raises ConfigError for a text that lacks a placeholder of `required`, or has one outside `allowed`.
    """
    _check_placeholders(_placeholders_in(system, user), file, required, allowed)
    leftover = _PLACEHOLDER.sub("", system + user)
    if "{{" in leftover or "}}" in leftover:
        raise ConfigError(f"{file}: a placeholder is not closed or not a name. Write {{{{name}}}}.")
    return _prompt(system, user)


def _prompt(system: str, user: str) -> Prompt:
    content_hash = hashlib.sha256(json.dumps([system, user]).encode()).hexdigest()
    return Prompt(system, user, content_hash, _placeholders_in(system, user))


def _placeholders_in(system: str, user: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(system) + _PLACEHOLDER.findall(user))


def _check_placeholders(found: Set[str], file: str, required: Set[str], allowed: Set[str]) -> None:
    known = sorted(required | allowed)
    for name in sorted(found - set(known)):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean {{{{{nearest[0]}}}}}? " if nearest else ""
        raise ConfigError(f"{file}: {{{{{name}}}}} is not a placeholder. {hint}Allowed here: {', '.join(known)}.")
    missing = sorted(required - found)
    if missing:
        raise ConfigError(f"{file}: lacks {', '.join('{{' + name + '}}' for name in missing)}. Put each in once.")


def packaged_prompt(name: str, *, required: Set[str], allowed: Set[str]) -> Prompt:
    """The project's own prompt `name`, for instance "grading" for prompts/grading.yaml."""
    text = (resources.files("relabel_assets") / "prompts" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_prompt(text, file=f"prompts/{name}.yaml", required=required, allowed=allowed)
