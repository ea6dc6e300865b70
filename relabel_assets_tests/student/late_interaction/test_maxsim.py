"""Late-interaction scores by hand, and the parameters that training changes."""

from pathlib import Path

import pytest
import torch

from relabel_assets.student.late_interaction.maxsim import QueryScorer, truncated
from relabel_assets.student.late_interaction.query_learner import QueryEncoderLearner
from relabel_assets.student.runtime.encoder import load_encoder
from relabel_assets.student.training.fit import GradedQuery
from relabel_assets.student.training.losses import ranking_loss
from relabel_assets_tests.student.tiny_models import save_encoder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("base"), "bert")


def scorer(base: Path) -> QueryScorer:
    return QueryScorer(load_encoder(str(base), max_length=16, precision="fp32"))


def test_a_score_is_the_weighted_sum_of_maximum_cosines(base: Path) -> None:
    query, weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.75, 0.25])
    document = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    scores = scorer(base).scores(query, weights, [document, document[:1]])
    expected = [0.75 * 1.0 + 0.25 * 0.8, 0.75 * 0.6 + 0.25 * 0.8]
    assert scores.tolist() == pytest.approx(expected)
    assert scorer(base).pair_score((query, weights), document) == pytest.approx(expected[0])


@pytest.mark.parametrize(
    ("n", "expected"), [(3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 4]), (9, [0, 1, 2, 8])]
)
def test_a_query_of_more_tokens_than_max_length_is_cut_before_its_last(
    n: int, expected: list[int]
) -> None:
    assert truncated(list(range(n)), max_length=4) == expected


def test_untrained_weights_are_equal_and_trained_ones_follow_the_token_weight(base: Path) -> None:
    one = scorer(base)
    vectors, weights = one.encode_query_tokens(["parental leave rules"])[0]
    assert weights.tolist() == pytest.approx([1 / len(vectors)] * len(vectors))
    one.token_weight.data = 3 * vectors[1]
    _, weights = one.encode_query_tokens(["parental leave rules"])[0]
    assert weights.argmax() == 1
    assert weights.sum().item() == pytest.approx(1.0)


def test_a_batch_of_queries_is_encoded_as_each_alone_in_order(base: Path) -> None:
    one, texts = scorer(base), ["travel expenses of last year", "leave", "visitor badges"]
    together = one.encode_query_tokens(texts)
    for text, (vectors, weights) in zip(texts, together, strict=True):
        alone_vectors, alone_weights = one.encode_query_tokens([text])[0]
        assert torch.allclose(vectors, alone_vectors, atol=1e-5)
        assert torch.allclose(weights, alone_weights, atol=1e-5)


def test_the_loss_is_the_mean_ranking_loss_of_20_times_the_scores(base: Path) -> None:
    one = scorer(base)
    vectors = {f"d{n}": torch.nn.functional.normalize(torch.randn(3, 32), dim=-1) for n in range(3)}
    queries = [
        GradedQuery("parental leave", ["d0", "d1"], torch.tensor([3.0, 0.0])),
        GradedQuery("laptop", ["d2", "d0"], torch.tensor([1.0, 2.0])),
    ]
    losses = []
    for query in queries:
        encoded = one.encode_query_tokens([query.text])[0]
        scores = torch.tensor([one.pair_score(encoded, vectors[d]) for d in query.documents])
        losses.append(ranking_loss(20 * scores, query.grades).item())
    learner = QueryEncoderLearner(one, 1e-4, vectors)
    assert learner.loss(queries).item() == pytest.approx(sum(losses) / 2, abs=1e-4)


def test_word_embeddings_are_frozen_and_token_weights_have_their_own_learning_rate(
    base: Path,
) -> None:
    one = scorer(base)
    encoder, token_weight = QueryEncoderLearner(one, 1e-4, {}).groups()
    names = {id(p): name for name, p in one.named_parameters()}
    learned = {names[id(p)] for p in encoder["params"]}
    assert learned and not any(".embeddings." in name for name in learned)
    assert {name for name, p in one.named_parameters() if not p.requires_grad} == {
        name for name in names.values() if ".embeddings." in name
    }
    assert [names[id(p)] for p in token_weight["params"]] == ["token_weight"]
    assert (encoder["lr"], token_weight["lr"]) == (1e-4, 3e-2)
