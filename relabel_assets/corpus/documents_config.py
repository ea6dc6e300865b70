"""The section `documents` of a corpus.yaml: what is done to the texts of documents.

What belongs here: these settings, their defaults and bounds. What does not: how they are used
(corpus/hygiene/), and the other sections (config.py).
"""

from typing import Literal

from pydantic import Field

from relabel_assets.corpus.settings import Settings


class DocumentsConfig(Settings):
    """What is done to the texts of documents."""

    # keep: a notice that every page repeats may be what a query asks for. Not measured.
    boilerplate: Literal["keep", "drop"] = Field(
        "keep",
        description=(
            "Paragraphs that over half of the documents repeat, in a corpus of 20 documents and more: "
            "navigation, footers. keep: they stay, and are counted. drop: they are left out of every body."
        ),
        examples=["drop"],
    )
