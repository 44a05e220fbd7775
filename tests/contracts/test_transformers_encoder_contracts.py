"""The encoder equals the classes of transformers with the same weights."""

from dataclasses import replace

import pytest
import torch
from tests.contracts.zoo_networks import ENCODERS, random_token_network, token_model_of, zoo_config

import genolm
from genolm.models.adapters.configs import best_layout, config_values
from genolm.models.checkpoints.convert import save
from genolm.models.networks.random_weights import random_network

transformers = pytest.importorskip("transformers")
CLOSE = {"atol": 5e-5, "rtol": 1e-4}
SHARED = [name for name in ENCODERS if best_layout(zoo_config(name).shrunk()) == "huggingface"]
POST = "a BERT with norms after its blocks"


def network_of(name):
    """A network of the zoo, or stock BERT, which no published checkpoint uses."""
    if name != POST:
        return random_token_network(name)
    config = replace(zoo_config("tiny-random-bert").shrunk(), norm="post", final_norm=False, norm_eps=1e-5)
    return random_network(config, seed=4).eval()


@pytest.fixture(scope="module", params=[*SHARED, POST])
def pair(request, tmp_path_factory):
    """Return a network and the published class with its weights, loaded from the exported folder."""
    ours = network_of(request.param)
    folder = tmp_path_factory.mktemp("exported") / "model"
    save(token_model_of(ours), folder)
    theirs, report = transformers.AutoModelForMaskedLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "mismatched_keys"))
    return ours, theirs.eval(), folder


def test_a_published_class_is_compared_for_each_that_there_is():
    kinds = {config_values(zoo_config(name).shrunk(), "huggingface", "float32")["model_type"] for name in SHARED}
    assert kinds == {"big_bird", "modernbert"}


def unstuck(theirs):
    """Restore block-sparse attention, which BigBird's class leaves permanently after a short input."""
    if hasattr(theirs, "bert") and hasattr(theirs.bert, "set_attention_type"):
        theirs.bert.set_attention_type("block_sparse")
    return theirs


def ids_of(network, rows, length):
    generator = torch.Generator().manual_seed(length)
    return torch.randint(5, network.config.tokens, (rows, length), generator=generator)


@pytest.mark.parametrize("length", [17, 64, 200])
def test_logits_and_hidden_states_equal_transformers(pair, length):
    ours, theirs, _ = pair
    batch = ids_of(ours, 2, length)
    expected = unstuck(theirs)(batch, output_hidden_states=True)
    found = ours(batch, layers=range(ours.config.num_layers + 1))
    tokens = ours.config.tokens
    torch.testing.assert_close(found.logits[..., :tokens], expected.logits[..., :tokens], **CLOSE)
    for layer, hidden in enumerate(expected.hidden_states):
        torch.testing.assert_close(found.hidden[layer], hidden[:, :length], **CLOSE)


def test_padded_rows_equal_transformers(pair):
    ours, theirs, _ = pair
    if ours.config.sparse is not None:
        pytest.skip("their last block is that of the padding; ours stands for the row (padded_to is tested elsewhere)")
    batch, mask = ids_of(ours, 3, 90), torch.ones(3, 90, dtype=torch.bool)
    mask[1, 70:], mask[2, 12:] = False, False
    batch = batch.masked_fill(~mask, ours.config.pad_id)
    tokens = ours.config.tokens
    expected = theirs(batch, attention_mask=mask.long()).logits[mask][..., :tokens]
    torch.testing.assert_close(ours(batch, mask_BL=mask).logits[mask][..., :tokens], expected, **CLOSE)


def test_what_transformers_writes_loads_here(pair, tmp_path):
    ours, theirs, folder = pair
    theirs.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    again = genolm.load(tmp_path).network
    assert again.state_dict().keys() == ours.state_dict().keys()
    for name, weight in ours.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    batch = ids_of(ours, 1, 30)
    torch.testing.assert_close(again(batch).logits, ours(batch).logits, **CLOSE)
