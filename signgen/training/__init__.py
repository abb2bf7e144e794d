"""What every training shares: the loop, its state, settings, losses, log and memory estimate."""
