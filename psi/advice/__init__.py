"""What is wrong with a training: its log read and diagnosed, a rate from a range test. No JAX."""
