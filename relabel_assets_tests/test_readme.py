"""The README's commands run: each line of its shell blocks, but the ones that install or open a browser."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith(".venv/bin/relabel")
]


def relabel(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = shlex.split(command.removeprefix(".venv/bin/relabel"))
    entry = [sys.executable, "-c", "from relabel_assets.cli.main import main; main()"]
    return subprocess.run([*entry, *arguments], capture_output=True, text=True, check=False, cwd=folder)


def test_every_command_of_the_readme_runs(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("where")  # some commands leave a file where they are called
    assert len(COMMANDS) >= 6
    assert relabel("run", folder).returncode == 0
    for command in COMMANDS:
        done = relabel(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", "\n".join(BLOCKS), re.MULTILINE))
def test_every_make_target_of_the_readme_is_there(target: str) -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
