"""The samples of a training, and those that it is validated on."""

from pathlib import Path

from torch.utils.data import DataLoader

from signgen.data import PairDataset, open_corpus
from signgen.data.pair_lists import read_pair_list
from signgen.training.objective import Batch, Objective
from signgen.training.settings import TrainingSettings

VALIDATED = 64  # samples of a batch at most: validation is to be short


def training_set(objective: Objective, settings: TrainingSettings) -> PairDataset:
    """All samples of a run, in their order: those of step n begin at n x batch_size."""
    data = settings.data
    corpus = open_corpus(data.roots, data.split)
    return PairDataset(
        corpus,
        size=objective.size,
        length=settings.steps * settings.batch_size,
        seed=settings.seed,
        augmentation=data.augmentation,
        noise_shape=(objective.noise_count,),
        preload=data.preload,
        triples=read_pair_list(Path(data.pairs), corpus) if data.pairs else None,
        source_pose=objective.source_pose,
        coarse=objective.coarse,
    )


def validation_batches(objective: Objective, settings: TrainingSettings, device_batch: int) -> list[Batch]:
    """A fixed set of pairs of the dev split, the same at every validation of every run, taken `device_batch` at a time;
    one process contrasts as many with one another as several do."""
    if not settings.validation:
        return []
    whole = min(settings.batch_size, VALIDATED)
    dataset = PairDataset(
        open_corpus(settings.validation, "dev"),
        size=objective.size,
        length=4 * whole,
        seed=0,
        noise_shape=(objective.noise_count,),
        source_pose=objective.source_pose,
    )
    return list(DataLoader(dataset, batch_size=whole if objective.whole_batch else min(device_batch, whole)))
