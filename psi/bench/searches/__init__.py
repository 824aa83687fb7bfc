"""Searches for a schedule by whole trainings: what a person gets who spends n of them on the task.

A search proposes points (psi.bench.searches.space), is told the final validation loss of one
training at each, and ends with its best trial. There is one independent search for each scoring
seed, and its trials have seeds that nothing is scored on. The searches (psi.bench.searches.methods)
know only points and losses; psi.bench.searches.objective trains. psi.bench.searches.stagewise
searches stage by stage within one training instead.
"""
