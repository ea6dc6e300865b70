"""The Batch API of the teacher's endpoint: upload, create, find, get, download.

What belongs here: the openai client's calls for files and batches, and messages for their errors. What
does not: what a batch is (remote_batch.py), the requests and what follows from results (rounds.py).

The client repeats every call after a passing error, except that it creates a batch only once: after
a lost response the batch may exist.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tenacity

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.files import whole
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of
from relabel_assets.intake.text import one_line
from relabel_assets.teacher.batch.remote_batch import RemoteBatch, member_text, read_batch, tag_of
from relabel_assets.teacher.batch.result_lines import limited_lines
from relabel_assets.teacher.http.connection_faults import CONNECTION, connection_fault
from relabel_assets.teacher.http.credentials import (
    base_url_of,
    key_variable,
    read_key,
    redactor_of,
)
from relabel_assets.teacher.http.response_body import body_text, parse_body
from relabel_assets.teacher.requests import URL
from relabel_assets.teacher.sending.endpoint import (
    address_of,
    azure_settings,
    made_client,
    made_http_client,
)
from relabel_assets.teacher.verdict import UNREACHABLE, Verdict, judge

# Not measured: batches of one account that are searched for a tag. The one we look for is recent.
_MOST_LISTED = 1000
_PAGE = 100  # the longest that the API allows
_RETRIES = 5  # by the client, of every call but `create`. Not measured
_DOWNLOADS = 3  # of a file whose body breaks off. Not measured
_SHORTEST_TIMEOUT_S = 60  # a file of 200 MB takes longer than a reply
_LONGEST_DOWNLOAD_S = 3600  # of a file. Not measured: 8 GB at 2 MB/s take as long

_NO_SUCH = (404, 405, 501)  # statuses of a server without a Batch API, or without the batch
_STAY_OUT = "Batches that are out stay out, and running again picks them up."

T = TypeVar("T")


class BatchEndpoint:
    """The Batch API of `config`'s endpoint. Every call raises TeacherError if the endpoint fails."""

    def __init__(self, config: TeacherConfig) -> None:
        import openai

        from relabel_assets.teacher.http.bounded_http import BoundedClient

        key = read_key(config)
        self._config, self.redactor = config, redactor_of(config, key)
        timeout_s = max(_SHORTEST_TIMEOUT_S, config.timeout_s)
        settings: dict[str, Any] = {
            "api_key": key,
            "max_retries": _RETRIES,
            "timeout": timeout_s,
            "http_client": made_http_client(BoundedClient, total_s=timeout_s, timeout=timeout_s),
        }
        self._client: Any = (
            made_client(openai.AzureOpenAI, **azure_settings(config), **settings)
            if config.api == "azure"
            else made_client(openai.OpenAI, base_url=base_url_of(config), **settings)
        )

    def upload(self, path: Path, name: str) -> str:
        """Upload the file at `path` as `name`, and return its id."""
        with path.open("rb") as file:
            content = file.read()  # at most 200 MB: the client would read it whole as well
        upload: dict[str, Any] = {"file": (name, content), "purpose": "batch"}

        def send() -> str:
            value = self._parsed(self._client.files.with_raw_response.create(**upload))
            file_id = member_text(value, "id")
            if not file_id:
                raise ValueError("the answer to an upload has no id")
            return file_id

        return self._call(send)

    def create(self, file_id: str, metadata: Mapping[str, str]) -> RemoteBatch | None:
        """Create a batch and return it; None if the response was lost and the batch may exist."""
        import openai

        def create() -> RemoteBatch | None:
            batches = self._client.with_options(max_retries=0).batches
            try:
                response = batches.with_raw_response.create(
                    input_file_id=file_id,
                    endpoint=URL,
                    completion_window="24h",  # the only one that the API offers
                    metadata=dict(metadata),
                )
                return read_batch(self._parsed(response))
            except openai.RateLimitError as error:
                if self._verdict(error).action == "exhausted":
                    raise  # the next call would not differ
                return None
            except (openai.APIConnectionError, openai.InternalServerError):
                return None
            except ValueError:  # an answer that is no batch
                return None

        return self._call(create)

    def find(self, tag: str) -> RemoteBatch | None:
        """The batch with `tag` among the latest; None if it is not there."""
        return self._call(
            lambda: next(
                (read_batch(batch) for batch in self._latest() if tag_of(batch) == tag), None
            )
        )

    def _latest(self) -> Iterator[Any]:
        """The latest batches, as the endpoint lists them."""
        after: dict[str, str] = {}
        for _ in range(_MOST_LISTED // _PAGE):
            page = self._parsed(self._client.batches.with_raw_response.list(limit=_PAGE, **after))
            batches = page.get("data") if isinstance(page, Mapping) else None
            if not isinstance(batches, list):
                raise ValueError("the list of batches has no data")
            yield from batches
            last_id = member_text(batches[-1], "id") if batches else ""
            if not last_id or page.get("has_more") is not True:
                return
            after = {"after": last_id}

    def get(self, batch_id: str) -> RemoteBatch:
        """The batch with this id."""
        batches = self._client.batches.with_raw_response
        return self._call(lambda: read_batch(self._parsed(batches.retrieve(batch_id))))

    def download(self, file_id: str, path: Path, *, max_bytes: int) -> None:
        """Write the file to `path`, whole or not at all; cut after `max_bytes`. No line is too long."""

        def stream(scratch: Path) -> None:
            last_moment = time.monotonic() + _LONGEST_DOWNLOAD_S
            streaming = self._client.files.with_streaming_response
            with (
                streaming.content(file_id) as response,
                scratch.open("wb") as file,
            ):
                max_line_bytes = self._config.max_reply_bytes
                for line in limited_lines(response.iter_bytes(), max_line_bytes):
                    file.write(line)
                    if file.tell() > max_bytes:
                        return
                    if time.monotonic() > last_moment:
                        raise TimeoutError(f"a download took over {_LONGEST_DOWNLOAD_S} s")

        # The client repeats a request, but not after a body that breaks off.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(_DOWNLOADS),
            reraise=True,
        )
        with whole(path) as scratch:
            self._call(lambda: retrying(stream, scratch))

    def _parsed(self, response: Any) -> Any:
        """The JSON value of a response, without secrets. Raises ValueError if it is not JSON."""
        return self.redactor.value(parse_body(body_text(response.content)))

    def close(self) -> None:
        self._client.close()

    def _call(self, call: Callable[[], T]) -> T:
        """The result of `call`. Raises TeacherError for what the client raises."""
        try:
            return call()
        except TeacherError:
            raise
        except INPUT_ERRORS as error:
            message = self._message(error)
        # Not in the block above: the library's error holds what the server sent, and is not passed on.
        raise TeacherError(message)

    def _message(self, error: BaseException) -> str:
        import openai

        from relabel_assets.teacher.http.bounded_http import UnusableResponse

        address = address_of(self._config)
        if isinstance(error, openai.APIStatusError):
            return self._denial(error, address)
        code, reason = UNREACHABLE, reason_of(error)
        if isinstance(error, openai.APIConnectionError):
            code, reason = connection_fault(error, address)
        elif not isinstance(error, UnusableResponse):
            code = CONNECTION
        reason = one_line(self.redactor.text(reason))
        if code == UNREACHABLE:
            return f"the endpoint {address} cannot be used: {reason}. Check teacher.base_url."
        return f"the endpoint {address} does not answer as it should: {reason}. {_STAY_OUT}"

    def _denial(self, error: Any, address: str) -> str:
        """The message for an error's status."""
        verdict = self._verdict(error)
        reason = verdict.reason
        if verdict.action == "exhausted":
            return f"the endpoint's quota or money is spent ({reason}). {_STAY_OUT}"
        if error.status_code in _NO_SUCH:
            return (
                f"the endpoint {address} knows no such batch or file, or has no Batch API: {reason}. "
                "Servers of your own mostly have none: set teacher.mode: live."
            )
        if verdict.action == "denied":
            variable = key_variable(self._config)
            return f"the endpoint {address} denies access: {reason}. Check {variable}."
        return f"the endpoint {address} does not answer as it should: {reason}. {_STAY_OUT}"

    def _verdict(self, error: Any) -> Verdict:
        """The verdict on an error's response."""
        return judge(error.status_code, self._error_body(error))

    def _error_body(self, error: Any) -> Any:
        """The body of an error's response, without secrets: parsed, or as text."""
        text = body_text(error.response.content)
        try:
            return self.redactor.value(parse_body(text))
        except ValueError:
            return self.redactor.text(text)


def _is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed the next time."""
    import httpx2
    import openai

    final = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
    passing = (openai.APIError, httpx2.HTTPError, OSError)
    return isinstance(error, passing) and not isinstance(error, final)
