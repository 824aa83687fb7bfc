# ruff: noqa: E501  (lines as trainers print them)
"""Logs as further trainers write them, with all that they write beside the losses."""

import json
from collections.abc import Callable

import numpy as np

from tests.advice.writers import Training, csv, lines

EPOCHS = 24


def course(kind: str, seed: int) -> Training:
    """A training of EPOCHS epochs whose trouble, if any, begins at epoch 10."""
    rng = np.random.default_rng(seed)
    t = np.arange(EPOCHS)
    loss = 2.2 * np.exp(-t / 6) + 0.3
    validation = loss + 0.05 + 0.02 * t / EPOCHS
    rate = 1e-3 * (1 - t / EPOCHS)
    late = np.maximum(t - 9, 0)
    if kind == "overfit":
        loss, validation = 2.3 * np.exp(-t / 6), validation + 0.08 * late
    if kind == "diverged":
        loss, validation = loss * 1.6**late, validation * 1.6**late
    loss, validation = (
        each * np.exp(0.015 * rng.normal(size=EPOCHS)) for each in (loss, validation)
    )
    if kind in ("nan", "zero"):
        bad = np.nan if kind == "nan" else 0.0
        loss[10:], validation[10:] = bad, np.nan
    return Training(loss.round(4), validation.round(4), rate.round(8))


def keras_bar(of: Training) -> str:
    text = ""
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        text += f"Epoch {k}/{EPOCHS}\n\n"
        for batch in range(1, 4):
            text += f"{batch}/3 [====>....] - ETA: {3 - batch}s - loss: {loss * (1.1 - batch / 30):.4f} - acc: 0.5"
            text += "\x08" * 40
        text += f"\r3/3 [======] - 1s 40ms/step - loss: {loss} - acc: 0.5 - val_loss: {validation} - val_acc: 0.4 - lr: {rate:.4e}\n"
    return text


def lightning_bar(of: Training) -> str:
    text = "GPU available: True (cuda), used: True\n\n  | Name | Type | Params\n0 | net  | MLP  | 1.2 K\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True)):
        text += f"\rEpoch {k}:  50%|█████     | 5/10 [00:01<00:01,  8.17it/s, v_num=3]"
        text += f"\rEpoch {k}: 100%|██████████| 10/10 [00:02<00:00,  8.17it/s, v_num=3, train_loss={loss}, val_loss={validation}, lr={rate}]"
    return text + "\n`Trainer.fit` stopped: `max_epochs=24` reached.\n"


def trainer_output(quote: str) -> Callable[[Training], str]:
    def write(of: Training) -> str:
        text = "  0%|          | 0/240 [00:00<?, ?it/s]"
        for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
            q = quote
            text += f"\r  {k}%|▍         | {10 * k}/240 [00:12<04:23,  1.14s/it]{{'loss': {q}{loss}{q}, 'grad_norm': {q}1.73{q}, 'learning_rate': {q}{rate}{q}, 'epoch': {q}{k}.0{q}}}\n"
            text += f"{{'eval_loss': {q}{validation}{q}, 'eval_accuracy': {q}0.8{q}, 'eval_runtime': {q}3.2{q}, 'epoch': {q}{k}.0{q}}}\n"
        return text

    return write


def trainer_state(of: Training) -> str:
    history: list[dict] = []
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        history.append(
            {
                "epoch": k - 0.5,
                "grad_norm": 2.0,
                "learning_rate": rate,
                "loss": loss,
                "step": 10 * k - 5,
            }
        )
        history.append(
            {
                "epoch": float(k),
                "eval_accuracy": 0.8,
                "eval_loss": validation,
                "eval_runtime": 1.2,
                "step": 10 * k,
            }
        )
    return json.dumps(
        {
            "epoch": 24.0,
            "global_step": 240,
            "is_hyper_param_search": False,
            "log_history": history,
            "trial_name": None,
        },
        indent=2,
    )


