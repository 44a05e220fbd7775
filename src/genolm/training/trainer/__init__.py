"""The training loop: steps, processes, sharding, checkpoints, schedule and logs."""
