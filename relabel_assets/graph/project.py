"""The Dagster resource with the folders of state and corpora, the teacher and the vector store.

What belongs here: passing these folders to the classes that use them. What does not: those classes
(home.py, corpus/folders.py, teacher/teacher.py, student/vectors/store.py).
"""

from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from relabel_assets.corpus.folders import Corpora
from relabel_assets.home import DEFAULT_VECTORS_GB, Home, Settings, settings_from_environment
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.teacher.teacher import Teacher


class Project(dg.ConfigurableResource):
    """RELABEL_HOME and RELABEL_DATA as absolute paths. Dagster makes a copy for each run."""

    home_path: str
    data_path: str
    vectors_gb: float = DEFAULT_VECTORS_GB
    _teacher: Teacher | None = PrivateAttr(default=None)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Project":
        return cls(
            home_path=str(settings.home.path),
            data_path=str(settings.data),
            vectors_gb=settings.vectors_gb,
        )

    @classmethod
    def from_environment(cls) -> "Project":
        return cls.from_settings(settings_from_environment())

    @property
    def home(self) -> Home:
        return Home(Path(self.home_path))

    def corpora(self) -> Corpora:
        return Corpora(Path(self.data_path), self.home.caches)

    def vectors(self) -> VectorStore:
        """The store of document vectors, opened for one piece of work, whose reads it counts."""
        return VectorStore(self.home.vectors, int(self.vectors_gb * 1e9))

    def teacher(self) -> Teacher:
        """This project's one teacher. It reads its ledger once, and afterwards only new lines."""
        if self._teacher is None:
            self._teacher = Teacher(self.home.ledger)
        return self._teacher
