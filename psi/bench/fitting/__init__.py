"""`psi bench fit`: whether fits find what is there, and what the shipped laws are worth."""
