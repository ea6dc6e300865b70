"""Where state lives: RELABEL_HOME and the folders under it; and where corpora are read from: RELABEL_DATA.

What belongs here: paths and the environment variables that set them. What does not: what the files hold.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder that holds everything the project writes."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """RELABEL_HOME, or .relabel in the working directory."""
        return cls(Path(os.environ.get("RELABEL_HOME") or ".relabel").expanduser().resolve())

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
    def dagster(self) -> Path:
        return self.path / "dagster"

    @property
    def scratch(self) -> Path:
        """For files that no later run needs: search indexes, spilled results."""
        return self.path / "scratch"


def data_from_environment() -> Path:
    """RELABEL_DATA, or data in the working directory."""
    return Path(os.environ.get("RELABEL_DATA") or "data").expanduser().resolve()
