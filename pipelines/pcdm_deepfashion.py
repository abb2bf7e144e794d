"""PCDMs on DeepFashion In-shop, from the images to the paper's table with our row.

    python pipelines/pcdm_deepfashion.py DEEPFASHION --work runs/pcdm/deepfashion \\
        --set pcdm-prior:pretrained_prior=KANDINSKY pcdm-inpaint:autoencoder=SD pcdm-inpaint:pretrained_unet=SD \\
              pcdm-inpaint:pretrained_source_encoder=DINOV2 ...

The published pairs, prior, inpainting, the coarse images of all pairs, refining, every test pair, scores, table: each
step goes on where it was stopped and is not repeated. Images are made at 512x512, squashed, and scored at `--size`,
one sample a pair. `--configs configs/tiny` runs the same on a few images in a minute or two.
"""

import argparse
from pathlib import Path

from deepfashion import arguments_of, run, training_data

from signgen.systems.stages import PCDM_STAGES, train_stages


def train_all(arguments: argparse.Namespace, work: Path) -> Path:
    """The published pairs and all stages; returns the model."""
    return train_stages(arguments.configs, work, training_data(arguments, work), PCDM_STAGES)


if __name__ == "__main__":
    run(arguments_of(__doc__, "pcdm"), train_all)
