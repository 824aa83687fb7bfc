"""Small described tasks, one of each kind of network, for the tests of this room."""

from psi.atlas.description import Description

TASKS = {
    "linear": Description(
        "ill_conditioned", 1, rows=150, inputs=5, network="linear", batch=40, epochs=4, noise=0.1
    ),
    "mlp": Description(
        "teacher", 2, rows=170, inputs=5, classes=3, width=7, depth=3, batch=40, epochs=3,
        activation="gelu", normalised=True,
    ),
    "residual": Description(
        "teacher", 8, rows=70, inputs=5, classes=3, network="residual", width=7, depth=2, batch=20,
        epochs=3, activation="gelu", normalised=True,
    ),
    "cnn": Description(
        "images", 3, rows=60, inputs=64, classes=3, network="cnn", width=3, batch=20, epochs=2,
        activation="tanh", normalised=True,
    ),
    "embedding": Description(
        "markov", 4, inputs=3, classes=9, network="embedding", width=11, depth=1, batch=6,
        steps_per_epoch=3, epochs=2,
    ),
    "gru": Description(
        "markov", 5, inputs=9, classes=7, network="gru", width=6, batch=6, steps_per_epoch=3,
        epochs=2,
    ),
    "lstm": Description(
        "markov", 6, inputs=9, classes=7, network="lstm", width=6, depth=2, batch=6,
        steps_per_epoch=3, epochs=2,
    ),
    "transformer": Description(
        "markov", 7, inputs=9, classes=7, network="transformer", width=6, depth=2, batch=6,
        steps_per_epoch=3, epochs=2, activation="gelu",
    ),
}  # fmt: skip
