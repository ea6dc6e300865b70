"""Settings of retries, polling and batch size that only tests change.

What belongs here: waits and limits that hold for all corpora. What does not: the settings of a
corpus (corpus/config/teacher_config.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FileLimits:
    """The most that one file of requests may hold. The defaults are the limits of the Batch API."""

    n_requests: int = 50_000
    n_bytes: int = 200_000_000


API_LIMITS = FileLimits()


@dataclass(frozen=True)
class RetrySettings:
    """Waits in seconds, and the size of a batch. The numbers are not measured; their intent is:"""

    # Doubled each time, up to the longest: short at first, for an error that passes at once.
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    # An endpoint that asks for a longer wait ends the run: people should not wait for it unknowingly.
    longest_retry_after_s: float = 120.0
    # An endpoint that restarts is back within seconds. All probes together take 15 s.
    probe_waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    # Between looks at pending batches; longer each time (batch/shipping.py).
    first_poll_s: float = 5.0
    longest_poll_s: float = 120.0
    batch_limits: FileLimits = API_LIMITS
