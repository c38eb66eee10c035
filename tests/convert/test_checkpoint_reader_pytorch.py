"""Tests the reader on PyTorch's own files; skipped if PyTorch is not installed."""

import argparse
import builtins
import collections

import numpy as np
import pytest

from tests.convert.pickles import Payload, assert_same
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def save(torch, form, path, value, protocol=2):
    zipped = form == "zip"
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


def numbers(torch, state):
    """Converts tensors with PyTorch, for comparison."""
    return {
        k: v.detach().float().numpy() if v.is_floating_point() else v.detach().numpy()
        for k, v in state.items()
    }


def examples(torch):
    torch.manual_seed(0)
    base = torch.randn(4, 6, 5)
    plain = {str(d): torch.arange(5).to(d) for d in (torch.int8, torch.int16, torch.int32)}
    return collections.OrderedDict(
        plain,
        base=base,
        shared=base[1:, ::2],
        transposed=base.transpose(0, 2),
        channels_last=torch.randn(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d),
        expanded=torch.randn(3, 1).expand(3, 7),
        flipped=base.flip(0),
        parameter=torch.nn.Parameter(torch.randn(3, 2).T),
        frozen=torch.nn.Parameter(torch.randn(3), requires_grad=False),
        half=torch.randn(7).half(),
        bfloat16=torch.randn(7, 2).bfloat16()[1:],
        double=torch.randn(3).double(),
        long=torch.tensor(2**40),
        bool=torch.tensor([True, False]),
        byte=torch.tensor([0, 255], dtype=torch.uint8),
        empty=torch.empty(0, 3),
        scalar=torch.tensor(1.5),
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pytorch_file(torch, form, path, protocol):
    state = examples(torch)
    got = read_tensors(save(torch, form, path, state, protocol))
    assert_same(got, numbers(torch, state))


def test_pytorch_file_agrees_with_its_own_reader(torch, form, path):
    save(torch, form, path, dict(examples(torch)))
    assert_same(read_tensors(path), numbers(torch, torch.load(path, weights_only=True)))


def test_pytorch_mapping(torch):
    state = examples(torch)
    got = read_tensors({"state_dict": state})
    expected = numbers(torch, {name: value.clone() for name, value in state.items()})
    with torch.no_grad():
        state["base"].zero_()
    assert_same(got, expected)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pytorch_training_state(torch, form, path, protocol):
    model = torch.nn.DataParallel(
        torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3), torch.nn.BatchNorm3d(4))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(2, 3, 4, 4, 4)).sum().backward()
    optimizer.step()
    state = {
        "epoch": 1,
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": np.float64(3),
        "history": np.arange(3),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.99)),
        "log": collections.defaultdict(list, loss=[1.0]),
        "device": torch.device("cpu"),
        "dtype": torch.bfloat16,
        "shape": torch.Size([1, 2]),
    }
    got = read_tensors(save(torch, form, path, state, protocol))
    assert_same(got, numbers(torch, model.module.state_dict()))
    assert got["1.num_batches_tracked"] == 1


def test_pytorch_whole_model_is_refused(torch, form, path):
    with pytest.raises(CheckpointError, match="asks to run 'torch.nn.modules.linear.Linear'"):
        read_tensors(save(torch, form, path, torch.nn.Linear(2, 2)))


def test_pytorch_complex_is_refused(torch, form, path):
    save(torch, form, path, {"w": torch.ones(2, dtype=torch.complex64)})
    with pytest.raises(CheckpointError, match="weights.pth holds ComplexFloat numbers"):
        read_tensors(path)


def test_pytorch_negated_numbers_are_refused(torch, form, path):
    negated = torch.tensor([1 + 2j]).conj().imag
    assert negated.is_neg()
    save(torch, form, path, {"w": torch._neg_view(torch.ones(2))})
    with pytest.raises(CheckpointError, match="'w', which cannot be read"):
        read_tensors(path)


def test_pytorch_payload_is_not_run(torch, form, path):
    marker = path.with_name("marker")
    save(torch, form, path, {"w": torch.ones(2), "x": Payload(builtins.eval, f"open({marker})")})
    with pytest.raises(CheckpointError, match="asks to run '__builtin__.eval'"):
        read_tensors(path)
    assert not marker.exists()


def test_pytorch_truncated(torch, form, path):
    whole = save(torch, form, path, examples(torch)).read_bytes()
    for part in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:part])
        with pytest.raises(CheckpointError, match="weights.pth "):
            read_tensors(path)


def test_pytorch_safetensors(torch, path):
    writer = pytest.importorskip("safetensors.torch")
    state = {name: value.detach().clone().contiguous() for name, value in examples(torch).items()}
    writer.save_file(state, path)
    assert_same(read_tensors(path), numbers(torch, state))
