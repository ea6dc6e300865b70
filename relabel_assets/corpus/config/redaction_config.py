"""The settings of the section `teacher` that say what is replaced in texts before they are sent.

What belongs here: these settings and their bounds. What does not: finding the values
(teacher/redaction/), and the other settings of a teacher (teacher_config.py).
"""

import re
from typing import Literal

import polars as pl
import pydantic
from pydantic import Field

from relabel_assets.corpus.config.settings import Settings

KINDS = ("secrets", "emails", "phone_numbers", "cards", "ibans", "ips")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MAX_PATTERN_CHARACTERS = 1_000
# Names that would stand for two things in a text: the placeholders of KINDS.
_TAKEN = {kind.removesuffix("s") for kind in KINDS}


class RedactionConfig(Settings):
    """What is replaced in documents and queries before they are sent to a teacher."""

    LATER = ("redact", "redact_patterns", "redact_phone_region")

    redact: list[Literal[KINDS]] = Field(  # type: ignore[valid-type]
        [],
        description=(
            "What is replaced in documents and queries before they are sent, such as an address by "
            "[email]. Default: nothing. The tables keep the texts as they are. A change asks the teacher "
            "again about every text in which something else is replaced."
        ),
        examples=[["secrets", "emails", "phone_numbers"]],
    )
    redact_patterns: dict[str, str] = Field(
        {},
        description=(
            "Regular expressions of more values to replace, each by its name in brackets. Their syntax is "
            "that of Rust: no look-around, no back-references, and so none that takes long."
        ),
        examples=[{"employee_id": r"E\d{6}"}],
    )
    redact_phone_region: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description=(
            "Country whose phone numbers are found without their country code, by its two letters. "
            "Default: only numbers that begin with + are found."
        ),
        examples=["US"],
    )

    @property
    def is_redacted(self) -> bool:
        """Whether anything is replaced before a text is sent."""
        return bool(self.redact or self.redact_patterns)

    @pydantic.field_validator("redact_patterns")
    @classmethod
    def _can_be_searched(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if not _NAME.fullmatch(name) or name in _TAKEN:
                raise ValueError(
                    f"{name!r} cannot be a name: lower case letters, digits and _, at most 40, and none "
                    f"of {', '.join(sorted(_TAKEN))}"
                )
            if len(pattern) > _MAX_PATTERN_CHARACTERS:
                raise ValueError(
                    f"{name} has {len(pattern):,} characters, and {_MAX_PATTERN_CHARACTERS:,} are allowed"
                )
            try:
                matches_nothing = pl.Series([""]).str.contains(pattern).item()
            except pl.exceptions.PolarsError as error:
                # After it Polars repeats the whole expression.
                reason = " ".join(str(error).partition("This error occurred")[0].split())
                raise ValueError(
                    f"{name} is no regular expression that can be used: {reason}. Look-around and "
                    "back-references are not allowed"
                ) from error
            if matches_nothing:
                raise ValueError(f"{name} matches an empty text, so it would match everywhere")
        return patterns

    @pydantic.field_validator("redact_phone_region")
    @classmethod
    def _is_a_region(cls, region: str | None) -> str | None:
        if region is not None:
            from phonenumbers import SUPPORTED_REGIONS

            if region not in SUPPORTED_REGIONS:
                raise ValueError(f"{region!r} is no country with phone numbers, such as US or SE")
        return region
