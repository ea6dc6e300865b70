"""The Batch API of the teacher's endpoint: upload, create, find, get, download.

What belongs here: the openai client's calls for files and batches, and messages for their errors.
What does not: the requests and what follows from results (rounds.py).

The client repeats every call after a passing error, except that it creates a batch only once: after
a lost response the batch may exist.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tenacity

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.files import whole
from relabel_assets.teacher.requests import URL
from relabel_assets.teacher.sending.endpoint import (
    azure_settings,
    base_url_of,
    endpoint_name,
    read_key,
    redact,
)

TAG, CORPUS = "relabel_tag", "relabel_corpus"  # keys in the metadata of a batch at the endpoint
_ENDED = ("completed", "failed", "expired", "cancelled")
# Not measured: batches of one account that are searched for a tag. The one we look for is recent.
_MOST_LISTED = 1000
_RETRIES = 5  # by the client, of every call but `create`. Not measured
_DOWNLOADS = 3  # of a file whose body breaks off. Not measured
_SHORTEST_TIMEOUT_S = 60  # a file of 200 MB takes longer than a reply

T = TypeVar("T")


@dataclass(frozen=True)
class RemoteBatch:
    """A batch as the endpoint reports it."""

    id: str
    status: str
    n_done: int
    n_requests: int
    result_files: tuple[str, ...]  # ids of the files with answers and with failures
    errors: tuple[tuple[str, str], ...]  # (code, message): why a whole batch failed

    @property
    def is_ended(self) -> bool:
        return self.status in _ENDED


class BatchEndpoint:
    """The Batch API of `config`'s endpoint. Every call raises TeacherError if the endpoint fails."""

    def __init__(self, config: TeacherConfig) -> None:
        import openai

        self._config, self._key = config, read_key(config)
        settings: dict[str, Any] = {
            "api_key": self._key,
            "max_retries": _RETRIES,
            "timeout": max(_SHORTEST_TIMEOUT_S, config.timeout_s),
        }
        self._client: Any = (
            openai.AzureOpenAI(**azure_settings(config), **settings)
            if config.api == "azure"
            else openai.OpenAI(base_url=base_url_of(config), **settings)
        )

    def redact(self, text: str) -> str:
        """`text` without the key."""
        return redact(text, self._key)

    def upload(self, path: Path, name: str) -> str:
        """Upload the file at `path` as `name`, and return its id."""
        with path.open("rb") as file:
            content = file.read()  # at most 200 MB: the client would read it whole as well
        upload: dict[str, Any] = {"file": (name, content), "purpose": "batch"}
        return self._call(lambda: self._client.files.create(**upload).id)

    def create(self, file_id: str, metadata: Mapping[str, str]) -> RemoteBatch | None:
        """Create a batch and return it; None if the response was lost and the batch may exist."""
        import openai

        def create() -> RemoteBatch | None:
            batches = self._client.with_options(max_retries=0).batches
            try:
                batch = batches.create(
                    input_file_id=file_id,
                    endpoint=URL,
                    completion_window="24h",  # the only one that the API offers
                    metadata=dict(metadata),
                )
                return _batch(batch)
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                return None

        return self._call(create)

    def find(self, tag: str) -> RemoteBatch | None:
        """The batch with `tag` among the latest; None if it is not there."""

        def search() -> RemoteBatch | None:
            for number, batch in enumerate(self._client.batches.list(limit=100)):
                if (batch.metadata or {}).get(TAG) == tag:
                    return _batch(batch)
                if number >= _MOST_LISTED:
                    return None
            return None

        return self._call(search)

    def get(self, batch_id: str) -> RemoteBatch:
        """The batch with this id."""
        return self._call(lambda: _batch(self._client.batches.retrieve(batch_id)))

    def download(self, file_id: str, path: Path) -> None:
        """Write the file to `path`, whole or not at all."""

        def stream(scratch: Path) -> None:
            with self._client.files.with_streaming_response.content(file_id) as response:
                response.stream_to_file(scratch)

        # The client repeats a request, but not after a body that breaks off.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(_DOWNLOADS),
            reraise=True,
        )
        with whole(path) as scratch:
            self._call(lambda: retrying(stream, scratch))

    def close(self) -> None:
        self._client.close()

    def _call(self, call: Callable[[], T]) -> T:
        """The result of `call`. Raises TeacherError for what the client raises."""
        import httpx2
        import openai

        name = endpoint_name(self._config)
        try:
            return call()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            message = self.redact(error.message)
            raise TeacherError(
                f"the endpoint {name} denies access: {message}. Check OPENAI_API_KEY."
            ) from error
        except openai.NotFoundError as error:
            raise TeacherError(
                f"the endpoint {name} knows no such batch or file, or has no Batch API: "
                f"{self.redact(error.message)}. Servers of your own mostly have none: set "
                "teacher.mode: live."
            ) from error
        except (openai.APIError, httpx2.HTTPError, OSError) as error:
            raise TeacherError(
                f"the endpoint {name} does not answer: {self.redact(str(error))}. Batches that are "
                "out stay out, and running again picks them up."
            ) from error


def _is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed the next time."""
    import httpx2
    import openai

    final = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
    passing = (openai.APIError, httpx2.HTTPError, OSError)
    return isinstance(error, passing) and not isinstance(error, final)


def _batch(batch: Any) -> RemoteBatch:
    counts, errors = batch.request_counts, (batch.errors.data or []) if batch.errors else []
    files = (batch.output_file_id, batch.error_file_id)
    return RemoteBatch(
        batch.id,
        batch.status,
        (counts.completed + counts.failed) if counts else 0,
        counts.total if counts else 0,
        tuple(file for file in files if file),
        tuple((error.code or "", error.message or "") for error in errors),
    )
