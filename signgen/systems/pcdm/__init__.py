"""PCDMs: progressive conditional diffusion models, their pipeline, sizes, conversion and trainings."""
