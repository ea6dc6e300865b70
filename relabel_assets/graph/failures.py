"""Failed steps: which errors are worth another try, and the one message of the others.

What belongs here: converting an exception to Dagster's, and a step's failure to a message. What does not:
the work of a step (table_asset.py), and the report of a failed run (automation.py).
"""

import errno
import traceback
from collections.abc import Mapping
from contextlib import suppress

import dagster as dg

from relabel_assets.errors import RelabelError
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.text import one_line, printable
from relabel_assets.intake.unexpected import unexpected

# not measured: two retries, after 5 s and 10 s, outlast a short outage, and a lasting fault shows soon.
_RETRIES, _FIRST_RETRY_S = 2, 5
# Errors of a network or of a disk behind one. Any other error would be the same at the next try.
_TRANSIENT = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EHOSTUNREACH,
    errno.EINTR,
    errno.EIO,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.ESTALE,
}


def as_dagster_error(error: BaseException, retry_number: int) -> dg.RetryRequested | dg.Failure:
    """What a step raises for `error`: a request for another try, or a failure with one message.

    Not a RetryPolicy: with one, Dagster repeats a step that Ctrl-C or the UI stopped.
    """
    if is_transient(error) and retry_number < _RETRIES:
        wait_s = _FIRST_RETRY_S * 2**retry_number
        return dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=wait_s)
    return dg.Failure(message_of(error), allow_retries=False)


def joint_error(errors: Mapping[str, BaseException], retry_number: int) -> BaseException:
    """The one error of a step whose partitions failed with `errors`.

    One that another try may mend, if a try is left: that try keeps the finished partitions. Else a
    RelabelError with the message of each.
    """
    if retry_number < _RETRIES:
        for error in errors.values():
            if is_transient(error):
                return error
    return RelabelError("\n".join(f"{name}: {message_of(error)}" for name, error in errors.items()))


def log_traceback(log: dg.DagsterLogManager, error: BaseException) -> None:
    """Write the traceback of an error that does not end the step to Dagster's log."""
    with suppress(*INPUT_ERRORS):  # a full disk must not stop the other corpora
        log.error(printable("".join(traceback.format_exception(error))))


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed in some seconds.

    >>> is_transient(ConnectionResetError()), is_transient(PermissionError())
    (True, False)
    """
    return isinstance(error, ConnectionError | TimeoutError) or (
        isinstance(error, OSError) and error.errno in _TRANSIENT
    )


def message_of(error: BaseException) -> str:
    """The message for people: that of a RelabelError, or one line about an unexpected error."""
    if isinstance(error, RelabelError):
        return printable(str(error))
    return (
        f"{unexpected(error)}. The traceback is in Dagster's log, and `relabel --debug` prints it."
    )


def failure_message(event: dg.DagsterEvent) -> str:
    """The message of a failed step, without the text that Dagster adds."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error and error.cause:  # Dagster wraps the error of a resource or an input
        error = error.cause
    return one_line(error.message if error else event.message or "")
