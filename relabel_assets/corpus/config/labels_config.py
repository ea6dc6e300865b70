"""The sections `labels` and `costs` of a corpus.yaml: who grades label queries, and prices.

What belongs here: these settings, their defaults and bounds. What does not: how they are used
(labeling/), and the other sections (config.py, teacher_config.py, student_config.py).
"""

from pydantic import Field

from relabel_assets.corpus.config.settings import Settings


class LabelsConfig(Settings):
    """What the teacher is asked about queries with the split label. The student grades the rest."""

    # Not measured as a default: asking costs money, so nobody is asked unless somebody says so.
    ask: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "Share of the candidates of each query with the split label whose grades are asked of the "
            "teacher. The student chooses them, and grades the others knowing these. Grades that people "
            "gave, or that the ledger has, count toward the share. 0: nobody is asked."
        ),
        examples=[0.1],
    )
    budget_usd: float | None = Field(
        None,
        ge=0,
        description=(
            "Most US dollars to spend on queries with the split label over all runs. The budgets of "
            "the teacher hold too. Default: no other limit."
        ),
        examples=[2.0],
    )


class CostsConfig(Settings):
    """Prices that no table knows. With them the report compares the cost of all labelers."""

    person_usd_per_hour: float | None = Field(
        None,
        ge=0,
        description="What an hour of an assessor costs, in US dollars. Default: not known.",
        examples=[40.0],
    )
    machine_usd_per_hour: float | None = Field(
        None,
        ge=0,
        description=(
            "What an hour of the machine costs that the student runs on, in US dollars. Default: not known."
        ),
        examples=[0.2],
    )
