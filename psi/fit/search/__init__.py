"""Search on whole trainings: candidates, what they end at, and where evolution takes them."""
