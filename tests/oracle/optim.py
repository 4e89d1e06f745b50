"""Writes tests/data/optim: parameters after 1, 10 and 100 steps of PyTorch's optimizers, and the learning rates that its
schedulers give, which tests/optim compares with.

Run with a Python that has PyTorch (made with 1.13): python3 tests/oracle/optim.py
Parameters and gradients come from a formula that the test repeats. The second parameter has a gradient at every third
step only, the third one none.
"""
import os

import numpy
import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "optim")
SIZES = [17, 4, 3]
STEPS = [1, 10, 100]


def numbers(n, salt):
    """n floats in [-2, 2]"""
    i = numpy.arange(n, dtype=numpy.int64)
    return torch.from_numpy((((i * 7919 + salt * 104729) % 2001 - 1000) / 500.0).astype(numpy.float32))


def trajectory(name, make):
    params = [torch.nn.Parameter(numbers(n, k)) for k, n in enumerate(SIZES)]
    params[2].requires_grad = False
    optimizer = make([p for p in params if p.requires_grad])
    rows = []
    for step in range(1, STEPS[-1] + 1):
        params[0].grad = numbers(SIZES[0], 10 * step)
        params[1].grad = numbers(SIZES[1], 10 * step + 1) if step % 3 == 1 else None
        optimizer.step()
        if step in STEPS:
            rows.append(torch.cat([p.detach() for p in params]).numpy())
    numpy.save(os.path.join(HERE, name + ".npy"), numpy.stack(rows))


def groups_trajectory():
    """Two groups: the first parameter with a rate and a decay of its own."""
    params = [torch.nn.Parameter(numbers(n, k)) for k, n in enumerate(SIZES)]
    optimizer = torch.optim.AdamW([{"params": params[:1], "lr": 0.02, "weight_decay": 0.3}, {"params": params[1:]}], lr=0.005)
    rows = []
    for step in range(1, STEPS[-1] + 1):
        for k, p in enumerate(params):
            p.grad = numbers(SIZES[k], 10 * step + k)
        optimizer.step()
        if step in STEPS:
            rows.append(torch.cat([p.detach() for p in params]).numpy())
    numpy.save(os.path.join(HERE, "adamw_groups.npy"), numpy.stack(rows))


SCHEDULE_STEPS = 40


def optimizer_for(kind):
    params = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.0123}]
    if kind == "adam":
        return torch.optim.Adam(groups, lr=0.1)
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def momentum_of(group):
    return group["betas"][0] if "betas" in group else group["momentum"]


def metric(step):
    """What the plateau test feeds: falls, stands, falls again."""
    return [1.0, 0.8, 0.7, 0.69995, 0.7, 0.71, 0.72, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5][min(step, 12)]


def schedule(name, make, kind="sgd", total=SCHEDULE_STEPS):
    """Rates of both groups and the first one's momentum, before the first step and after each."""
    optimizer = optimizer_for(kind)
    schedulers = make(optimizer)
    rows = []
    for step in range(total):
        rows.append([group["lr"] for group in optimizer.param_groups] + [momentum_of(optimizer.param_groups[0])])
        optimizer.step()
        for scheduler in schedulers:
            if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                scheduler.step(metric(step))
            elif step + 1 < total:
                scheduler.step()
    numpy.save(os.path.join(HERE, "schedule_" + name + ".npy"), numpy.array(rows, dtype=numpy.float64))


def schedules():
    of = torch.optim.lr_scheduler
    schedule("step", lambda o: [of.StepLR(o, 3, gamma=0.7)])
    schedule("multi_step", lambda o: [of.MultiStepLR(o, [17, 5, 5, 9], gamma=0.3)])
    schedule("exponential", lambda o: [of.ExponentialLR(o, 0.93)])
    schedule("cosine", lambda o: [of.CosineAnnealingLR(o, 11, eta_min=1e-3)])
    schedule("linear", lambda o: [of.LinearLR(o)])
    schedule("warm_up", lambda o: [of.LinearLR(o, 0.1, 0.9, 7), of.CosineAnnealingLR(o, 40)])
    schedule("one_cycle", lambda o: [of.OneCycleLR(o, [0.5, 0.05], total_steps=40)])
    schedule("one_cycle_linear", lambda o: [of.OneCycleLR(o, 0.3, total_steps=30, pct_start=0.4, anneal_strategy="linear",
                                                          three_phase=True, div_factor=10)], "adam", 30)
    schedule("one_cycle_rates", lambda o: [of.OneCycleLR(o, 0.3, total_steps=25, cycle_momentum=False)], "sgd", 25)
    schedule("plateau", lambda o: [of.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=0.002)])
    schedule("plateau_max", lambda o: [of.ReduceLROnPlateau(o, "max", factor=0.3, patience=1, threshold=0.05,
                                                            threshold_mode="abs")])


def main():
    torch.set_num_threads(1)
    os.makedirs(HERE, exist_ok=True)
    groups_trajectory()
    schedules()
    optim = torch.optim
    trajectory("adam", lambda p: optim.Adam(p))
    trajectory("adam_decay", lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1))
    trajectory("adam_amsgrad", lambda p: optim.Adam(p, lr=0.01, amsgrad=True))
    trajectory("adamw", lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1))
    trajectory("adamw_amsgrad", lambda p: optim.AdamW(p, amsgrad=True))
    trajectory("sgd", lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1))
    trajectory("sgd_momentum", lambda p: optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.2, weight_decay=0.01))
    trajectory("sgd_nesterov", lambda p: optim.SGD(p, lr=0.001, momentum=0.9, weight_decay=0.01, nesterov=True))


if __name__ == "__main__":
    main()
