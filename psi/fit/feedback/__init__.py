"""Feedback found by search: weights of what a law does about the losses of its own run."""
