"""The project as the graph sees it: where state lives, where corpora are, and the teacher behind them.

What belongs here: handing paths to the parts that use them. What does not: the parts themselves.
"""

from pathlib import Path

import dagster as dg

from relabel_assets.corpus.folders import Corpora
from relabel_assets.home import Home, data_from_environment
from relabel_assets.teacher.teacher import Teacher


class Project(dg.ConfigurableResource):
    """`home_path` is RELABEL_HOME, `data_path` RELABEL_DATA; both absolute."""

    home_path: str
    data_path: str

    @classmethod
    def from_environment(cls) -> "Project":
        return cls(home_path=str(Home.from_environment().path), data_path=str(data_from_environment()))

    @property
    def home(self) -> Home:
        return Home(Path(self.home_path))

    def corpora(self) -> Corpora:
        return Corpora(Path(self.data_path))

    def teacher(self) -> Teacher:
        return Teacher(self.home.ledger)
