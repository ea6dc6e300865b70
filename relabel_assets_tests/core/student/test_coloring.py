"""The projection that documents give, held to its definition."""

import torch

from relabel_assets.core.student.base import base_path
from relabel_assets.core.student.coloring import coloring
from relabel_assets.core.student.encoder import load_encoder
from relabel_assets.core.student.read_document import read_documents


def test_coloring_is_a_power_of_the_covariance() -> None:
    draw = torch.Generator().manual_seed(3)
    vectors = torch.randn(500, 6, generator=draw) @ torch.randn(6, 6, generator=draw)
    found = coloring(vectors)
    assert found is not None
    covariance = torch.cov(vectors.double().T)
    values, directions = torch.linalg.eigh(covariance)
    wanted = directions * (values / values.mean()) ** 0.35 @ directions.T
    assert torch.allclose(found.double(), wanted, atol=1e-5)


def test_too_few_tokens_color_nothing() -> None:
    assert coloring(torch.randn(11, 6)) is None


def test_a_document_projected_is_as_an_encoder_with_that_projection_reads_it() -> None:
    encoder = load_encoder(base_path("embedded"), 64, "fp32")
    document = {"title": "Badges", "body": "Wear your badge. " * 60}
    (plain,) = read_documents(encoder, [document])
    encoder.projection = torch.diag(torch.linspace(0.5, 2.0, 384))
    (found,) = read_documents(encoder, [document])
    assert torch.allclose(plain.projected(encoder.projection).vectors, found.vectors, atol=1e-5)
    assert torch.allclose(plain.projected(encoder.projection).pooled, found.pooled, atol=1e-5)
    assert len(found.pooled) == len(found.lengths) == 3
