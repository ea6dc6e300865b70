"""One tick of the folder sensor, with the effects that Dagster's daemon gives it.

What belongs here: that tick, for tests of partitions and of automation. What does not: their
assertions.
"""

import dagster as dg

from relabel_assets.graph import partitions
from relabel_assets.graph.project import Project
from relabel_assets.warehouse.warehouse import Warehouse


def look_at_folders(instance: dg.DagsterInstance, cursor: str | None) -> tuple[dict[str, str], str]:
    """One tick: the data version of each folder that changed, and the cursor for the next."""
    project = Project.from_environment()
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"project": project, "warehouse": Warehouse.at(project.home.warehouse)},
    )
    result = partitions.corpus_folders(context)
    assert isinstance(result, dg.SensorResult) and result.cursor and not result.run_requests
    for request in result.dynamic_partitions_requests or []:
        instance.add_dynamic_partitions("corpus", list(request.partition_keys))
    for event in result.asset_events or []:
        instance.report_runless_asset_event(event)
    return {
        str(event.partition): event.tags["dagster/data_version"]
        for event in result.asset_events or []
        if isinstance(event, dg.AssetObservation)
    }, result.cursor
