"""The reviews of a corpus that no run can use, each with its reason.

What belongs here: finding them from the folder and the texts in the warehouse. What does not: which reviews
count (review/people_grades.py).
"""

from functools import partial

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import Problem, WarehouseError
from relabel_assets.review.people_grades import people_grades
from relabel_assets.review.store import FOLDER, read_reviews
from relabel_assets.warehouse.warehouse import Warehouse


def review_problems(warehouse: Warehouse, folder: CorpusFolder) -> list[Problem]:
    """What `reference_labels` sets aside of people's reviews; before the first run, what no line may say."""
    reviews, max_grade = folder.path / FOLDER, folder.rubric.max_grade
    read = read_reviews(reviews, max_grade=max_grade)
    if read.frame.is_empty():
        return read.problems
    try:
        queries = warehouse.read("synthetic_queries", folder.name, columns=["query_id"])
        documents = warehouse.read("seed_docs", folder.name, columns=["doc_id"])
    except WarehouseError:  # it has commands of its own that report it
        return read.problems
    if queries.is_empty() or documents.is_empty():
        return read.problems
    texts = partial(warehouse.texts, folder.name)
    ids = {"query_ids": queries["query_id"], "doc_ids": documents["doc_id"]}
    return people_grades(reviews, max_grade=max_grade, texts=texts, **ids).problems