def wandb_runs(of: Training) -> str:
    head = ["Step"]
    for run in ("dazzling-lake-3", "icy-sun-9"):
        for name in ("train/loss", "val/loss", "train/lr"):
            head += [f"{run} - {name}{end}" for end in ("", "__MIN", "__MAX")]
    text = ",".join(f'"{each}"' for each in head) + "\n"
    for k, each in enumerate(zip(*of, strict=True)):
        cells = [f'"{value}"' for value in each for _ in range(3)]
        other = ['"0.1"' if k < 9 else ""] * 9
        text += ",".join([f'"{k}"', *cells, *other]) + "\n"
    return text


def yolo5(of: Training) -> str:
    names = (
        "epoch",
        "train/box_loss",
        "train/obj_loss",
        "train/cls_loss",
        "metrics/precision",
        "val/box_loss",
        "val/obj_loss",
        "val/cls_loss",
        "x/lr0",
        "x/lr1",
        "x/lr2",
    )
    text = ",".join(f"{each:>20}" for each in names) + "\n"
    for k, (a, b, c) in enumerate(zip(*of, strict=True)):
        cells = (k, a / 2, a / 4, a / 4, 0.5, b / 2, b / 4, b / 4, c, c, c)
        text += ",".join(f"{each:>20.6g}" for each in cells) + "\n"
    return text


def imagenet(of: Training) -> str:
    text = "=> creating model 'resnet18'\n"
    for k, (loss, validation, _rate) in enumerate(zip(*of, strict=True)):
        for batch in (0, 10):
            text += f"Epoch: [{k}][{batch:4d}/5005]\tTime  0.101 ( 0.352)\tData  0.000 ( 0.210)\tLoss {loss:.4e} ({loss:.4e})\tAcc@1   0.00 (  0.10)\n"
        text += f"Test: [  0/196]\tTime  1.2 ( 1.2)\tLoss {validation:.4e} ({validation:.4e})\tAcc@1  10.0 ( 10.0)\n"
        text += " *   Acc@1 10.000 Acc@5 20.000\n"
    return text


def timm_printed(of: Training) -> str:
    text = "Training with a single process on 1 device (cuda).\nCreated AdamW (adamw) optimizer: lr: 0.001\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True)):
        for batch in (0, 50):
            text += f"Train: {k} [{batch:>4d}/100 ({batch:>3.0f}%)]  Loss: {loss:#.3g} ({loss:#.3g})  Time: 0.245s,  522.11/s  (0.245s,  522.11/s)  LR: {rate:.3e}  Data: 0.002 (0.002)\n"
        text += f"Test: [  20/20]  Time: 0.101 (0.113)  Loss:  {validation:>7.3f} ({validation:>6.3f})  Acc@1:  50.000 ( 48.000)  Acc@5:  80.000 ( 79.000)\n"
        text += f"Current checkpoints:\n ('./output/train/checkpoint-{k}.pth.tar', 48.0)\n"
    return text


def megatron(of: Training) -> str:
    text = "using world size: 8, data-parallel-size: 8\n"
    for k, (loss, validation, rate) in enumerate(zip(*of, strict=True), 1):
        text += f" [2024-05-01 10:00:{k:02d}] iteration     {100 * k:4d}/    2400 | consumed samples:        {6400 * k} | elapsed time per iteration (ms): 1234.5 | learning rate: {rate:.6E} | global batch size:    64 | lm loss: {loss:.6E} | loss scale: 1.0 | grad norm: 1.234 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"
        text += f" validation loss at iteration {100 * k} | lm loss value: {validation:.6E} | lm loss PPL: 1.0E+01 | \n"
    return text


def detectron(of: Training) -> str:
    return "".join(
        json.dumps(
            {
                "data_time": 0.01,
                "eta_seconds": 10.0,
                "iteration": 20 * k + 19,
                "loss_box_reg": a / 3,
                "loss_cls": a / 1.5,
                "lr": c,
                "time": 0.2,
                "total_loss": a,
                "validation_loss": b,
            }
        )
        + "\n"
        for k, (a, b, c) in enumerate(zip(*of, strict=True))
    )


