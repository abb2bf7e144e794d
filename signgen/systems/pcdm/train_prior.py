"""Training the prior of PCDMs (stage 1): find the target image's embedding."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import PriorTransformer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import CLIPVisionModelWithProjection

from signgen.data import PairDataset, open_corpus
from signgen.io.model_folder import save_model
from signgen.models.base_weights import load_base, load_image_encoder
from signgen.models.conditions import image_embedding, keep_rows
from signgen.models.pose_inputs import point_shares
from signgen.models.prior import PosePrior
from signgen.systems.pcdm.presets import PCDMPreset, pcdm_preset
from signgen.training.denoising import DenoisingObjective, DenoisingSettings, Drops, kept
from signgen.training.objective import Batch

# What of Kandinsky's prior fits: its projections are for other embeddings, its positions for other tokens.
REUSED = ("transformer_blocks.", "time_embedding.", "norm_out.", "prd_embedding")


@dataclass
class PriorDrops(Drops):
    """Drops of the prior's conditions, which become zeros. Sampling is not guided; drops keep the prior from using one
    condition alone."""

    source: float = 0.1
    source_pose: float = 0.1
    target_pose: float = 0.1


@dataclass
class PriorSettings(DenoisingSettings):
    """Stage 1 of PCDMs."""

    image_encoder: str = "???"
    """Folder or hub id of the CLIP model whose embeddings are predicted, or of a fusion model, whose tower is taken."""
    pretrained_prior: str = ""
    """Folder or hub id of Kandinsky 2.2's prior, whose blocks are started from; none: random weights."""
    measure_embeddings: bool = False
    """Measure mean and standard deviation of the training frames' embeddings: the model size's are of one encoder."""
    drop: PriorDrops = field(default_factory=PriorDrops)

    def sizes(self) -> PCDMPreset:
        return self.resized(pcdm_preset(self.model))


def load_reused(prior: PosePrior, pretrained: PriorTransformer) -> None:
    """Start a prior from another's blocks."""
    state = {name: value for name, value in pretrained.state_dict().items() if name.startswith(REUSED)}
    prior.transformer.load_state_dict(state, strict=False)


@torch.no_grad()
def embedding_statistics(
    encoder: CLIPVisionModelWithProjection, settings: PriorSettings, size: tuple[int, int], frames: int = 256
) -> tuple[float, float]:
    """Mean and standard deviation over the embeddings of so many of the training's target images."""
    corpus = open_corpus(settings.data.roots, settings.data.split)
    dataset = PairDataset(corpus, size, frames, settings.seed, augmentation=settings.data.augmentation)
    loader = DataLoader(dataset, batch_size=32)
    embeddings = torch.cat([image_embedding(encoder, batch["target"]) for batch in loader])
    return float(embeddings.mean()), float(embeddings.std())


class PriorObjective(DenoisingObjective):
    """Prediction of the target image's embedding itself from a noisy one, the source's embedding and both poses."""

    source_pose = True
    settings: PriorSettings

    def __init__(self, settings: PriorSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings, self.sizes, self.size = settings, sizes, sizes.image_size
        self.image_encoder = (
            load_image_encoder(settings.image_encoder, sizes.image_encoder) if weights else sizes.build_image_encoder()
        )
        self.prior = sizes.build_prior()
        if weights and settings.pretrained_prior:
            load_reused(self.prior, load_base("pretrained_prior", settings.pretrained_prior))
        if settings.gradient_checkpointing:
            self.prior.enable_checkpointing()
        self.scheduler = sizes.build_prior_scheduler()
        self.set_noised_shape((1, sizes.image_encoder["projection_dim"]))
        if weights and settings.measure_embeddings:
            mean, std = embedding_statistics(self.image_encoder, settings, self.size)
            self.prior.register_to_config(embedding_mean=mean, embedding_std=std)

    def trainable(self) -> dict[str, nn.Module]:
        return {"prior": self.prior}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            sources = image_embedding(self.image_encoder, batch["source"])
            targets = image_embedding(self.image_encoder, batch["target"]).float()
        data, noise = self.prior.normalised(targets), self.noise(batch["noise"]).squeeze(1)
        timesteps = self.timesteps(batch["uniform"][:, 0])
        keep_source, keep_source_pose, keep_target_pose = kept(self.settings.drop, batch["uniform"])
        tokens = self.prior.pose_tokens(
            keep_rows(point_shares(batch["source_keypoints"], self.size), keep_source_pose),
            keep_rows(point_shares(batch["keypoints"], self.size), keep_target_pose),
        )
        noisy = self.scheduler.add_noise(data, noise, timesteps)
        prediction = self.prior(noisy, timesteps, keep_rows(sources, keep_source), tokens).float()
        values = self.denoising_loss(prediction, self.target(data, noise, timesteps))
        similarity = F.cosine_similarity(self.prior.restored(prediction.detach()), targets).mean()
        return values | {"cosine_similarity": similarity}

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray | None:
        return None

    def save(self, folder: Path) -> None:
        save_model(self.prior, folder)
