"""Default bounds of learning rates by optimizer. Temporary."""

BOUNDS: tuple[tuple[str, tuple[float, float]], ...] = (
    ("sgd", (0.01, 6.0)),
    ("momentum", (0.001, 0.6)),
    ("momentum_ema", (0.01, 6.0)),
    ("nesterov", (0.001, 0.6)),
    ("adagrad", (1e-3, 1.0)),
    ("adadelta", (0.01, 10.0)),
    ("rmsprop", (1e-4, 0.3)),
    ("adam", (1e-4, 0.3)),
    ("adamw", (1e-4, 0.3)),
    ("sign", (1e-5, 0.1)),
)
