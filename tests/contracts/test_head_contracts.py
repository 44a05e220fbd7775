"""Heads on every backbone: padding has no effect, a batch is its rows, and a folder gives back every bit."""

import pytest
import torch
from tests.contracts.zoo_networks import model_of, random_network, random_token_network, token_model_of

import genolm
from genolm.errors import ModelError
from genolm.models.heads.head_config import LabelHeadConfig, ProjectionHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork, build_head
from genolm.models.model import Model, fingerprint
from genolm.models.networks.network import tensors_of

CLOSE = {"atol": 2e-5, "rtol": 2e-4}
BACKBONES = [
    "genos-1.2b",
    "genolm-nano",
    "gengram-10b",
    "genomeocean-100m",
    "gena-lm-bert-base-t2t",
    "gena-lm-bigbird-base-t2t",
    "moderngena-base",
    "tiny-random-rmt",
]


def model_with_heads(name):
    """Return a model with heads of every kind, whose batch norms have seen a training step."""
    if name == "tiny-random-rmt":
        plain = genolm.load(name, device="cpu")
    elif name.startswith(("genos", "gengram", "genolm")):
        plain = model_of(random_network(name))
    else:
        plain = token_model_of(random_token_network(name))
    both = plain.tokenizer.bases_per_token == 1
    configs = {
        "tracks": TrackHeadConfig(("a", "b"), units=("reads", "reads"), means=(2.0, 3.0), both_sides=both),
        "tokens": LabelHeadConfig(("x", "y", "z"), of="token", hidden=6, both_sides=both and None),
        "sequence": LabelHeadConfig(("level",), task="regression"),
        "projection": ProjectionHeadConfig(5, of="sequence", pooling="last"),
    }
    heads = {key: build_head(config, plain.config, seed=2) for key, config in configs.items()}
    network = HeadedNetwork(plain.headed.backbone, heads, plain.tokenizer).train()
    with torch.inference_mode(False), torch.no_grad():
        network(rows_of(plain, (40,))[0][None])
    return Model(plain.network, plain.tokenizer, plain.card, heads=network.added)


def rows_of(model, lengths):
    """Return rows of random tokens, with the special tokens of the model around them."""
    generator = torch.Generator().manual_seed(0)
    low, high = (5, 10) if model.tokenizer.bases_per_token == 1 else (8, 100)
    begin, end = list(model.begin_ids), list(model.end_ids)
    bodies = [torch.randint(low, high, (length,), generator=generator).tolist() for length in lengths]
    return [torch.tensor([*begin, *body, *end]) for body in bodies]


@pytest.fixture(scope="module", params=BACKBONES)
def headed(request):
    return model_with_heads(request.param)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_and_neighbours_have_no_effect_on_heads(headed, side):
    rows = rows_of(headed, (29, 1, 12))
    width = max(map(len, rows)) + 7
    ids, mask = torch.full((3, width), headed.tokenizer.pad_id), torch.zeros(3, width, dtype=torch.bool)
    for number, row in enumerate(rows):
        own = slice(0, len(row)) if side == "right" else slice(width - len(row), width)
        ids[number, own], mask[number, own] = row, True
    together = headed.head_outputs(ids, mask)
    for number, row in enumerate(rows):
        alone = headed.head_outputs(row[None])
        for name, outputs in together.items():
            own = outputs[number] if outputs.ndim == 2 else outputs[number][mask[number]]
            torch.testing.assert_close(own, alone[name][0], **CLOSE)
            assert outputs.ndim == 2 or not outputs[~mask].any()


def test_training_statistics_do_not_depend_on_padding(headed):
    statistics = []
    for padding in (0, 9):
        rows = rows_of(headed, (20, 20))
        ids = torch.stack([torch.cat((row, row.new_full((padding,), headed.tokenizer.pad_id))) for row in rows])
        mask = torch.arange(ids.shape[1]).expand_as(ids) < len(rows[0])
        head = build_head(headed.heads["tracks"], headed.config, seed=2).train()
        network = HeadedNetwork(headed.headed.backbone, {"tracks": head}, headed.tokenizer)
        head.dropout.p = 0.0
        network(ids, mask_BL=mask)
        statistics.append(torch.cat([head.bn1.running_mean, head.bn2.running_mean, head.bn2.running_var]))
        network.eval()
    torch.testing.assert_close(*statistics, **CLOSE)


@pytest.mark.parametrize("layout", ["genolm", "huggingface"])
def test_a_folder_gives_back_every_bit(headed, layout, tmp_path):
    if layout == "huggingface" and not _published(headed):
        with pytest.raises(ModelError, match="express"):
            genolm.save(headed, tmp_path / "model", layout=layout)
        return
    folder = genolm.save(headed, tmp_path / "model", layout=layout)
    loaded = genolm.load(folder, device="cpu", dtype="float32")
    assert loaded.heads == headed.heads
    before, after = _tensors(headed), _tensors(loaded)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(bool(tensor.any()) for name, tensor in after.items() if name.endswith("running_mean"))
    half = genolm.load(folder, device="cpu", dtype="bfloat16")
    assert torch.equal(half.added_heads["tracks"].bn1.running_var, headed.added_heads["tracks"].bn1.running_var)
    row = rows_of(headed, (17,))[0][None]
    for name, outputs in headed.head_outputs(row).items():
        assert torch.equal(outputs, loaded.head_outputs(row)[name])


def _published(model):
    if model.causal:
        return not model.config.kmer_orders and model.config.gengram is None
    return model.recurrent is None


def _tensors(model):
    heads = {f"{name} {key}": x for name, head in model.added_heads.items() for key, x in tensors_of(head).items()}
    return {**tensors_of(model.network), **heads}


def test_heads_belong_to_the_fingerprint(headed):
    without = Model(headed.network, headed.tokenizer, headed.card)
    assert headed.fingerprint != without.fingerprint
    head = headed.added_heads["tracks"]
    head.bn1.running_mean += 1
    assert fingerprint(headed.headed) != headed.fingerprint
    head.bn1.running_mean -= 1


@pytest.mark.parametrize("part", [False, True])
def test_vectors_of_the_same_ids_change_no_bit(headed, part):
    rows = rows_of(headed, (23, 23))
    ids = torch.stack(rows)
    root = headed.headed.root
    table = root.embedding if headed.causal else root.embedding.tokens
    replaced = (torch.arange(ids.shape[1]) % 3 == 1).expand_as(ids) if part else None
    layers = range(headed.config.num_layers + 1)
    plain = headed.hidden_states(ids, layers=layers)
    vectors = table(ids) if replaced is None else table(ids).masked_fill(~replaced[..., None], 7.0)
    given = headed.hidden_states(ids, layers=layers, vectors_BLD=vectors, replaced_BL=replaced)
    assert all(torch.equal(plain[layer], given[layer]) for layer in layers)
    other = headed.hidden_states(ids, layers=layers, vectors_BLD=table(ids) + 1, replaced_BL=replaced)
    assert not torch.equal(plain[headed.config.num_layers], other[headed.config.num_layers])
