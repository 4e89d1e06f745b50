"""torch.load reads what hg_pth_write wrote. Usage: load_sample.py WRITE_SAMPLE; exits 77 without PyTorch."""
import collections
import os
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from torch_python import need  # noqa: E402

need("torch")
import torch  # noqa: E402


def check(v):
    types = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool, torch.int8, torch.int16,
             torch.float16, torch.bfloat16]
    expected = {torch.uint8: [0, 1, 2, 3], torch.bool: [0, 1, 0, 1]}
    assert [t.dtype for t in v["types"]] == types
    for t in v["types"]:
        assert torch.equal(t, torch.tensor(expected.get(t.dtype, [-1, 0, 1, 2])).to(t.dtype).reshape(2, 1, 2)), t
        assert t.is_contiguous()
    assert len({t.data_ptr() for t in v["types"]}) == len(types)
    state = v["state"]
    assert type(state) is collections.OrderedDict and type(v) is dict
    assert state._metadata == collections.OrderedDict(fc={"version": 1})
    net = torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(3, 2)))
    assert str(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert torch.equal(net.fc.weight, torch.arange(6.0).reshape(2, 3))
    assert torch.equal(net.fc.bias, torch.tensor([0.5, -0.5]))
    assert v["pair"] == (-2**63, "Gr\u00fc\u00dfe")
    assert torch.equal(v["scalar"], torch.tensor(7.0)) and v["empty"].shape == (0, 3)
    assert v["none"] is None and v["yes"] is True and v[5] == -300


with tempfile.TemporaryDirectory() as folder:
    plain, floats = os.path.join(folder, "plain.pth"), os.path.join(folder, "floats.pth")
    subprocess.check_call([sys.argv[1], plain, floats])
    for path in plain, floats:
        with zipfile.ZipFile(path) as z:
            assert z.testzip() is None
    check(torch.load(plain))
    check(torch.load(plain, weights_only=True))
    v = torch.load(floats)
    check(v)
    assert v["half"] == 0.5
print("torch", torch.__version__, "reads it")
