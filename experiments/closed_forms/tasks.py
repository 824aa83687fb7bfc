"""The training tasks of the shipped laws: scikit-learn's own data sets and synthetic families.

Nothing here is in psi.bench.suites, neither a data set (digits, iris, text, moons) nor a network
(CNN, transformer). Budgets, batches, sizes and initialisations differ as a user's do; tasks that
differ in their generator and their budget alone share their compiled programs.
"""

from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec

SMALL = Hyper(batch=8, width=64)
DEEP = Hyper(batch=64, depth=2, init_scale=1.5)
RESIDUAL = Hyper(batch=16, network="residual", width=16, normalised=True)
WIDE = Hyper(width=128)
BROAD = Hyper(depth=2, width=128)
TANH = Hyper(batch=16, width=16, activation="tanh", init_scale=0.5)


def _over(hyper: Hyper, epochs: int) -> Hyper:
    return Hyper(**{**vars(hyper), "epochs": epochs})


TRAINING: tuple[Spec, ...] = (
    Spec("breast_cancer", Hyper()),
    Spec("breast_cancer", _over(RESIDUAL, 10)),
    Spec("breast_cancer", WIDE),
    Spec("diabetes", Hyper()),
    Spec("diabetes", Hyper(epochs=40, batch=8, network="linear")),
    Spec("wine", Hyper()),
    Spec("wine", _over(TANH, 40)),
    Spec("wine", _over(BROAD, 10)),
    Spec("teacher-10", Hyper()),
    Spec("teacher-11", _over(Hyper(), 40)),
    Spec("teacher-12", _over(SMALL, 10)),
    Spec("teacher-13", _over(SMALL, 40)),
    Spec("teacher-14-fixed", Hyper(batch=16)),
    Spec("teacher-15", WIDE),
    Spec("gaussian_mixture-10", Hyper()),
    Spec("gaussian_mixture-11", _over(Hyper(), 10)),
    Spec("gaussian_mixture-12", _over(DEEP, 20)),
    Spec("gaussian_mixture-13", _over(DEEP, 40)),
    Spec("gaussian_mixture-14", _over(RESIDUAL, 20)),
    Spec("gaussian_mixture-15", _over(TANH, 20)),
    Spec("gaussian_mixture-16-fixed", Hyper(batch=16)),
    Spec("gaussian_mixture-17", Hyper(epochs=10, depth=2, width=64)),
    Spec("ill_conditioned-10", Hyper()),
    Spec("ill_conditioned-11", _over(Hyper(), 40)),
    Spec("ill_conditioned-12", Hyper(batch=8, network="linear")),
    Spec("ill_conditioned-13", Hyper(batch=64, network="mlp")),
    Spec("ill_conditioned-14-fixed", Hyper(batch=16)),
)
