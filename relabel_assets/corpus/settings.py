"""The base class of all settings models of a corpus.yaml.

What belongs here: the parsing rules that all settings share. What does not: the settings themselves
(config.py, teacher_config.py, student_config.py) and parsing the file (config_file.py).
"""

import pydantic

MAX_SEED = 2**32 - 1  # torch, NumPy and Polars all take it
MAX_NAME_CHARACTERS = 1_000  # of a file's name, which messages repeat


class Settings(pydantic.BaseModel):
    """Settings that refuse an unknown key and cannot be changed after they were parsed."""

    # protected_namespaces: pydantic reserves names that start with "model_".
    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )
