"""The section `documents` of a corpus.yaml: where documents live, and what is done to their texts.

What belongs here: these settings, their defaults and bounds. What does not: how they are used
(corpus/hygiene/, corpus/documents_folder/), and the other sections (config.py).
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from relabel_assets.corpus.config.settings import MAX_NAME_CHARACTERS, Settings

MAX_SQL_CHARACTERS = 20_000  # some 400 lines


class DocumentsConfig(Settings):
    """Where documents live, if not in the corpus folder, and what is done to their texts."""

    sql: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_SQL_CHARACTERS,
        description=(
            "A query in DuckDB's SQL whose rows are the documents: doc_id, body, and whatever else a row of "
            "documents.jsonl may have. It reads `database`, files of the corpus folder by their relative "
            "paths, and files in `folders`. It writes nothing and reaches no network."
        ),
        examples=["select id as doc_id, title, text as body from 'pages/*.parquet'"],
    )
    database: str | None = Field(
        None,
        max_length=MAX_NAME_CHARACTERS,
        description=(
            "The DuckDB file that `sql` queries, opened for reading. A relative path starts in the corpus "
            "folder. Default: none."
        ),
        examples=["../wiki.duckdb"],
    )
    folders: list[str] = Field(
        [],
        max_length=100,
        description=(
            "Folders outside the corpus folder whose files `sql` may read. A relative path starts in the "
            "corpus folder."
        ),
        examples=[["/srv/exports"]],
    )
    url: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description=(
            "Where the files of documents live elsewhere: an address of fsspec, with * and ** for parts of "
            "names. What is before the first * is the folder that their paths start from. Needs the extra "
            "remote, and for s3:// or gs:// the packages s3fs or gcsfs. Nothing else is fetched."
        ),
        examples=["s3://wiki/export/**/*.md"],
    )
    # keep: a notice that every page repeats may be what a query asks for. Not measured.
    boilerplate: Literal["keep", "drop"] = Field(
        "keep",
        description=(
            "Paragraphs that over half of the documents repeat, in a corpus of 20 documents and more: "
            "navigation, footers. keep: they stay, and are counted. drop: they are left out of every body."
        ),
        examples=["drop"],
    )
    show: list[Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]] = Field(
        [],
        max_length=100,
        description=(
            "Keys of the documents' metadata that head their text, a line each: then BM25, prompts, students "
            "and people read them. Default: none beside title, author, path, updated_at and doc_type."
        ),
        examples=[["product", "region"]],
    )
    # Off, because a history is no part of the folder: a copy or a shallow clone would make other documents,
    # and a live teacher would be asked again.
    git_dates: bool = Field(
        False,
        description=(
            "Take updated_at and author of a file in documents/ that states none from its last commit, where "
            "the folder is in a whole clone of a git repository."
        ),
    )

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> "DocumentsConfig":
        if self.sql and self.url:
            raise ValueError("documents.sql and documents.url are two sources. Keep one of them")
        if (self.database or self.folders) and not self.sql:
            raise ValueError("documents.database and documents.folders are for documents.sql")
        return self

    @property
    def source(self) -> str | None:
        """The setting that says where the documents live; None for those in the corpus folder."""
        if self.sql:
            return "documents.sql"
        return "documents.url" if self.url else None
