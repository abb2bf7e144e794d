"""What is read from and written to disk beside frames and poses: settings, models, checkpoints, provenance."""
