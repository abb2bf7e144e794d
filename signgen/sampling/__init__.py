"""Solvers, guidance and noise: sampling as functions over a denoiser."""
