"""A thousand small tasks, and what plain schedules of every rate come to on them.

`description.Description` is a task in under 1 kB; `distribution.describe` draws them;
`data` makes the arrays; `training` trains many rates on one in a program that tasks share, on an
accelerator `together` those of many; `parts` keeps what is trained, `collect` the plain schedules,
`forms` other shapes; `tables` sums it up.
"""
