"""Dagster runs whose process has ended, for tests of what a killed run leaves behind.

What belongs here: such runs. What does not: assertions.
"""

import socket
import subprocess
import sys

import dagster as dg

from relabel_assets.running.dagster_state import HOST_TAG, PROCESS_TAG


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return ended.pid


def started_run(run_id: str, process: int) -> dg.DagsterRun:
    tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(process)}
    return dg.DagsterRun(
        job_name="__ASSET_JOB", run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED
    )
