"""Search over whole trainings: candidates, their final losses, their evolution."""
