"""The columns of the table of imported labelers.

What belongs here: one class. What does not: the tables of our own labelers (schemas.py).
"""

import dataframely as dy

from relabel_assets.tables.columns import (
    corpus_column,
    expected_grade_column,
    grade_column,
    grade_probs_column,
    key_column,
)


class ImportedLabels(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    labeler = key_column("Who graded: the name of the file in labelers/, without its ending.")
    grade = grade_column("The labeler's grade.")
    expected_grade = expected_grade_column(
        "The grade to rank by; NULL if the file has none.", nullable=True
    )
    grade_probs = grade_probs_column(
        "Probability of each grade, from 0 up; NULL if the file has none.", nullable=True
    )
    model = dy.String(
        nullable=True, description="The model or the people, where the file names them."
    )
    prompt_hash = dy.String(nullable=True, description="The prompt, where the file has its hash.")
    request_key = dy.String(nullable=True, description="The request, where the file has its key.")
