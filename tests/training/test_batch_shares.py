import pytest

from signgen.errors import UserError
from signgen.systems.fpdm.train_autoencoder import AutoencoderObjective
from signgen.systems.fpdm.train_fusion import FusionObjective
from signgen.training.batch_shares import BatchShares, share_batch
from signgen.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("batch", "device_batch", "processes", "expected"),
    [
        (8, 0, 1, BatchShares(1, 1, 8)),
        (8, 0, 4, BatchShares(4, 1, 2)),
        (126, 42, 1, BatchShares(1, 3, 42)),
        (126, 42, 3, BatchShares(3, 1, 42)),
        (20, 4, 2, BatchShares(2, 5, 2)),  # 10 each: 4 at a time would leave some over
    ],
)
def test_processes_share_one_batch(batch: int, device_batch: int, processes: int, expected: BatchShares) -> None:
    settings = TrainingSettings(batch_size=batch, device_batch=device_batch)
    assert share_batch(settings, processes, AutoencoderObjective) == expected


def test_what_cannot_be_shared_is_an_error() -> None:
    with pytest.raises(UserError, match="a batch of 126 cannot be shared evenly by 8 processes"):
        share_batch(TrainingSettings(batch_size=126), 8, AutoencoderObjective)
    with pytest.raises(UserError, match="contrasts all 48 samples of a step: a device must take its 24 at a time"):
        share_batch(TrainingSettings(batch_size=48, device_batch=12), 2, FusionObjective)
    assert share_batch(TrainingSettings(batch_size=48, device_batch=12), 4, FusionObjective).accumulation == 1
