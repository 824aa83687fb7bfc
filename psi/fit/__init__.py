"""From ideal rates to a law: a closed form or a network."""
