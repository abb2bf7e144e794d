"""FPDM: fusion-embedding pose-guided diffusion, its pipeline, sizes, conversion and trainings."""
