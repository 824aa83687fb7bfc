"""The suites: which tasks laws are fitted on, chosen on and judged on, as committed lists.

* `train` (laws and calibrated schedules may be fitted on it), `validation` (searches may choose by
  it), `sealed` (nothing is ever fitted, tuned or chosen on it), `smoke` (a minute, to see that the
  judge works). No data set, text or generator family of one is in another: each is marked with its
  suite in psi/lab/tasks/carried.csv.
* A run on `sealed` has an entry in the ledger before it begins (psi.bench.suites.ledger): whoever
  looks twice, says so.

The lists are drawn once by `python -m experiments.suites` and then stand.
"""

from psi.bench.suites.suite import NAMES, Suite, sealed, suite

__all__ = ["NAMES", "Suite", "sealed", "suite"]
