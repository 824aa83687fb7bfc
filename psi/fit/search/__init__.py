"""Search over whole trainings: candidates, the losses they end at, and evolution of their constants."""
