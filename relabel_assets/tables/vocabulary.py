"""The values that columns of tables allow, and the columns that other code names.

What belongs here: constants. What does not: the columns themselves (schemas.py).
"""

INTENTS = ("keyword", "navigational", "question", "metadata", "ambiguous", "messy")
# label: queries that only get labels. They teach nobody and measure nobody.
SPLITS = ("train", "dev", "benchmark", "label")
QUERY_SOURCES = ("provided", "synthetic")
CANDIDATE_SOURCES = ("bm25", "seed", "random", "judged", "dense", "run")
TEACHER_STATUSES = ("ok", "refused", "unparseable", "failed", "over_budget", "not_recorded")
FINISHED_STATUSES = ("ok", "not_recorded")  # the next run asks again about a pair of any other
# Of a grade whose document changed: the teacher saw the same passages, at the same or other offsets; or not.
CARRIED = ("kept", "moved", "stale")
FINAL_LABELERS = ("people", "teacher", "student")
REFERENCE_KINDS = ("human", "adjudicated", "not stated")
CALIBRATED_TO = ("teacher", "people")
STUDENT_ARCHITECTURES = ("late_interaction", "cross_encoder", "decoder")

# The columns of seed_docs with the document's own words. Hashes and prompts depend on their order:
# add a column at the end, never reorder.
DOCUMENT_METADATA = ("author", "path", "updated_at", "doc_type")
DOCUMENT_COLUMNS = ("title", "body", *DOCUMENT_METADATA)

# Marks a column that tells when, how fast or beside what a row was made. The content hash leaves it out,
# so that the same rows made again are not a change.
VOLATILE = {"is_volatile": True}

# A place under RELABEL_HOME. A warehouse from elsewhere must not name a file outside it.
PLACE = "^[^/.][^/]*(/[^/.][^/]*)*$"
