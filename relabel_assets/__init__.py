"""relabel-assets: relevance labels for a folder of documents, and a small model that grades them."""

from typing import Any


def __getattr__(name: str) -> Any:
    # `from relabel_assets import Labeler` works, and other imports of the package do not load torch.
    if name == "Labeler":
        from relabel_assets.student import Labeler

        return Labeler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
