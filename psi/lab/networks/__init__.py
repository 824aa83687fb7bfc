"""Networks that tasks train: a table by name, one file a kind."""
