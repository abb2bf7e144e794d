"""What holds for every averaged metric: batches and processes add up, wrong input is an error."""

import os
import socket

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import METRICS, PSNR, AveragedMetric

FRAME_BY_FRAME = ["ssim", "ssim-51", "psnr", "hand-ssim"]


def score(metric: AveragedMetric, batches: int, *frames: Tensor) -> dict[str, float]:
    for batch in zip(*(tensor.chunk(batches) for tensor in frames), strict=True):
        metric.update(*batch)
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.mark.parametrize("name", FRAME_BY_FRAME)
def test_batches_do_not_matter(name: str, noisy: Tensor, reference: Tensor, keypoints: Tensor) -> None:
    one, two, seven = (score(METRICS[name](), n, noisy, reference, keypoints) for n in (1, 2, 7))
    assert two == pytest.approx(one, rel=1e-6)
    assert seven == pytest.approx(one, rel=1e-6)


def test_reset_forgets(noisy: Tensor, reference: Tensor) -> None:
    metric = PSNR()
    metric.update(noisy, reference)
    metric.reset()
    assert not metric.total.any()
    assert not metric.count.any()


def _half(rank: int, port: int, frames: tuple[Tensor, ...], results: list) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    cut = 5  # uneven on purpose
    mine = [tensor[:cut] if rank == 0 else tensor[cut:] for tensor in frames]
    results[rank] = {name: score(METRICS[name](), 2, *mine) for name in FRAME_BY_FRAME}
    torch.distributed.destroy_process_group()


@pytest.mark.slow  # two fresh processes import torch
def test_two_processes_give_what_one_gives(noisy: Tensor, reference: Tensor, keypoints: Tensor) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    frames = (noisy, reference, keypoints)
    with torch.multiprocessing.Manager() as manager:
        results = manager.list([None, None])
        torch.multiprocessing.spawn(_half, args=(port, frames, results), nprocs=2)
        for name in FRAME_BY_FRAME:
            alone = pytest.approx(score(METRICS[name](), 1, *frames), rel=1e-6)
            assert results[0][name] == alone
            assert results[1][name] == alone


def test_frames_of_another_type_or_shape_are_errors(reference: Tensor) -> None:
    with pytest.raises(UserError, match=r"generated frames must be uint8 .* not torch.float32"):
        PSNR().update(reference.float(), reference)
    with pytest.raises(UserError, match="reference frames must be uint8"):
        PSNR().update(reference, reference[0])
    with pytest.raises(UserError, match=r"have the shape \(13, .* reference frames \(14, "):
        PSNR().update(reference[1:], reference)
