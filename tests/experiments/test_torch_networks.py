import re
import time

import pytest

import vidjax
from tests.commands import run_command

torch = pytest.importorskip("torch", reason="the peers are PyTorch's: pip install -e '.[torch]'")

from experiments.benchmark import torch_baseline  # noqa: E402
from experiments.torch_networks.registry import PEERS, network  # noqa: E402


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_pytorch_network_has_our_parameters_and_multiply_adds(name):
    from torch.utils.flop_counter import FlopCounterMode

    card = vidjax.model_card(name)
    with torch.device("meta"):
        peer = network(name, 400).eval()
        clip = torch.zeros(1, 3, *card.clip)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            logits = peer(clip)
    assert logits.shape == (1, 400)
    assert sum(weight.numel() for weight in peer.parameters()) == card.params
    assert counter.get_total_flops() == 2 * card.macs


def test_networks_without_a_pytorch_version_give_none():
    assert network("mtnet_m", 400) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_step_trains_and_a_forward_pass_changes_nothing(dtype):
    peer = network("r3d_18", 3, width=4, depths=(0, 0, 0, 1))
    weights = [weight.detach().clone() for weight in peer.parameters()]
    settings = {"dtype": dtype, "layout": torch.channels_last_3d}
    torch_baseline.make_pass(peer, (2, 2, 16, 16, 3), 3, train=False, **settings)()
    assert all(map(torch.equal, weights, peer.parameters()))
    torch_baseline.make_pass(peer, (2, 2, 16, 16, 3), 3, train=True, **settings)()
    assert not any(map(torch.equal, weights, peer.parameters()))
    assert all(weight.dtype == torch.float32 for weight in peer.parameters())


def test_compiling_that_takes_too_long_is_ended():
    with pytest.raises(torch_baseline.TooLong, match=r"more than 0\.05 s"):
        torch_baseline.first_call(lambda: time.sleep(30), 0.05)


def test_models_times_both_layouts_and_names_left_out_ones():
    flags = ["--width=4", "--depths=0,0,0,1", "--batch=2", "--clip=2,16,16", "--classes=3"]
    done = run_command(
        "experiments.benchmark", "models", *flags, "--passes=forward", "--rounds=1",
        "--machine_rounds=1", "--compiled", "--compile_seconds=0.01",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "torch compiled: TooLong: more than 0.01 s; left out" in done.stdout
    rows = re.findall(
        r"(torch|torch channels last) +│ +[\d.]+ │ +- │ +[\d.]+ │ +([\d.]+)", done.stdout
    )
    assert [name for name, _ in rows] == ["torch", "torch channels last"]
    assert min(float(share) for _, share in rows) == 1
