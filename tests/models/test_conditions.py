import numpy as np
import torch

from signgen.models.conditions import fusion_embedding
from signgen.models.pixels import CLIP_STATISTICS, encoder_pixels
from signgen.systems.fpdm.pipeline import FPDMPipeline


def test_images_and_drawings_reach_the_fusion_encoder_in_one_framing(tiny_pipeline: FPDMPipeline) -> None:
    """What is at one place of image and drawing is at one place for the encoder, whatever their sizes: no crop."""
    side = tiny_pipeline.fusion.encoder.config.image_size
    for corner in [(slice(0, 0.1), slice(0, 0.1)), (slice(0.9, 1), slice(0.9, 1)), (slice(0, 0.1), slice(0.9, 1))]:
        places = []
        for height, width in ((110, 75), (256, 256), (260, 210)):
            frame = np.zeros((1, height, width, 3), np.uint8)
            rows, columns = (
                slice(round(part.start * extent), round(part.stop * extent))
                for part, extent in zip(corner, (height, width), strict=True)
            )
            frame[:, rows, columns] = 255
            pixels = encoder_pixels(torch.from_numpy(frame), (side, side), CLIP_STATISTICS)[0, 0]
            bright = (pixels > 0).nonzero().float()
            assert len(bright), "what is in a corner is not cut off"
            places.append(bright.mean(dim=0))
        assert torch.allclose(places[0], places[1], atol=0.6)
        assert torch.allclose(places[0], places[2], atol=0.6)


def test_the_fusion_encoder_sees_the_edges(tiny_pipeline: FPDMPipeline) -> None:
    frames = torch.zeros(2, 110, 75, 3, dtype=torch.uint8)
    frames[1, :8] = 255  # a head, that a centre crop would lose
    with torch.no_grad():
        plain, head = fusion_embedding(tiny_pipeline.fusion, frames)
    assert (plain - head).abs().max() > 1e-3
