"""PCDMs on Phoenix-2014T, from the corpus to the paper's table with our row.

    python pipelines/pcdm_phoenix14t.py CORPUS --work runs/pcdm/phoenix14t \\
        --set pcdm-prior:pretrained_prior=KANDINSKY pcdm-inpaint:autoencoder=SD pcdm-inpaint:pretrained_unet=SD \\
              pcdm-inpaint:pretrained_source_encoder=DINOV2 ...

Pairs, prior, inpainting, coarse images of all pairs, refining, every test clip from its first frame and its poses,
scores, table: each step goes on where it was stopped and is not repeated. `--configs configs/tiny` runs the same on a
small corpus in a minute or two.
"""

from phoenix14t import main

from signgen.systems.stages import PCDM_STAGES

if __name__ == "__main__":
    main(__doc__, "pcdm", PCDM_STAGES)
