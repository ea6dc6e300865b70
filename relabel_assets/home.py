"""Settings from environment variables, and the folders of RELABEL_HOME.

What belongs here: RELABEL_HOME, RELABEL_DATA, RELABEL_AUTOMATION, RELABEL_BACKFILL and
RELABEL_VECTORS_GB. What does not: the settings of a corpus (corpus/config/). No variable is read when
the module is imported.
"""

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from relabel_assets.errors import ConfigError, WarehouseError

Automation = Literal["off", "on"]
Backfill = Literal["run_per_corpus", "single_run"]
# The vectors of some 600,000 passages of 80 words. A disk that has less room keeps fewer.
DEFAULT_VECTORS_GB = 20.0


@dataclass(frozen=True)
class Home:
    """The folder that holds everything the project writes."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """RELABEL_HOME, or .relabel in the working directory. Raises ConfigError for no usable path."""
        return cls(_folder("RELABEL_HOME", ".relabel"))

    @property
    def warehouse(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def vectors(self) -> Path:
        """The folder of what a base computed from documents. It can be removed at any time."""
        return self.path / "vectors"

    @property
    def caches(self) -> Path:
        """The folder of what was found in files of corpora. It can be removed at any time."""
        return self.path / "cache"

    @property
    def dagster(self) -> Path:
        return self.path / "dagster"

    @property
    def stopped(self) -> Path:
        """The folder of marks: a file named after each process that was killed after Ctrl-C."""
        return self.dagster / "stopped"

    @property
    def scratch(self) -> Path:
        """The folder of files that no later run needs: search indexes, spilled results."""
        return self.path / "scratch"

    def inside(self, place: str) -> Path:
        """The path of `place`, which a row of the warehouse names.

        Raises WarehouseError for one outside this folder: the warehouse may be from elsewhere.

        >>> Home(Path("/home")).inside("models/demo/4f1c").as_posix()
        '/home/models/demo/4f1c'
        """
        parts = Path(place).parts
        if not parts or Path(place).is_absolute() or ".." in parts:
            raise WarehouseError(
                f"the warehouse names {place!r}, which is outside RELABEL_HOME, so it is not opened. "
                "Train the student again: relabel run --force -s student_model+."
            )
        return self.path / place


def data_from_environment() -> Path:
    """RELABEL_DATA, or data in the working directory. Raises ConfigError for no usable path."""
    return _folder("RELABEL_DATA", "data")


def _folder(variable: str, default: str) -> Path:
    """The absolute path of a variable's folder, which may not exist yet."""
    value = os.environ.get(variable) or default
    try:
        path = Path(value).expanduser().resolve()
        str(path).encode()  # Dagster and DuckDB take UTF-8 alone
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle, ~nobody
        raise ConfigError(
            f"{variable} is {value!r}, which is no usable path: {error}. Set it to a folder."
        ) from error
    return path


@dataclass(frozen=True)
class Settings:
    """The values of all environment variables.

    `automation`: whether sensors and schedules are started by default. `backfill`: whether a backfill
    of several corpora is one run for each, or one run. `vectors_gb`: the most that `Home.vectors` takes.
    """

    home: Home
    data: Path
    automation: Automation = "off"
    backfill: Backfill = "run_per_corpus"
    vectors_gb: float = DEFAULT_VECTORS_GB


def settings_from_environment() -> Settings:
    """The current values of the environment variables. An empty one counts as not set.

    Raises ConfigError for a value that is not allowed.
    """
    automation = os.environ.get("RELABEL_AUTOMATION") or "off"
    if automation not in get_args(Automation):
        raise ConfigError(
            f"RELABEL_AUTOMATION is {automation!r}. Allowed: on or off. Default: off."
        )
    backfill = os.environ.get("RELABEL_BACKFILL") or "run_per_corpus"
    if backfill not in get_args(Backfill):
        raise ConfigError(
            f"RELABEL_BACKFILL is {backfill!r}. Allowed: {' or '.join(get_args(Backfill))}. "
            "Default: run_per_corpus."
        )
    return Settings(
        Home.from_environment(),
        data_from_environment(),
        cast(Automation, automation),
        cast(Backfill, backfill),
        _vectors_gb(),
    )


def _vectors_gb() -> float:
    """RELABEL_VECTORS_GB. Raises ConfigError for what is no number from 0."""
    value = os.environ.get("RELABEL_VECTORS_GB") or DEFAULT_VECTORS_GB
    with suppress(ValueError):
        if 0 <= float(value) < math.inf:
            return float(value)
    raise ConfigError(
        f"RELABEL_VECTORS_GB is {value!r}. Allowed: a number of gigabytes; 0 keeps no vectors. "
        f"Default: {DEFAULT_VECTORS_GB:g}."
    )
