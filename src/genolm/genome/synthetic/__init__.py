"""The parts that a simulated genome is drawn from."""
