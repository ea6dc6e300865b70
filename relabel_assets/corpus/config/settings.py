"""The base class of all settings models of a corpus.yaml.

What belongs here: the parsing rules that all settings share. What does not: the settings themselves
(config.py, teacher_config.py, student_config.py) and parsing the file (config_file.py).
"""

from typing import Any, ClassVar

import pydantic

MAX_SEED = 2**32 - 1  # torch, NumPy and Polars all take it
MAX_NAME_CHARACTERS = 1_000  # of a file's name, which messages repeat


class Settings(pydantic.BaseModel):
    """Settings that refuse an unknown key and cannot be changed after they were parsed."""

    # protected_namespaces: pydantic reserves names that start with "model_".
    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    # Fields that earlier versions had not. A dump leaves them out at their defaults, so that the hash of
    # settings that do not use them stays as it was, and no table is made again.
    LATER: ClassVar[tuple[str, ...]] = ()

    @pydantic.model_serializer(mode="wrap")
    def _without_later_defaults(
        self, dump: pydantic.SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        dumped: dict[str, Any] = dump(self)
        for name in self.LATER:
            field = type(self).model_fields[name]
            if getattr(self, name) == field.get_default(call_default_factory=True):
                dumped.pop(name, None)
        return dumped
