"""What programs run on: devices, batch sizes, prefetching, worker processes, arithmetic and progress."""
