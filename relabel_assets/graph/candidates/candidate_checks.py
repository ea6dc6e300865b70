"""Asset checks of the candidates: whether queries find documents.

What belongs here: these checks. What does not: what candidates are chosen by (candidate_inputs.py),
and the checks of every table's rows (graph/checks/checks.py).
"""

import dagster as dg

from relabel_assets.graph.candidates.candidate_inputs import finding_nothing
from relabel_assets.graph.checks.check_results import Results, check_results
from relabel_assets.graph.checks.checks import WARN, check_specs
from relabel_assets.warehouse.warehouse import Warehouse


@dg.multi_asset_check(
    specs=check_specs(
        "bm25_candidates",
        queries_find_documents="BM25 finds a document for more than half of the queries. Where it finds "
        "none, the candidates are random documents, and a teacher is paid to grade them.",
    )
)
def queries_find_documents(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    def find(corpus: str) -> list[str]:
        candidates = warehouse.read("bm25_candidates", corpus, columns=["query_id", "bm25_score"])
        queries = warehouse.read("synthetic_queries", corpus, columns=["query_id"])
        return finding_nothing(candidates, queries["query_id"].to_list())

    check = "queries_find_documents"
    yield from check_results(context, "bm25_candidates", check, find, severity=WARN)


CANDIDATE_CHECKS: list[dg.AssetChecksDefinition] = [queries_find_documents]
