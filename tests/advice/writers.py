"""One training, as the libraries that log trainings write it: a writer a format, in one table.

Formats are those of Keras's CSVLogger and History, Lightning's CSVLogger with its
LearningRateMonitor, Hugging Face's trainer_state.json and printed dictionaries, TensorBoard's and
wandb's exports, YOLO's results.csv, MMEngine's scalars.json, fairseq's JSON lines, nanoGPT's and
timm's prints, PyTorch's examples, and one's own.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STEPS = 10  # an epoch


class Training(NamedTuple):
    """A line an epoch; shape=(epochs,) each."""

    loss: np.ndarray
    validation: np.ndarray
    rate: np.ndarray


def training(kind: str, epochs: int = 40, noise: float = 0.02, seed: int = 0) -> Training:
    """A training that is healthy, overfits from epoch 15 on, or diverges at epoch 25."""
    rng = np.random.default_rng(seed)
    t = np.arange(epochs)
    loss = (2.2 / (1 + t / 3) ** 1.2 + 0.05) * np.exp(noise * rng.normal(size=epochs))
    validation = (2.3 / (1 + t / 3) ** 1.2 + 0.15) * np.exp(noise * rng.normal(size=epochs))
    rate = 0.01 * (1 - t / epochs)
    if kind == "overfit":
        validation += 0.06 * np.maximum(t - 15, 0)
    if kind == "diverged":
        loss[25:] = validation[25:] = np.nan
    return Training(loss.round(5), validation.round(5), rate.round(6))


def csv(head: str, line: Callable[..., str]) -> Callable[[Training], str]:
    def write(of: Training) -> str:
        return head + "".join(line(k, *each) for k, each in enumerate(zip(*of, strict=True)))

    return write


def lightning(of: Training) -> str:
    text = "epoch,lr-Adam,step,train_loss_epoch,train_loss_step,val_loss\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True)):
        end = (k + 1) * STEPS - 1
        text += f",{rate},{k * STEPS},,,\n{k},,{end - 5},,{loss * 1.1},\n"
        text += f"{k},,{end},,,{validation}\n{k},,{end},{loss},,\n"
    return text


def trainer_state(of: Training) -> str:
    history = []
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        where = {"epoch": float(k), "step": k * STEPS}
        history.append({"grad_norm": 1.0, "learning_rate": rate, "loss": loss, **where})
        history.append({"eval_loss": validation, "eval_runtime": 1.5, **where})
    last = {"epoch": float(len(of.loss)), "step": len(of.loss) * STEPS}
    history.append({"train_loss": 0.5, "train_runtime": 60.0, "total_flos": 1e12, **last})
    return json.dumps({"best_metric": None, "log_history": history, "max_steps": 400}, indent=2)


def mmengine(of: Training) -> str:
    lines = []
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        part, at = {"loss_cls": loss / 2}, {"epoch": k, "iter": k * STEPS, "step": k * STEPS}
        lines.append({"lr": rate, "data_time": 0.01, "loss": loss, **part, "time": 0.1, **at})
        lines.append({"accuracy/top1": 50.0, "val/loss": validation, "step": k})
    return "\n".join(map(json.dumps, lines)) + "\n"


def mmcv(of: Training) -> str:
    lines: list[dict] = [{"env_info": "sys.platform: linux", "seed": 0, "exp_name": "a.py"}]
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        lines.append({"mode": "train", "epoch": k, "iter": STEPS, "lr": rate, "loss": loss})
        lines.append({"mode": "val", "epoch": k, "iter": 5, "lr": rate, "loss": validation})
    return "\n".join(map(json.dumps, lines)) + "\n"


def lines(write: Callable[..., dict]) -> Callable[[Training], str]:
    return lambda of: "".join(
        json.dumps(write(k, *each)) + "\n" for k, each in enumerate(zip(*of, strict=True))
    )


def yolo(of: Training) -> str:
    parts = ("box_loss", "cls_loss", "dfl_loss")
    names = ("epoch", *(f"train/{each}" for each in parts), "metrics/mAP50(B)",
             *(f"val/{each}" for each in parts), "lr/pg0", "lr/pg1", "lr/pg2")  # fmt: skip
    text = ",".join(f"{name:>23}" for name in names) + "\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        shares = np.array([0.5, 0.25, 0.25])
        cells = (k, *shares * loss, 0.5, *shares * validation, rate, rate, rate)
        text += ",".join(f"{each:>23.8g}" for each in cells) + "\n"
    return text


def history(of: Training) -> str:
    columns = {"loss": of.loss, "val_loss": of.validation, "learning_rate": of.rate}
    return json.dumps({name: values.tolist() for name, values in columns.items()})


def long(of: Training) -> str:
    text = "step,tag,value\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True)):
        text += f"{k},Loss/train,{loss}\n{k},Loss/val,{validation}\n{k},lr,{rate}\n"
    return text


def keras_printed(of: Training) -> str:
    text = "Model: sequential\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        text += (
            f"Epoch {k}/{len(of.loss)}\n\x1b[1m10/10\x1b[0m ━━━━━━ 1s 2ms/step - accuracy: 0.5 - "
        )
        text += (
            f"loss: {loss} - val_accuracy: 0.4 - val_loss: {validation} - learning_rate: {rate}\n"
        )
    return text


def hugging_face_printed(of: Training) -> str:
    text = "***** Running training *****\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        text += f"{{'loss': {loss}, 'grad_norm': 1.0, 'learning_rate': {rate}, 'epoch': {k}.0}}\n"
        text += f"{{'eval_loss': {validation}, 'eval_runtime': 1.5, 'epoch': {k}.0}}\n"
    return text


FORMATS: dict[str, tuple[str, Callable[[Training], str]]] = {
    "keras": ("log.csv", csv("epoch,learning_rate,loss,val_loss\n",
                             lambda k, a, b, c: f"{k},{c},{a},{b}\n")),
    "keras history": ("history.json", history),
    "keras printed": ("out.log", keras_printed),
    "lightning": ("metrics.csv", lightning),
    "fastai": ("history.csv", csv("epoch,train_loss,valid_loss,accuracy,lr,time\n",
                                  lambda k, a, b, c: f"{k},{a},{b},0.5,{c},00:12\n")),
    "timm": ("summary.csv", csv("epoch,train_loss,eval_loss,eval_top1,lr\n",
                                lambda k, a, b, c: f"{k},{a},{b},50.0,{c}\n")),
    "trainer state": ("trainer_state.json", trainer_state),
    "hugging face printed": ("slurm.out", hugging_face_printed),
    "notebook": ("copied.txt", csv("Step\tTraining Loss\tValidation Loss\tlr\n",
                                   lambda k, a, b, c: f"{k}\t{a}\t{b}\t{c}\n")),
    "markdown": ("table.md", csv("| Step | Train Loss | Val Loss | LR |\n|---|---|---|---|\n",
                                 lambda k, a, b, c: f"| {k} | {a} | {b} | {c} |\n")),
    "wandb": ("wandb.csv", csv('"Step","run-1 - train/loss","run-1 - train/loss__MIN",'
                               '"run-1 - val/loss","run-1 - lr"\n',
                               lambda k, a, b, c: f'"{k}","{a}","{a}","{b}","{c}"\n')),
    "wandb history": ("history.jsonl", lines(lambda k, a, b, c: {
        "_step": k, "_runtime": 2.5 * k, "train": {"loss": a}, "val": {"loss": b}, "lr": c})),
    "mmengine": ("scalars.json", mmengine),
    "mmcv": ("None.log.json", mmcv),
    "fairseq": ("train.log", lines(lambda k, a, b, c: {
        "epoch": k, "train_loss": f"{a}", "valid_loss": f"{b}", "train_lr": f"{c}"})),
    "yolo": ("results.csv", yolo),
    "tags": ("scalars.csv", long),
    "a phase column": ("log.csv", csv("epoch,phase,loss,lr\n",
                                      lambda k, a, b, c: f"{k},train,{a},{c}\n{k},val,{b},{c}\n")),
    "semicolons and commas": ("log.csv", csv("Epoche;Loss;Val Loss;LR\n", lambda k, a, b, c: (
        f"{k};{a:.6f};{b:.6f};{c:.6f}\n".replace(".", ",")))),
    "blanks": ("log.txt", csv("# seed 3\n# epoch loss val_loss lr\n",
                              lambda k, a, b, c: f"{k} {a} {b} {c}\n")),
    "numpy": ("log.csv", csv("Epoch,TrainLoss,ValLoss,LearningRate\n", lambda k, a, b, c: (
        f'{k},tensor({a}),{b},"[{c}, {c}]"\n'))),
    "plain": ("out.log", csv("", lambda k, a, b, c: f"epoch {k} loss {a} val_loss {b} lr {c}\n")),
    "brackets": ("out.log", csv("Using cuda\n", lambda k, a, b, c: (
        f"Epoch [{k}/40], Train Loss: {a}, Val. Loss: {b}, LR: {c:.2e} (12.5 s)\n"))),
    "logging": ("out.log", csv("", lambda k, a, b, c: (
        f"2024-05-01 10:00:{k:02d},123 INFO main: epoch={k} train_loss={a} lr={c}\n"
        f"2024-05-01 10:00:{k:02d},456 INFO main: epoch={k} val_loss={b} best_val_loss=0.1\n"))),
    "mmengine printed": ("out.log", csv("", lambda k, a, b, c: (
        f"2023/01/01 10:00:{k:02d} - mmengine - INFO - Epoch(train) [{k}][50/500]  lr: {c}  "
        f"eta: 1:00:00  time: 0.3  memory: 100  loss: {a}  loss_cls: 0.3\n"
        f"2023/01/01 10:00:{k:02d} - mmengine - INFO - Epoch(val) [{k}][5/5]  loss: {b}\n"))),
    "a delimiter at the end": ("log.csv", csv("epoch;loss;val_loss;lr\n", lambda k, a, b, c: (
        f"{k};{a};{b};{c};\n"))),
    "returns alone": ("log.csv", csv("epoch,loss,val_loss,lr\r",
                                     lambda k, a, b, c: f"{k},{a},{b},{c}\r")),
    "nanogpt": ("out.log", csv("number of parameters: 10.65M\n", lambda k, a, b, c: (
        f"step {k}: train loss {a}, val loss {b}, lr {c}, time 12.3ms, mfu 3.2%\n"))),
    "pytorch example": ("out.log", csv("", lambda k, a, b, c: (
        f"Train Epoch: {k} [640/60000 (1%)]\tLoss: {a}\tlr {c}\n"
        f"\nTest set: Average loss: {b}, Accuracy: 9847/10000 (98%)\n\n"))),
    "pandas": ("log.csv", csv(",epoch,loss,val_loss,lr\n",
                              lambda k, a, b, c: f"{k},{k},{a},{b},{c}\n")),
    "quoted": ("log.csv", csv('"epoch", "loss", "val_loss", "lr"\r\n',
                              lambda k, a, b, c: f'{k}, {a}, {b}, {c}\r\n')),
}  # fmt: skip
