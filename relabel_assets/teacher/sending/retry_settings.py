"""Waits before the next try or the next look, and the size of a batch.

What belongs here: settings that only tests change. What does not: what a corpus may set
(corpus/teacher_config.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FileLimits:
    """What one file of requests may hold; the Batch API's limits are 50,000 requests and 200 MB."""

    n_requests: int = 50_000
    n_bytes: int = 200_000_000


API_LIMITS = FileLimits()


@dataclass(frozen=True)
class RetrySettings:
    """Seconds, all but the last."""

    first_backoff_s: float = 0.5  # then doubled each time
    longest_backoff_s: float = 30.0
    longest_retry_after_s: float = 120.0  # an endpoint that asks for more is given up for this run
    probe_waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)  # a restart takes seconds: 15 in all
    first_poll_s: float = 5.0  # between looks at pending batches, 1.5 times longer each time
    longest_poll_s: float = 120.0
    batch_limits: FileLimits = API_LIMITS
