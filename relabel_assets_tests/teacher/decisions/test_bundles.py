"""Which questions share a request."""

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import decisions_prompt
from relabel_assets.teacher.decisions.bundles import Asked, Bundler
from relabel_assets.teacher.decisions.decision_requests import joined
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.requests import Outgoing, TeacherRequest, estimate_tokens
from relabel_assets_tests.builders import crossed_pairs, numbered_request


def bundles_of(requests: list[TeacherRequest], bundler: Bundler) -> list[list[int]]:
    """The positions in each bundle."""
    complete = [
        bundle
        for position, request in enumerate(requests)
        for bundle in bundler.add(Asked(position, Outgoing.of(request)))
    ]
    return [[asked.position for asked in bundle] for bundle in [*complete, *bundler.rest()]]


def questions(pairs: pl.DataFrame, **settings: object) -> GradingQuestions:
    config = TeacherConfig(api="decisions", model="m", **settings)  # type: ignore[arg-type]
    return GradingQuestions(pairs, config, default_rubric(), decisions_prompt())


def test_pairs_of_a_document_share_a_request_whatever_their_order() -> None:
    asked = questions(crossed_pairs(3, 4))  # query by query
    assert [len(bundle) for bundle in bundles_of(list(asked), Bundler(400))] == [4, 4, 4]
    assert sorted(asked.positions) == list(range(12)) and list(asked.positions)[:4] == [0, 3, 6, 9]


def test_a_bundle_has_at_most_so_many_questions() -> None:
    requests = list(questions(crossed_pairs(1, 7)))
    assert bundles_of(requests, Bundler(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert bundles_of(requests, Bundler(1)) == [[n] for n in range(7)]


def test_a_bundle_has_at_most_so_many_tokens() -> None:
    requests = list(questions(crossed_pairs(1, 10)))
    whole = joined([Outgoing.of(request) for request in requests]).prompt_tokens
    first = Outgoing.of(requests[0]).prompt_tokens
    middle = (whole + first) // 2
    sizes = [len(bundle) for bundle in bundles_of(requests, Bundler(400, max_tokens=middle))]
    assert sum(sizes) == 10 and 4 <= sizes[0] <= 6
    # Exactly so many are allowed.
    shared = estimate_tokens(requests[0].body()["input"])
    exact = shared + sum(Outgoing.of(request).prompt_tokens - shared for request in requests)
    assert bundles_of(requests, Bundler(400, max_tokens=exact)) == [list(range(10))]
    assert len(bundles_of(requests, Bundler(400, max_tokens=exact - 1))) == 2
    # One question may always be asked, however long its document is.
    assert bundles_of(requests, Bundler(400, max_tokens=1)) == [[n] for n in range(10)]


def test_the_models_of_a_panel_have_bundles_of_their_own() -> None:
    requests = list(questions(crossed_pairs(1, 3), panel=["other"]))
    assert bundles_of(requests, Bundler(400)) in ([[0, 2, 4], [1, 3, 5]], [[1, 3, 5], [0, 2, 4]])


def test_a_long_document_that_is_cut_by_the_query_is_not_shared() -> None:
    body = "\n\n".join(f"Passage about subject {n}. " * 30 for n in range(20))
    pairs = crossed_pairs(1, 3).with_columns(
        body=pl.lit(body), text=pl.Series(["subject 3", "subject 7", "subject 7 please"])
    )
    requests = list(questions(pairs, max_document_tokens=500))
    assert bundles_of(requests, Bundler(400)) == [[0], [1, 2]]


def test_chat_requests_are_alone() -> None:
    requests = [numbered_request(n).request for n in range(3)]
    assert bundles_of(requests, Bundler(400)) == [[0], [1], [2]]
