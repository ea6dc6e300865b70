"""Sending folders to the Hugging Face hub, with its own client and the token of its environment.

What belongs here: repositories and uploads. What does not: the folders (package.py). Nothing else in this
project sends to the hub, and this only to the repository that was named.
"""

import re
from pathlib import Path

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.hub.package import LABELS, STUDENT
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.text import shown

PREFIX = "hub:"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def repository(to: str) -> str:
    """The repository that `--to hub:ORG/NAME` names. Raises ConfigError for another form.

    >>> repository("hub:acme/leave-labels")
    'acme/leave-labels'
    """
    name = to.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--to {shown(to)} names no repository. Write hub:ORG/NAME.")
    return name


def send(folder: Path, name: str, *, is_public: bool, endpoint: str | None = None) -> list[str]:
    """Upload student/ of `folder` as the model `name`, and labels/ as the data set; return their addresses.

    A new repository is private, unless `is_public`. The token is that of the hub's client: HF_TOKEN, or
    `hf auth login`. Raises ConfigError where the hub refuses, with what it had taken before.

    >>> send(Path("/nowhere"), "acme/leave", is_public=False)
    []
    """
    from huggingface_hub import HfApi

    api, sent = HfApi(endpoint=endpoint), list[str]()
    for part, kind in ((STUDENT, "model"), (LABELS, "dataset")):
        if not (folder / part).is_dir():
            continue
        try:
            api.create_repo(name, repo_type=kind, private=not is_public, exist_ok=True)
            api.upload_folder(
                repo_id=name,
                repo_type=kind,
                folder_path=folder / part,
                commit_message=f"relabel push: {part}",
            )
        except Exception as error:
            before = f"Sent before: {', '.join(sent)}" if sent else "Nothing was sent before"
            reason = reason_of(error).rstrip(".")
            raise ConfigError(
                f"the hub did not take the {part} as {kind} {name}: {reason}. {before}. Check the token "
                "(HF_TOKEN, or hf auth login) and its right to write there."
            ) from error
        place = "datasets/" if kind == "dataset" else ""
        sent.append(f"{api.endpoint}/{place}{name}")
    return sent
