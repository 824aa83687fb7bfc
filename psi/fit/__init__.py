"""From ideal rates to a law: a closed form and a network."""
