"""The scale of a law: log α_0 as a function of facts, fitted to an atlas of tuned schedules.

An atlas (`table`) says for every task what each rate of three plain schedules ends at. `facts` are
what is known of a task before training. `linear`, `network` and `symbolic` predict log α from them
so that the regret is least; every choice is made on domains left out whole (`left_out`, `choice`),
and what comes of it is `worth`, `knowledge`, `exponents`, `learning_curve`, `variance`, `tuning`,
on larger networks `extrapolation`, for shapes `forms`; `look` shows how best rates spread.
`fit.fit_scale` goes from an atlas to a `law`.
"""
