"""The closed forms of version 0.1.0."""
