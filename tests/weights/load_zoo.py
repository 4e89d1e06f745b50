"""Networks of torchvision with random weights, saved by torch.save, give here what they give there: logits in evaluation
mode, and of a training step logits, every gradient and the running statistics; and come back from here as they were.

Usage: load_zoo.py RUN_ZOO [NETWORK [SIZE]]; exits 77 without torchvision. The reference is computed in double; float32 of
PyTorch against it is printed beside. The error is the root of the mean square over the largest value of the reference.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from torch_python import need  # noqa: E402

need("torch", "torchvision")
import torch  # noqa: E402
import torchvision  # noqa: E402

from torch import nn
from torch.nn import functional as F

SEED = 5
# What a single convolution may be off by (RMS) is 1e-6; these are twenty layers and more. A ReLU among millions that
# float32 rounds to the other side moves gradients by thousandths, PyTorch's own too: four times its error is allowed.
LIMITS = {"eval": 1e-5, "train": 1e-5, "buffers": 1e-5, "gradients": 1e-3}
NETWORKS = {"resnet18": torchvision.models.resnet18, "googlenet": torchvision.models.googlenet,
            "vgg11": torchvision.models.vgg11}


class Dropout(nn.Module):
    """nn.Dropout with the random numbers of float32, whatever the type of its input"""
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        kept = torch.empty(x.shape, dtype=torch.float32).bernoulli_(1 - self.p)
        return x * kept.to(x.dtype).div(1 - self.p)


def replace_dropout(net):
    for name, child in net.named_children():
        if isinstance(child, nn.Dropout):
            setattr(net, name, Dropout(child.p))
        replace_dropout(child)


def make(name):
    torch.manual_seed(SEED)
    options = {"init_weights": True} if name != "resnet18" else {}
    if name == "googlenet":
        options = {"init_weights": False, "aux_logits": True}
    net = NETWORKS[name](**options)
    with torch.no_grad():
        for key, t in net.state_dict().items():     # batch normalisation as after some training
            if key.endswith("running_mean"):
                t.normal_(0, 0.1)
            if key.endswith("running_var"):
                t.uniform_(0.5, 1.5)
            if key.endswith("num_batches_tracked"):
                t.fill_(7)
    return net


def logits_of(output):
    return output if torch.is_tensor(output) else output.logits


def reference(net, state, x, labels, dtype):
    net.load_state_dict(state)
    net.to(dtype)
    net.zero_grad(set_to_none=True)
    results = {}
    with torch.no_grad():
        results["eval"] = net.eval()(x.to(dtype)).clone()
    torch.manual_seed(SEED)
    logits = logits_of(net.train()(x.to(dtype)))
    F.cross_entropy(logits, labels).backward()
    results["train"] = logits.detach()
    results["gradients"] = {k: p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}
    results["buffers"] = {k: b.clone() for k, b in net.named_buffers()}
    return results


def error(y, expected):
    assert y.shape == expected.shape, (y.shape, expected.shape)
    expected = expected.double()
    largest = expected.abs().max().item()
    rms = (y.double() - expected).pow(2).mean().sqrt().item()
    return rms / largest if largest else rms


def errors(results, expected):
    """kind -> (the largest error, where)"""
    found = {}
    for kind in LIMITS:
        if kind in ("eval", "train"):
            found[kind] = (error(results[kind], expected[kind]), "")
            continue
        assert set(results[kind]) == set(expected[kind]), set(results[kind]) ^ set(expected[kind])
        found[kind] = max((error(results[kind][k], expected[kind][k]), k) for k in expected[kind]) \
            if expected[kind] else (0, "")
    return found


def check_same_file(path, state):
    """Strictly loaded, and equal in keys, their order, types, bits and versions."""
    back = torch.load(path)
    assert list(back) == list(state)
    assert back._metadata == state._metadata
    for k, t in state.items():
        assert back[k].dtype == t.dtype and back[k].shape == t.shape, k
        assert back[k].contiguous().numpy().tobytes() == t.contiguous().numpy().tobytes(), k


def check(program, name, size, folder):
    files = [os.path.join(folder, f) for f in ("state.pth", "inputs.pth", "back.pth", "results.pth")]
    net = make(name)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    state = type(net.state_dict())(state)
    state._metadata = net.state_dict()._metadata
    torch.save(state, files[0], _use_new_zipfile_serialization=size != 64)      # both formats
    torch.manual_seed(SEED + size)
    x, labels = torch.randn(2, 3, size, size), torch.tensor([3, 500])
    torch.save({"input": x, "labels": labels, "seed": SEED}, files[1])
    subprocess.check_call([program, name, *files])
    check_same_file(files[2], state)
    results = torch.load(files[3])
    replace_dropout(net)
    single = reference(net, state, x, labels, torch.float32)
    expected = reference(net, state, x, labels, torch.float64)
    ours, theirs = errors(results, expected), errors(single, expected)
    for kind, limit in LIMITS.items():
        print(f"{name} {size} x {size} {kind}: {ours[kind][0]:.1e} {ours[kind][1]}; "
              f"PyTorch's float32 {theirs[kind][0]:.1e}")
        assert ours[kind][0] <= max(limit, 4 * theirs[kind][0]), (kind, ours[kind])
    assert len(results["gradients"]) > 15


def main():
    torch.set_num_threads(2)
    names = sys.argv[2:3] or list(NETWORKS)
    sizes = [int(s) for s in sys.argv[3:4]] or [64, 224]
    for name in names:
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                check(sys.argv[1], name, size, folder)
    print("torchvision", torchvision.__version__, "agrees")


main()
