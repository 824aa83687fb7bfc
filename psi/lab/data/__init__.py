"""Data sets of records: what is asked for, trained, committed and read back."""
