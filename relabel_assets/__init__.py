"""relabel-assets: a folder of documents in, relevance labels and a small model that grades like its
teacher out."""

from typing import Any


def __getattr__(name: str) -> Any:
    # `from relabel_assets import Labeler` for Python users, without every import of the package
    # loading torch.
    if name == "Labeler":
        from relabel_assets.student import Labeler

        return Labeler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
