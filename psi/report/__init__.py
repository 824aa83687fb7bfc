"""Look: figures and a page, made from tables alone."""
