"""The engine: policies × seeds trained on a task in one compiled program."""
