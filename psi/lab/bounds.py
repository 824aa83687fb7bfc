"""Default bounds of the learning rate by optimizer, readable without any library.

The lower one learns too little in 20 epochs, the upper one is near or past the edge of stability
on most tasks: a sweep needs both sides of what is best. From constant rates over [1e-5, 10] on
small tasks of the lab: SGD is best at 0.5 to 2. The others by how large their update u is:

* heavy ball and Nesterov with 0.9 add up ten gradients, hence a tenth; an average of gradients
  (`momentum_ema`) is as large as a gradient (Sutskever et al. 2013, ICML);
* adam, adamw, rmsprop and sign move each coordinate by about α a step;
* adagrad divides by the root of a sum that grows, hence ten times adam's and more;
* adadelta has its own scale and is meant for α = 1 (Zeiler 2012, arXiv 1212.5701); it starts so
  slowly that few epochs want more.
"""

BOUNDS: tuple[tuple[str, tuple[float, float]], ...] = (
    ("sgd", (0.01, 6.0)),
    ("momentum", (0.001, 0.6)),
    ("momentum_ema", (0.01, 6.0)),
    ("nesterov", (0.001, 0.6)),
    ("adagrad", (0.003, 3.0)),
    ("adadelta", (0.1, 10.0)),
    ("rmsprop", (1e-4, 0.3)),
    ("adam", (1e-4, 0.3)),
    ("adamw", (1e-4, 0.3)),
    ("sign", (1e-4, 0.1)),
)
"""(optimizer, (low, high)), within [1e-5, 10]."""