def llama_factory(of: Training) -> str:
    text = ""
    for k, (a, b, c) in enumerate(zip(*of, strict=True), 1):
        each = {"current_steps": 10 * k, "total_steps": 240}
        late = {
            "epoch": k / 2,
            "percentage": k / 0.24,
            "elapsed_time": f"0:00:{k:02d}",
            "remaining_time": "0:10:00",
        }
        text += (
            json.dumps({**each, "loss": a, "lr": c, **late})
            + "\n"
            + json.dumps({**each, "eval_loss": b, **late})
            + "\n"
        )
    return text


def card(of: Training) -> str:
    text = "| Training Loss | Epoch | Step | Validation Loss | Accuracy |\n|:-------------:|:-----:|:----:|:---------------:|:--------:|\n"
    text += "| No log        | 0.5   | 5    | 2.7000          | 0.1      |\n"
    for k, (a, b, _) in enumerate(zip(*of, strict=True), 1):
        text += f"| {a:<13} | {k:.1f}   | {10 * k}   | {b:<15} | 0.5      |\n"
    return text


def fairseq_printed(of: Training) -> str:
    text = ""
    for k, (a, b, c) in enumerate(zip(*of, strict=True), 1):
        text += f"2024-05-01 10:00:00 | INFO | train_inner | epoch {k:03d}:     50 / 100 loss={a}, nll_loss={a}, ppl=9.1, wps=100, ups=2.1, num_updates={100 * k}, lr={c:.6g}, gnorm=1.2, loss_scale=128, train_wall=20\n"
        text += f"2024-05-01 10:00:30 | INFO | valid | epoch {k:03d} | valid on 'valid' subset | loss {b} | nll_loss {b} | ppl 8.2 | wps 1000 | num_updates {100 * k}\n"
    return text


def gpt(of: Training) -> str:
    text = "tokens per iteration will be: 16,384\nnumber of parameters: 10.65M\nusing fused AdamW: True\n"
    for k, (a, b, _) in enumerate(zip(*of, strict=True)):
        text += f"step {100 * k}: train loss {a:.4f}, val loss {b:.4f}\n"
        for j in range(0, 100, 50):
            text += f"iter {100 * k + j}: loss {a:.4f}, time {123.4 + j:.2f}ms, mfu 3.21%\n"
    return text


def mmdet(of: Training) -> str:
    text = "2024-05-01 10:00:00,000 - mmdet - INFO - Start running, host: root, work_dir: /tmp\n"
    for k, (a, _, c) in enumerate(zip(*of, strict=True), 1):
        text += f"2024-05-01 10:{k:02d}:00,000 - mmdet - INFO - Epoch [{k}][50/100]\tlr: {c:.3e}, eta: 1:10:23, time: 0.512, data_time: 0.05, memory: 3900, loss_rpn_cls: 0.3, loss_bbox: 0.2, loss: {a}\n"
    return text


def torchtune(of: Training) -> str:
    return "".join(
        f"Step {k} | loss:{a} lr:{c} tokens_per_second_per_gpu:812.5 peak_memory_active:10.2 grad_norm:1.1 \n"
        for k, (a, _, c) in enumerate(zip(*of, strict=True), 1)
    )


def paddle(of: Training) -> str:
    text = ""
    for k, (a, _, c) in enumerate(zip(*of, strict=True), 1):
        text += f"[2024/05/01 10:00:00] ppocr INFO: epoch: [{k}/24], global_step: {10 * k}, lr: {c:.6f}, loss: {a:.6f}, avg_reader_cost: 0.00120 s, avg_batch_cost: 0.10 s, avg_samples: 8.0, ips: 30.1 samples/s, eta: 0:10:00\n"
    return text


