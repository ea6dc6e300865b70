"""The origin of a run of `relabel run`: the code location that the UI lists it under.

What belongs here: naming that code location. What does not: starting runs (runner.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

# The name that Dagster gives to `-m relabel_assets.definitions`, as in workspace.yaml and deploy/.
CODE_LOCATION = "relabel_assets.definitions"


@contextmanager
def with_origin(instance: dg.DagsterInstance, job: str) -> Iterator[None]:
    """Runs that are created in this block have the origin of `job` in the code location.

    `execute_in_process` creates runs without one. The UI's timeline leaves those out, and so does the
    sensor on failed runs.
    """
    location = RegisteredCodeLocationOrigin(CODE_LOCATION)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME), job)
    create = instance.create_run_for_job
    instance.create_run_for_job = partial(create, remote_job_origin=origin)  # type: ignore[method-assign]
    try:
        yield
    finally:
        instance.create_run_for_job = create  # type: ignore[method-assign]
