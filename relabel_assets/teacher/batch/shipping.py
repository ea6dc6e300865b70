"""Shipping batches to the endpoint and collecting their results into the ledger.

What belongs here: the steps upload, create, poll and record, each saved before and after. What does
not: the requests and decisions (rounds.py), the calls (endpoint.py) and saving (pending.py).
"""

import time
from collections.abc import Callable

import tenacity

from relabel_assets.errors import TeacherError
from relabel_assets.intake.text import printable
from relabel_assets.teacher.batch.endpoint import BatchEndpoint
from relabel_assets.teacher.batch.pending import PendingBatch, PendingBatches
from relabel_assets.teacher.batch.remote_batch import CORPUS, TAG, RemoteBatch
from relabel_assets.teacher.batch.response_files import (
    ImportResult,
    RecordedRequest,
    numbered,
    record_responses,
    requests_of,
)
from relabel_assets.teacher.ledger.lines import Line
from relabel_assets.teacher.sending.context import SendingContext

# Searches for a batch that may have been created: a listing can lag behind. Not measured.
_SEARCHES = 3
# Each wait for pending batches is so much longer, because they take minutes or hours. Not measured.
_POLL_GROWTH = 1.5


class Shipping:
    """Ships and collects the batches of a run's corpus. Close it when the run ends.

    `on_response` gets every response. `on_batch_end` gets every ended batch and its requests' keys.
    """

    def __init__(
        self,
        context: SendingContext,
        on_response: Callable[[Line], None] = lambda line: None,
        on_batch_end: Callable[[RemoteBatch, set[str]], None] = lambda batch, keys: None,
    ) -> None:
        self._context = context
        self._on_response, self._on_batch_end = on_response, on_batch_end
        self._endpoint: BatchEndpoint | None = None  # opened when something is pending or sent
        self.pending = PendingBatches(context.ledger.folder, context.corpus)

    def ship(self, batch: PendingBatch) -> None:
        """Upload and create `batch`. Each step is saved, so that after a crash the batch is found."""
        context, settings = self._context, self._context.retry_settings
        self.pending.put(batch)
        file_id = self._api().upload(self.pending.path_of(batch.tag), batch.name)
        batch = self.pending.update(batch, file_id=file_id)
        metadata = {TAG: batch.tag, CORPUS: context.corpus}
        wait = tenacity.wait_exponential(settings.first_backoff_s, settings.longest_backoff_s)
        retrying = _until_not_none(context.config.max_retries + 1, wait)
        remote = retrying(lambda: self._api().create(file_id, metadata) or self._search(batch))
        if remote is None:
            self.pending.drop(batch)
            raise TeacherError(
                f"the endpoint {context.endpoint_name} does not create a batch. Run again later: "
                "nothing is lost."
            )
        self.pending.update(batch, batch_id=remote.id)

    def _search(self, batch: PendingBatch) -> RemoteBatch | None:
        """The batch at the endpoint with the tag of `batch`; None if it was never created."""
        wait = tenacity.wait_fixed(self._context.retry_settings.first_poll_s)
        return _until_not_none(_SEARCHES, wait)(lambda: self._api().find(batch.tag))

    def collect(self, *, is_patient: bool = True) -> bool:
        """Record the results of ended batches, and return whether no batch is pending.

        If `is_patient`, wait until all batches have ended.
        """
        settings = self._context.retry_settings
        wait_s = settings.first_poll_s
        while pending := self.pending.all():
            notes = []
            for number, batch in enumerate(pending, start=1):
                remote = self._find(batch)
                if remote is not None and remote.is_ended:
                    self._record_results(batch, remote)
                elif remote is not None:
                    name = f"batch {number} of {len(pending)}" if len(pending) > 1 else "batch"
                    done = f"{remote.n_done:,} of {batch.n_requests:,} done"
                    notes.append(f"{name} {remote.status}, {done}")
            if not notes:
                continue
            if not is_patient:
                return False
            self._context.on_wait("; ".join(notes))
            time.sleep(wait_s)
            wait_s = min(wait_s * _POLL_GROWTH, settings.longest_poll_s)
        return True

    def _find(self, batch: PendingBatch) -> RemoteBatch | None:
        """The batch at the endpoint. None if it was never created: then it is no longer pending."""
        name = self._context.endpoint_name
        if batch.endpoint != name:
            raise TeacherError(
                f"a batch of corpus {self._context.corpus!r} is out at {batch.endpoint}, and "
                f"teacher.base_url is {name}. Set it back until the batch has come in, or delete "
                f"{self.pending.folder} to give it up."
            )
        if batch.batch_id is not None:
            return self._api().get(batch.batch_id)
        remote = self._search(batch)
        if remote is None:
            self.pending.drop(batch)
        else:
            self.pending.update(batch, batch_id=remote.id)
        return remote

    def _record_results(self, batch: PendingBatch, remote: RemoteBatch) -> None:
        """Download the results of an ended batch, record them, and remove it from the pending ones."""
        context, result = self._context, ImportResult()
        keys = self.pending.keys_of(batch)
        for number, file_id in enumerate(remote.result_files):
            path = self.pending.folder / f"{batch.tag}.{number}.results"
            max_bytes = (batch.n_requests + 1) * context.config.max_reply_bytes
            self._api().download(file_id, path, max_bytes=max_bytes)
            place = (context.corpus, batch.endpoint)
            requests = requests_of(context.ledger, [path])
            recorded = {
                key: RecordedRequest(line.metadata, context.prices.get(line.metadata.model))
                for key, lines in requests.items()
                if (line := lines.get(place)) is not None
            }
            record_responses(
                context.ledger,
                numbered(path),
                f"results of {printable(remote.id)}",
                recorded.get,
                result,
                on_response=self._on_response,
                redactor=self._api().redactor,
            )
            path.unlink()
        context.budget.spent_usd += result.usd
        if result.problems:
            n_lines = len(result.problems)
            context.notices.say(f"lines left out: {n_lines:,}, the first: {result.problems[0]}")
        self._on_batch_end(remote, keys)
        self.pending.drop(batch)

    def close(self) -> None:
        if self._endpoint is not None:
            self._endpoint.close()

    def _api(self) -> BatchEndpoint:
        if self._endpoint is None:
            self._endpoint = BatchEndpoint(self._context.config)
        return self._endpoint


def _until_not_none(n_tries: int, wait: tenacity.wait.wait_base) -> tenacity.Retrying:
    """Retrying that calls while the result is None, at most `n_tries` times; then returns None."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda result: result is None),
        stop=tenacity.stop_after_attempt(n_tries),
        wait=wait,
        retry_error_callback=lambda state: None,
    )
