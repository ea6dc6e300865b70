"""The systems of a folder: their runs, and what they are built on.

What belongs here: a folder of the user, and the folder runs/ of a corpus. What does not: the rows of a run
(run_files.py) and the settings of systems.yaml (kin_file.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.runs.kin_file import SystemOrigin, parse_origins
from relabel_assets.corpus.runs.run_files import FOLDER, KIN_FILE, Runs, files_in, is_run, read_runs
from relabel_assets.errors import ConfigError
from relabel_assets.intake.input_limits import MAX_SETTINGS_BYTES
from relabel_assets.intake.one_input import SetAside, problem_of
from relabel_assets.intake.regular_files import read_regular
from relabel_assets.progress import Progress, silent


@dataclass(frozen=True)
class Systems:
    """The `runs` of systems, and the origin of those that systems.yaml names."""

    runs: Runs
    origins: dict[str, SystemOrigin] = field(default_factory=dict)


def systems_in(path: Path, progress: Progress = silent) -> Systems:
    """The systems of a folder of run files, or of one run file.

    Raises CorpusError for a path without runs, and ConfigError for a wrong systems.yaml.
    """
    root, files = files_in(path)
    return _systems(root, files, KIN_FILE, progress)


def systems_of_corpus(folder: CorpusFolder, progress: Progress = silent) -> Systems:
    """The systems in runs/ of a corpus: NAME.run or NAME.run.gz. There may be none.

    Raises ConfigError for a wrong systems.yaml.
    """
    return _systems(folder.path, run_files_of(folder), f"{FOLDER}/{KIN_FILE}", progress)


def run_files_of(folder: CorpusFolder) -> list[str]:
    """The run files of a corpus, relative to its folder."""
    try:
        names = sorted(entry.name for entry in (folder.path / FOLDER).iterdir())
    except OSError:
        return []
    return [file for name in names if is_run(file := f"{FOLDER}/{name}")]


def _systems(root: Path, files: Sequence[str], kin_file: str, progress: Progress) -> Systems:
    runs = read_runs(root, files, progress)
    if not (root / kin_file).exists():
        return Systems(runs)
    try:
        text = read_regular(root, kin_file, max_bytes=MAX_SETTINGS_BYTES).decode("utf-8-sig")
    except SetAside as error:
        raise ConfigError(str(problem_of(error, kin_file))) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{kin_file}: not UTF-8 text. Save the file as UTF-8.") from error
    return Systems(runs, parse_origins(text, file=kin_file, systems=runs.systems))
