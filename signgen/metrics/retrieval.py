"""Retrieval by fusion embeddings: how often the target is the nearest of all candidates (FPDM's stage-1 table)."""

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

from signgen.errors import UserError

BLOCK = 1024  # queries compared at a time


def retrieval_ranks(queries: Tensor, candidates: Tensor) -> Tensor:
    """Rank of each query's own candidate, by cosine similarity, counted from 1.

    Args:
        queries: float (N, D), the fused embeddings.
        candidates: float (M, D), M >= N; candidate i belongs to query i, the others are distractors.

    Returns:
        int64 (N,). A tie counts against the query, so that constant embeddings do not look perfect.

    Raises:
        UserError: the shapes do not fit.
    """
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise UserError(f"embeddings must be (N, D) and (M, D), not {(*queries.shape,)} and {(*candidates.shape,)}")
    if not 0 < len(queries) <= len(candidates):
        raise UserError(f"{len(queries)} queries need as many candidates, there are {len(candidates)}")
    queries, candidates = (functional.normalize(e.double(), dim=1) for e in (queries, candidates))
    ranks = []
    for start in range(0, len(queries), BLOCK):
        similarity = queries[start : start + BLOCK] @ candidates.T
        own = similarity.diagonal(start)[:, None]
        ranks.append((similarity >= own - 1e-12).sum(1))
    return torch.cat(ranks)


class Retrieval(Metric):
    """R@1, R@3, R@5 and the average rank of each query's target among all targets of all updates and processes."""

    full_state_update = False
    queries: list[Tensor]
    candidates: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("queries", [], dist_reduce_fx="cat")
        self.add_state("candidates", [], dist_reduce_fx="cat")

    def update(self, queries: Tensor, candidates: Tensor) -> None:
        """Take in float (N, D) twice; row i of `candidates` is the target of row i of `queries`."""
        if queries.shape != candidates.shape:
            raise UserError(f"embeddings differ in shape: {(*queries.shape,)} and {(*candidates.shape,)}")
        self.queries.append(queries)
        self.candidates.append(candidates)

    def compute(self) -> dict[str, Tensor]:
        # After a sum over processes torchmetrics leaves one tensor in place of the list.
        both = (torch.cat(e) if isinstance(e, list) else e for e in (self.queries, self.candidates))
        ranks = retrieval_ranks(*both).double()
        recalls = {f"r@{k}": (ranks <= k).double().mean() for k in (1, 3, 5)}
        return recalls | {"average-rank": ranks.mean()}
