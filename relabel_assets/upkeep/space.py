"""What takes room in RELABEL_HOME and may go: corpora whose folder is gone, and old students.

What belongs here: finding it, and the command that frees it. What does not: removing it
(remove_corpus.py, assets/student_model.py). None of it is a problem: a data folder may not be mounted.
"""

from collections.abc import Iterator

from relabel_assets.corpus.folders import NAME
from relabel_assets.errors import RelabelError
from relabel_assets.graph.project import Project
from relabel_assets.intake.one_input import for_each_corpus
from relabel_assets.plural import counted
from relabel_assets.student.kept_students import removable
from relabel_assets.upkeep.findings import Finding
from relabel_assets.upkeep.remove_corpus import n_bytes, removal_of
from relabel_assets.warehouse.warehouse import Warehouse


def space_to_free(project: Project, warehouse: Warehouse) -> Iterator[Finding]:
    """A finding for each corpus without a folder, and for each that keeps more students than its settings."""
    home = project.home
    names = project.corpora().names()
    of_rows = {corpus for corpus, _ in warehouse.receipts()}
    of_models = {path.name for path in home.models.glob("*") if NAME.fullmatch(path.name)}
    for corpus in sorted((of_rows | of_models) - {*names}):
        removal = removal_of(project, warehouse, corpus)
        size = sum(removal.files.values()) / 1e6
        rows = counted(sum(removal.rows.values()), "row")
        yield Finding(
            corpus,
            note=f"its folder is not in {project.data_path}, and it has {rows} and {size:,.1f} MB of files. "
            f"If it is gone for good: relabel corpora remove {corpus}",
        )

    def old_students(corpus: str) -> list[str]:
        students = warehouse.read("student_model", corpus)
        return removable(students, home.path, project.corpora().open(corpus).config.student.keep)

    def ignore(corpus: str, error: RelabelError) -> None:
        """A corpus that cannot be opened is named by `relabel corpora check`."""

    made = [name for name in names if (name, "student_model") in warehouse.receipts()]
    for corpus, places in for_each_corpus(made, old_students, ignore):
        if places:
            size = sum(n_bytes(home.path / place) for place in places) / 1e6
            yield Finding(
                f"{corpus} / student_model",
                note=f"{counted(len(places), 'old student')} of {size:,.1f} MB, more than student.keep. The "
                f"next training removes them, or: relabel run -c {corpus} -s student_model --force",
            )
