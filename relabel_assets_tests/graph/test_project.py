"""The project as a resource: one teacher and one ledger per project."""

from pathlib import Path

from relabel_assets.graph.project import Project


def test_a_project_has_one_teacher(tmp_path: Path) -> None:
    project = Project(home_path=str(tmp_path), data_path=str(tmp_path))
    assert project.teacher() is project.teacher()
    assert project.teacher().ledger.folder == tmp_path / "ledger"


def test_two_projects_have_two_teachers(tmp_path: Path) -> None:
    one, other = (Project(home_path=str(tmp_path), data_path=str(tmp_path)) for _ in range(2))
    assert one.teacher() is not other.teacher()
