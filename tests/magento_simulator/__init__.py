"""The simulated shop against the recordings of a real one."""
