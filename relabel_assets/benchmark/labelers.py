"""The labelers of a benchmark, in the order of its report.

What belongs here: their names, and those of their differences. What does not: their
grades (baselines.py, student/) and metrics (bootstrap.py).
"""

# The share of the teacher's grades that the student of a cascade knows. Not measured beyond a fifth: who
# can pay for more rarely needs a student.
CASCADES = {"cascade@5%": 0.05, "cascade@10%": 0.1, "cascade@20%": 0.2}
# The name of each paired difference: the labeler's metric minus the teacher's.
DIFFERENCES = {labeler: f"{labeler}-teacher" for labeler in ("student", *CASCADES)}
DIFFERENCE = DIFFERENCES["student"]
# With `calibrate: people`: each query by a calibration to people's grades of other queries.
PEOPLE = "student@people"
PEOPLE_DIFFERENCE = f"{PEOPLE}-student"
PEOPLE_LABELERS = (PEOPLE, PEOPLE_DIFFERENCE)
COMPARISONS = (*DIFFERENCES.values(), PEOPLE_DIFFERENCE)
# People themselves: the mean of their grades over the whole pool.
POOL_PEOPLE = "people"
LABELERS = ("teacher", "student", PEOPLE, *CASCADES, "base", "bm25", *COMPARISONS, POOL_PEOPLE)
# The slices and metrics of the whole pool, which people's sample with known chances is for.
POOL_SLICES = {"pool": "The whole pool", "new queries": "Queries like those of the pool"}
POOL_METRICS = ("ndcg@10", "precision@10", "kappa", "kappa_quadratic", "within_one", "mean_grade")
