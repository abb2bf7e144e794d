"""Training image-pose fusion (FPDM, stage 1): contrast fused embeddings with those of the target images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.models.base_weights import copy_weights, load_base
from signgen.models.conditions import fusion_embedding
from signgen.runtime.device import full_precision
from signgen.systems.fpdm.settings import FPDMSettings
from signgen.training.objective import Batch, Objective

OBJECTIVES = ("baseline", "source-enhanced")


@dataclass
class FusionSettings(FPDMSettings):
    """Stage 1 of FPDM."""

    pretrained_encoder: str = ""
    """Folder or hub id of a CLIP model, whose vision tower is started from; none: random weights."""
    objective: str = "source-enhanced"
    temperature: float = 0.07

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective not in OBJECTIVES:
            raise UserError(f"objective is {self.objective!r}; choose one of {', '.join(OBJECTIVES)}")


def contrastive_loss(targets: Tensor, fused: Tensor, temperature: float) -> Tensor:
    """InfoNCE in one direction: each target (B, D) finds its own fused embedding (B, D) (FPDM, baseline)."""
    # Poses of one signer differ in the third digit at first, which half precision rounds away.
    with full_precision(targets.device):
        logits = F.normalize(targets.float(), dim=-1) @ F.normalize(fused.float(), dim=-1).T / temperature
        return F.cross_entropy(logits, torch.arange(len(targets), device=targets.device))


def source_enhanced_loss(targets: Tensor, fused: Tensor, sources: Tensor, temperature: float) -> Tensor:
    """InfoNCE with the sources on both sides: targets are pushed from every source, so that the fused embedding does
    not collapse onto its own source (FPDM, source-enhanced objective)."""
    return contrastive_loss(torch.cat([targets, sources]), torch.cat([fused, sources]), temperature)


def retrieval_at_1(targets: Tensor, fused: Tensor) -> Tensor:
    """Share of targets (B, D) whose nearest fused embedding in the batch is their own."""
    with full_precision(targets.device):
        nearest = (F.normalize(targets.float(), dim=-1) @ F.normalize(fused.float(), dim=-1).T).argmax(dim=-1)
    return (nearest == torch.arange(len(targets), device=targets.device)).float().mean()


def gathered(embeddings: Tensor) -> Tensor:
    """The rows (B, D) of all processes, in their order, with gradients: several processes contrast what one would."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return embeddings
    return torch.cat(all_gather(embeddings))


class FusionObjective(Objective):
    """The shared image/pose tower and the Combiner, trained together.

    The published L1 term against the source (weight 1e-4) is left out: it compares with the wrong image.
    """

    whole_batch = True

    def __init__(self, settings: FusionSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings = settings
        self.size = sizes.image_size
        self.fusion = sizes.build_fusion()
        if weights and settings.pretrained_encoder:
            pretrained = load_base("pretrained_encoder", settings.pretrained_encoder)
            copy_weights(self.fusion.encoder, pretrained, "pretrained_encoder")
        if settings.gradient_checkpointing:
            self.fusion.encoder.activation_checkpointing_enable()

    def trainable(self) -> dict[str, nn.Module]:
        return {"fusion": self.fusion}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        count = len(batch["source"])
        frames = torch.cat([batch["source"], batch["target"], batch["pose"]])
        sources, targets, poses = fusion_embedding(self.fusion, frames).split(count)
        fused = self.fusion(sources, poses)
        if self.training:  # validation is the main process's alone
            # Each process has the whole loss: what its rows get back is the sum over processes, which the mean over
            # processes that follows makes the gradient of one.
            sources, targets, fused = gathered(sources), gathered(targets), gathered(fused)
        if self.settings.objective == "source-enhanced":
            loss = source_enhanced_loss(targets, fused, sources, self.settings.temperature)
        else:
            loss = contrastive_loss(targets, fused, self.settings.temperature)
        return {"loss": loss, "retrieval": retrieval_at_1(targets, fused)}

    def sample(self, batch: Batch) -> np.ndarray | None:
        return None

    def save(self, folder: Path) -> None:
        save_model(self.fusion, folder)
