import pytest
import torch

from signgen.errors import UserError
from signgen.metrics import Retrieval, retrieval_ranks


def test_own_embeddings_are_found_first() -> None:
    embeddings = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    assert retrieval_ranks(embeddings * 3, embeddings).tolist() == [1] * 50


def test_ranks_by_hand() -> None:
    candidates = torch.tensor([[1.0, 0], [0, 1], [1, 1], [-1, 0]])
    queries = torch.tensor([[2.0, 0.1], [1, 0.9]])
    assert retrieval_ranks(queries, candidates).tolist() == [1, 3]  # the second: (1, 1), (1, 0), then (0, 1)


def test_random_embeddings_are_at_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, candidates = torch.randn(2, 2000, 16, generator=generator)
    ranks = retrieval_ranks(queries, candidates).double()
    assert ranks.mean() == pytest.approx(1000.5, abs=4 * 577 / 2000**0.5)


def test_constant_embeddings_are_last() -> None:
    assert retrieval_ranks(torch.ones(5, 3), torch.ones(5, 3)).tolist() == [5] * 5


def test_batches_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(70, 8, generator=generator)
    queries = targets + torch.randn(70, 8, generator=generator)
    found = []
    for batches in (1, 2, 7):
        metric = Retrieval()
        for pair in zip(queries.chunk(batches), targets.chunk(batches), strict=True):
            metric.update(*pair)
        found.append({name: float(value) for name, value in metric.compute().items()})
    assert found[0] == found[1] == found[2]
    assert 0.2 < found[0]["r@1"] < found[0]["r@3"] < found[0]["r@5"] < 1


def test_shapes_are_checked() -> None:
    with pytest.raises(UserError, match=r"must be \(N, D\) and \(M, D\)"):
        retrieval_ranks(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(UserError, match="3 queries need as many candidates, there are 2"):
        retrieval_ranks(torch.ones(3, 3), torch.ones(2, 3))
    with pytest.raises(UserError, match="differ in shape"):
        Retrieval().update(torch.ones(3, 3), torch.ones(2, 3))
