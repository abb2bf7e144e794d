import torch

from signgen.models.positions import sinusoidal_grid
from signgen.systems.fpdm.presets import preset


def test_neighbours_resemble_each_other_and_no_two_places_are_alike() -> None:
    grid = sinusoidal_grid(96, 33, 27).flatten(1).T
    similarity = torch.nn.functional.cosine_similarity(grid[:, None], grid[None], dim=-1)
    assert similarity.fill_diagonal_(-1).max() < 0.999
    assert similarity[0, 1] > similarity[0, 4]  # one column away, four columns away
    assert similarity[0, 27] > similarity[0, 4 * 27]  # one row away, four rows away


def test_grids_of_different_resolution_agree_on_places() -> None:
    fine, coarse = sinusoidal_grid(32, 32, 16), sinusoidal_grid(32, 16, 8)
    assert torch.allclose(fine[:, ::2, ::2], coarse, atol=1e-5)


def test_an_untrained_source_encoder_knows_its_places() -> None:
    encoder = preset("tiny").build_source_encoder()
    assert encoder.embeddings.position_embeddings[0, 1:].std() > 0.5
    assert encoder.embeddings.position_embeddings.requires_grad
