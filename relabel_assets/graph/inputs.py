"""Hashes of a partition's inputs, and the names of changed inputs.

What belongs here: hashing inputs by name. What does not: the inputs of each table (recipe.py,
assets/), and the reaction to a change (table_asset.py, running/plan.py).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from relabel_assets.warehouse.receipt import Receipt


@dataclass(frozen=True)
class Inputs:
    """The inputs of a partition's rows by kind: code, settings, files, tables."""

    values: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """SHA-256 of all inputs."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    @property
    def parts(self) -> dict[str, str]:
        """A short hash of each input by its name, such as "settings teacher.model".

        Hashes, because a value may be a secret. Twelve digits are enough to see a change.
        """
        return {
            name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
            for name, value in _flattened(self.values)
        }

    def changed_since(self, receipt: Receipt) -> str:
        """The names of the inputs that changed since `receipt` was written."""
        if receipt.inputs is None:  # written by an earlier version
            return "its files, settings, code or the tables it reads"
        before, now = json.loads(receipt.inputs), self.parts
        changed = sorted(
            name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
        )
        return ", ".join(changed) or "the way inputs are hashed"


def _flattened(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of nested mappings, with its name such as `settings teacher.model`."""
    if isinstance(value, Mapping) and value:
        separator = "." if " " in name else " "
        for key, inner in value.items():
            yield from _flattened(inner, f"{name}{separator}{key}" if name else str(key))
    else:
        yield name, value


def plain(value: Any) -> Any:
    """Settings as values that JSON can encode."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
