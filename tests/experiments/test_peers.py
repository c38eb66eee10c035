import pytest

import vidjax

torch = pytest.importorskip("torch", reason="the peers are PyTorch's: pip install -e '.[torch]'")

from experiments.peers.listing import PEERS, network  # noqa: E402


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_has_our_parameters_and_multiply_adds(name):
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


def test_without_a_peer_there_is_none():
    assert network("mtnet_m", 400) is None
