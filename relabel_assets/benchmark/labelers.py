"""The labelers of a benchmark, in the order of its report.

What belongs here: their names, and those of their differences to the teacher. What does not: their
grades (baselines.py, student/) and metrics (bootstrap.py).
"""

# The share of the teacher's grades that the student of a cascade knows. Not measured beyond a fifth: who
# can pay for more rarely needs a student.
CASCADES = {"cascade@5%": 0.05, "cascade@10%": 0.1, "cascade@20%": 0.2}
# The name of each paired difference: the labeler's metric minus the teacher's.
DIFFERENCES = {labeler: f"{labeler}-teacher" for labeler in ("student", *CASCADES)}
DIFFERENCE = DIFFERENCES["student"]
LABELERS = ("teacher", "student", *CASCADES, "base", "bm25", *DIFFERENCES.values())
