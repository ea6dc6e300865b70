"""The Makefile refuses a Python that does not fit, before it installs or downloads anything."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A Python that says it has another version, and writes down what it was asked.
FAKE = """#!/bin/sh
echo "$1" >> {calls}
[ "$1" = -c ] || exit 0
exec {python} -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2"
"""


def make(folder: Path, version: tuple[int, int], *, is_in_venv: bool) -> tuple[int, str, list[str]]:
    """`make demo` with a Python of `version`: its exit code, stderr, and the calls of that Python."""
    calls, venv = folder / "calls", folder / "venv"
    python = (venv / "bin" / "python") if is_in_venv else (folder / "python")
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(FAKE.format(calls=calls, python=sys.executable, version=(*version, 0)))
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "demo", f"VENV={venv}", f"PYTHON={python}"],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr, calls.read_text().split()


@pytest.mark.parametrize("version", [(3, 10), (3, 13)])
@pytest.mark.parametrize("is_in_venv", [False, True])
def test_a_python_that_does_not_fit_is_refused_before_anything_is_installed(
    tmp_path: Path, version: tuple[int, int], is_in_venv: bool
) -> None:
    code, message, calls = make(tmp_path, version, is_in_venv=is_in_venv)
    assert code == 2
    found = ".".join(map(str, version))
    assert f"needs Python 3.11 or 3.12. This one is {found}: " in message
    assert "Nothing was installed." in message and "make PYTHON=/path/to/python3.12" in message
    assert "Traceback" not in message
    assert calls == ["-c"]  # neither a venv nor pip


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_a_python_that_fits_goes_on_to_the_install(
    tmp_path: Path, version: tuple[int, int]
) -> None:
    _, message, calls = make(tmp_path, version, is_in_venv=True)
    assert "needs Python" not in message
    assert calls[:2] == ["-c", "-m"]


def test_makefile_package_and_readme_name_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.13"
    assert "(3, 11) <= v < (3, 13)" in (ROOT / "Makefile").read_text()
    assert "Python 3.11 or 3.12" in (ROOT / "README.md").read_text()
