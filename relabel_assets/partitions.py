"""The partition key: one dynamic partition per corpus folder, and the sensor that finds new folders.

What belongs here: which corpora Dagster knows. What does not: reading a corpus (resources/corpora.py).
"""

import dagster as dg

from relabel_assets.resources.project import Project

CORPORA = dg.DynamicPartitionsDefinition(name="corpus")


def add_partitions(instance: dg.DagsterInstance, corpora: list[str]) -> list[str]:
    """Make every name of `corpora` a partition; the new ones are returned. A folder that went away keeps its partition."""
    known = set(instance.get_dynamic_partitions("corpus"))
    new = [name for name in corpora if name not in known]
    if new:
        instance.add_dynamic_partitions("corpus", new)
    return new


@dg.sensor(
    name="corpus_folders",
    description="Makes a partition of every new folder under RELABEL_DATA. It starts no run.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def corpus_folders(context: dg.SensorEvaluationContext, project: Project) -> dg.SensorResult | dg.SkipReason:
    corpora = project.corpora()
    known = set(context.instance.get_dynamic_partitions("corpus"))
    new = [name for name in corpora.names() if name not in known]
    refused = " ".join(str(problem) for problem in corpora.refused())
    if not new:
        return dg.SkipReason(f"No new corpus folder. {refused}".strip())
    if refused:
        context.log.warning(refused)
    return dg.SensorResult(dynamic_partitions_requests=[CORPORA.build_add_request(new)])
