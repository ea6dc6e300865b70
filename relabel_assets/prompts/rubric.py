"""The rubric: the grades that a labeler may give, each with a name and a meaning.

What belongs here: parsing, checking and hashing a rubric file. What does not: the words around a
rubric in a prompt (grading.yaml, student.yaml).
"""

import hashlib
from functools import cache
from importlib import resources

import pydantic

from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import MAX_SETTINGS_BYTES
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml


class Grade(pydantic.BaseModel):
    """One grade. It is one digit, because a decoder student answers with a single token."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    grade: int = pydantic.Field(ge=0, le=9)
    name: str = pydantic.Field(min_length=1)
    meaning: str = pydantic.Field(min_length=1)


class Rubric(pydantic.BaseModel):
    """Two to ten grades, from 0 upwards without a gap; and rules (`guidance`) for hard cases."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    grades: tuple[Grade, ...] = pydantic.Field(min_length=2, max_length=10)
    guidance: tuple[str, ...] = ()

    @pydantic.field_validator("grades")
    @classmethod
    def _count_up_from_zero(cls, grades: tuple[Grade, ...]) -> tuple[Grade, ...]:
        if [grade.grade for grade in grades] != list(range(len(grades))):
            numbers = [grade.grade for grade in grades]
            raise ValueError(f"grades must count up from 0 without a gap, not {numbers}")
        return grades

    @property
    def n_grades(self) -> int:
        return len(self.grades)

    @property
    def max_grade(self) -> int:
        return self.grades[-1].grade

    @property
    def content_hash(self) -> str:
        """SHA-256 of the grades and the guidance, not of the file."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def prompt_values(self) -> dict[str, str]:
        """The values of a prompt's placeholders grades, guidance and max_grade.

        >>> default_rubric().prompt_values()["max_grade"]
        '3'
        """
        return {
            "grades": "\n".join(
                f"{grade.grade} ({grade.name}): {grade.meaning}" for grade in self.grades
            ),
            "guidance": "\n".join(f"- {rule}" for rule in self.guidance) or "- (none)",
            "max_grade": str(self.max_grade),
        }


def parse_rubric(text: str, *, file: str) -> Rubric:
    """The rubric in `text`; messages call it `file`. Raises ConfigError for a malformed one."""
    try:
        parsed = parse_yaml(text, max_bytes=MAX_SETTINGS_BYTES)
    except BadYaml as error:
        where = file if error.line is None else f"{file}:{error.line}"
        raise ConfigError(f"{where}: {error}. Correct that line.") from error
    try:
        return Rubric.model_validate(parsed.value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        line = parsed.line_of(first["loc"])
        where = file if line is None else f"{file}:{line}"
        path = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(
            f"{where}: {path}: {first['msg']}. A rubric has `grades`, a list of grade, name and "
            "meaning, and `guidance`."
        ) from error


@cache
def default_rubric() -> Rubric:
    """The project's own rubric, with grades 0 to 3."""
    file = resources.files("relabel_assets") / "prompts" / "rubric.yaml"
    return parse_rubric(file.read_text(encoding="utf-8"), file="prompts/rubric.yaml")
