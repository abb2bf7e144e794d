import torch

from signgen.models.fusion import Combiner


def test_the_fusion_embedding_has_unit_norm() -> None:
    torch.manual_seed(0)
    combiner = Combiner(dim=8, projection=16, hidden=12).eval()
    fused = combiner(torch.randn(5, 8), torch.randn(5, 8))
    assert torch.allclose(fused.norm(dim=-1), torch.ones(5), atol=1e-6)


def test_the_balance_weighs_pose_against_image() -> None:
    combiner = Combiner(dim=4, projection=8, hidden=8).eval()
    torch.nn.init.zeros_(combiner.output.weight)
    torch.nn.init.zeros_(combiner.output.bias)
    image, pose = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0, 1.0, 0, 0]])
    for bias, expected in ((20.0, pose), (-20.0, image)):
        torch.nn.init.zeros_(combiner.balance[3].weight)
        torch.nn.init.constant_(combiner.balance[3].bias, bias)
        assert torch.allclose(combiner(image, pose), expected, atol=1e-4)
