"""The shipped closed forms."""
