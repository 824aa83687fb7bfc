"""The subcommands of psi, one frozen dataclass each: fields are options, `run` does it."""