def tensorboard_frame(of: Training) -> str:
    text = "run,tag,step,value,wall_time\n"
    for run in ("version_0", "version_1"):
        for tag, values in zip(("loss/train", "loss/val", "lr"), of, strict=True):
            for k, value in enumerate(values):
                text += f"{run},{tag},{k},{value if run == 'version_0' else 0.2},1.7e9\n"
    return text


def simple(line: str, head: str = "") -> Callable[[Training], str]:
    return csv(
        head, lambda k, a, b, c: line.format(k=k, n=k + 1, s=100 * (k + 1), a=a, b=b, c=c) + "\n"
    )


TRAINERS: dict[str, Callable[[Training], str]] = {
    "keras semicolons": simple(
        "{k};0.5;{a};{c};0.4;{b}", "epoch;accuracy;loss;lr;val_accuracy;val_loss\n"
    ),
    "keras bar": keras_bar,
    "keras verbose 2": simple(
        "Epoch {n}/24\n938/938 - 3s - 3ms/step - accuracy: 0.9 - loss: {a} - val_accuracy: 0.8 - val_loss: {b} - learning_rate: {c}"
    ),
    "lightning": simple(
        "{k},,,{s},,{b}\n{k},,,{s},{a},\n,{c},{c},{s},,",
        "epoch,lr-AdamW/pg1,lr-AdamW/pg2,step,train_loss,val_loss\n",
    ),
    "lightning bar": lightning_bar,
    "trainer state": trainer_state,
    "trainer output": trainer_output(""),
    "trainer output quoted": trainer_output("'"),
    "model card": card,
    "wandb two runs": wandb_runs,
    "json lines": lines(
        lambda k, a, b, c: {
            "epoch": k,
            "train": {"loss": a, "lr": [c]},
            "valid": {"loss": b},
            "time": "00:12",
        }
    ),
    "json lines with null": lines(
        lambda k, a, b, c: {"step": k, "train_loss": a, "val_loss": b if k % 2 else None, "lr": c}
    ),
    "yolov5": yolo5,
    "fastai": simple("{k},{a},{b},0.5,00:12", "epoch,train_loss,valid_loss,accuracy,time\n"),
    "fastai printed": simple(
        "{k}         {a}    {b}    0.51    00:12",
        "epoch     train_loss  valid_loss  accuracy  time\n",
    ),
    "imagenet example": imagenet,
    "timm printed": timm_printed,
    "megatron": megatron,
    "detectron": detectron,
    "llama factory": llama_factory,
    "fairseq printed": fairseq_printed,
    "nanogpt": gpt,
    "mmdet printed": mmdet,
    "torchtune": torchtune,
    "paddle": paddle,
    "tensorboard data frame": tensorboard_frame,
    "stable baselines": simple(
        "{k},{s},{a},{c},-10.5",
        "time/iterations,time/total_timesteps,train/loss,train/learning_rate,rollout/ep_rew_mean\n",
    ),
    "bars": simple("epoch {n:3d} | train loss {a} | valid loss {b} | lr {c:.2e} | 3.1 s/epoch"),
    "percent": simple("[{n}/24] loss=\x1b[31m{a}\x1b[0m val={b} (100%)"),
    "absl": simple(
        "I0501 10:00:00.123456 140 train.py:88] train step: {s}, loss: {a}, accuracy: 50.1\nI0501 10:00:01.123456 140 train.py:99] eval epoch: {n}, loss: {b}, accuracy: 40.0"
    ),
    "two words": simple(
        "Epoch {n}: Training Loss = {a}; Validation Loss = {b}; Learning Rate = {c}"
    ),
    "tokens": simple("{s}000,{a},{b},{c}", "tokens_seen,train_loss,val_loss,lr\n"),
    "date first": simple(
        "2024-05-01 10:00:{n:02d},{n},{a},{b},{c}", "timestamp,epoch,train_loss,val_loss,lr\n"
    ),
    "tabs": simple("{n}\t{a}\t{b}\t{c}\t12.5", "Epoch\tTrain Loss\tTest Loss\tLR\tTime (s)\n"),
}
