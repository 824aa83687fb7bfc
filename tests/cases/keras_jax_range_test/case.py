import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np, psi
from psi.advice.range_keras import range_steps
x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32"); y = (x.sum(1) > 0).astype("int32")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
print(psi.suggest_lr(range_steps(model, x, y, batch_size=32)).lr)
model.fit(x, y, epochs=1, verbose=0)
