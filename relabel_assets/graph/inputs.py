"""The inputs that a partition's rows follow from, and which of them changed.

What belongs here: hashes of inputs, by name. What does not: which inputs a table has (recipe.py,
assets/), and what is done where one changed (table_asset.py, running/plan.py).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from relabel_assets.warehouse.warehouse import Receipt


@dataclass(frozen=True)
class Inputs:
    """What a partition's rows follow from, by kind: code, settings, files, tables."""

    values: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    @property
    def parts(self) -> dict[str, str]:
        """A short hash of each input by its name, such as "settings teacher.model": a value itself
        may be a secret."""
        return {
            name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
            for name, value in _flat(self.values)
        }

    def changed_since(self, receipt: Receipt) -> str:
        """The inputs that are not what `receipt` was made from, by name."""
        if receipt.inputs is None:  # made by an earlier version
            return "its files, settings, code or the tables it reads"
        before, now = json.loads(receipt.inputs), self.parts
        changed = sorted(
            name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
        )
        return ", ".join(changed) or "how inputs are counted"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of nested mappings under a name such as `settings teacher.model`."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(
                inner, f"{name}{'.' if ' ' in name else ' '}{key}" if name else str(key)
            )
    else:
        yield name, value


def plain(value: Any) -> Any:
    """Settings as JSON has them."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
