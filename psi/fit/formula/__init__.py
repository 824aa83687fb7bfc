"""Formulas with constants: the table of curves, and how constants are fitted."""
