"""The decoder equals the published classes with the same weights."""

import pytest
import torch
from tests.contracts.zoo_networks import DECODERS, model_of, random_network, zoo_config

from genolm.models.adapters.huggingface.huggingface_config import expressible, write_config
from genolm.models.checkpoints.convert import save
from genolm.tasks.generation.generate import generate

transformers = pytest.importorskip("transformers")
CLOSE = {"atol": 5e-5, "rtol": 1e-4}
EXPRESSIBLE = [name for name in DECODERS if expressible(zoo_config(name))]


@pytest.fixture(scope="module", params=EXPRESSIBLE)
def pair(request, tmp_path_factory):
    """Return a network and the published class with its weights, loaded from the exported folder."""
    ours = random_network(request.param)
    folder = tmp_path_factory.mktemp("exported") / "model"
    save(model_of(ours), folder)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return ours, theirs.eval()


def test_a_published_class_is_compared_for_experts_and_dense():
    kinds = {write_config(zoo_config(name).shrunk())["model_type"] for name in EXPRESSIBLE}
    assert kinds == {"mixtral", "mistral"}


def test_logits_and_hidden_states_equal_transformers(pair, ids):
    ours, theirs = pair
    batch = ids(2, 37)
    expected = theirs(batch, output_hidden_states=True)
    found = ours(batch, layers=range(ours.config.num_layers + 1))
    torch.testing.assert_close(found.logits_BLV, expected.logits, **CLOSE)
    for layer, hidden in enumerate(expected.hidden_states):
        torch.testing.assert_close(found.hidden[layer], hidden, **CLOSE)


def test_left_padded_logits_equal_transformers(pair, ids):
    ours, theirs = pair
    batch, mask = ids(2, 30), torch.ones(2, 30, dtype=torch.bool)
    mask[1, :12] = False
    batch = batch.masked_fill(~mask, ours.config.pad_id)
    positions = torch.arange(30).expand(2, 30)
    expected = theirs(batch, attention_mask=mask.long(), position_ids=positions).logits
    torch.testing.assert_close(ours(batch, mask_BL=mask).logits_BLV[mask], expected[mask], **CLOSE)


def test_far_positions_equal_transformers(pair, ids):
    ours, theirs = pair
    batch, positions = ids(1, 20), torch.arange(20)[None] * 3 + 9000
    expected = theirs(batch, position_ids=positions).logits
    torch.testing.assert_close(ours(batch, positions_BL=positions).logits_BLV, expected, atol=1e-4, rtol=1e-3)


def test_greedy_continuation_equals_transformers(pair, ids):
    """Uses the package's generation with its cache."""
    ours, theirs = pair
    model = model_of(ours)
    tokenizer = model.tokenizer
    prompt = ids(1, 12)
    bases = list(tokenizer.base_ids)
    expected = prompt
    for _ in range(16):
        chosen = theirs(expected).logits[:, -1, bases].argmax(-1)
        expected = torch.cat((expected, torch.tensor(bases)[chosen][None]), 1)
    table = generate(model, [tokenizer.decode(prompt[0].numpy())], length=16, temperature=0).table
    assert table["generated"][0] == tokenizer.decode(expected[0, 12:].numpy())
