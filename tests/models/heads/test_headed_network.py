"""Backbones with named heads."""

import dataclasses

import pytest
import torch

import genolm
from genolm.errors import ModelError
from genolm.models.heads.head_config import LabelHeadConfig, ProjectionHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork, build_head
from genolm.models.heads.reverse_strand import reverse_strand
from genolm.models.networks.network import load_tensors, tensors_of
from genolm.models.networks.random_weights import random_network
from genolm.tokens.complements import complement_ids
from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer

TOKEN = LabelHeadConfig(("a", "b"), of="token")
TOKENIZER = NucleotideTokenizer()
CLS, SEP = GENOS["[CLS]"], GENOS["[SEP]"]


def headed(name, **configs):
    model = genolm.load(name, dtype="float32")
    heads = {key: build_head(config, model.config, seed=3) for key, config in configs.items()}
    return HeadedNetwork(model.headed.backbone, heads, model.tokenizer).eval()


def encoded(sequence):
    return torch.from_numpy(TOKENIZER.encode(sequence).astype("int64"))


def test_the_reverse_strand_of_bases_between_special_tokens():
    ids = torch.stack(
        [
            torch.tensor([14, CLS, *encoded("ACCN"), SEP, 14]),
            torch.tensor([*encoded("GA"), GENOS["<EOD>"], *encoded("TTG"), 14, 14]),
        ]
    )
    mask = ids != 14
    complements = torch.from_numpy(complement_ids(TOKENIZER))
    turned, mirror = reverse_strand(ids, mask, complements)
    assert TOKENIZER.decode(turned[0].numpy()) == "<PAD>[CLS]NGGT[SEP]<PAD>"
    assert TOKENIZER.decode(turned[1].numpy()) == "TC<EOD>CAA<PAD><PAD>"
    assert torch.equal(mirror.gather(1, mirror), torch.arange(8).expand(2, 8))
    again, _ = reverse_strand(turned, mask, complements)
    assert torch.equal(again, ids)


def test_a_masked_base_does_not_interrupt_a_sequence():
    ids = torch.tensor([[*encoded("AC"), GENOS["[MASK]"], *encoded("G")]])
    turned, _ = reverse_strand(ids, torch.ones_like(ids).bool(), torch.from_numpy(complement_ids(TOKENIZER)))
    assert TOKENIZER.decode(turned[0].numpy()) == "C[MASK]GT"


@pytest.mark.parametrize("name", ["tiny-random", "tiny-random-gengram"])
def test_both_states_of_a_base_are_computed_by_hand(name):
    network = headed(name, labels=TOKEN)
    sequence, reverse = encoded("ACGGTNACA"), encoded("TGTNACCGT")
    last = network.config.num_layers
    with torch.no_grad():
        states = [network.backbone(ids[None], layers=[last]).hidden[last][0] for ids in (sequence, reverse)]
        joined = torch.cat((states[0], states[1].flip(0)), -1)
        expected = network.head("labels").output(joined)
        torch.testing.assert_close(network(sequence[None])["labels"][0], expected, atol=2e-6, rtol=1e-5)


def test_a_head_may_read_one_side_only():
    network = headed("tiny-random", labels=dataclasses.replace(TOKEN, both_sides=False))
    with torch.no_grad():
        one, other = (network(encoded(f"ACGG{rest}")[None])["labels"][0, :4] for rest in ("TTA", "CCG"))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    both = headed("tiny-random", labels=TOKEN)
    with torch.no_grad():
        one, other = (both(encoded(f"ACGG{rest}")[None])["labels"][0, :4] for rest in ("TTA", "CCG"))
    assert ((one - other).abs() > 1e-3).all()


def test_a_bidirectional_backbone_is_read_once():
    network = headed("tiny-random-bert", labels=TOKEN)
    assert network.head("labels").width == network.config.hidden_size


def test_tokens_of_several_bases_have_no_reverse_strand():
    with pytest.raises(ModelError, match=r"head labels reads both sides of a causal backbone.*set both_sides to false"):
        headed("tiny-random-ocean", labels=TOKEN)
    headed("tiny-random-ocean", labels=dataclasses.replace(TOKEN, both_sides=False))


def test_built_in_heads_have_names_and_their_own_numbers():
    model = genolm.load("tiny-random-bigbird")
    network = random_network(dataclasses.replace(model.config, sentence_head=True, labels=3), seed=1).eval()
    encoder = HeadedNetwork(network, {}, model.tokenizer)
    assert list(encoder.head_configs) == ["masked", "pooler", "sentence", "labels"]
    ids = torch.tensor([[1, 10, 11, 12, 2]])
    with torch.no_grad():
        outputs, direct = encoder(ids, heads=encoder.head_configs), network(ids)
    values = (direct.logits, direct.pooled_BD, direct.sentence_B2, direct.labels)
    assert all(torch.equal(output, value) for output, value in zip(outputs.values(), values, strict=True))
    decoder = headed("tiny-random", vector=ProjectionHeadConfig(3))
    with torch.no_grad():
        outputs = decoder(encoded("ACGT")[None], heads=["language", "vector"])
        assert torch.equal(outputs["language"], decoder.backbone(encoded("ACGT")[None]).logits_BLV)
    assert outputs["vector"].shape == (1, 4, 3)


def test_names_must_be_new_and_known():
    with pytest.raises(ModelError, match="masked is a built-in head"):
        headed("tiny-random-bert", masked=TOKEN)
    with pytest.raises(ModelError, match="values is a reserved word"):
        headed("tiny-random", values=TOKEN)
    with pytest.raises(ModelError, match="there is no head 'tracks'; there are: language, labels"):
        headed("tiny-random", labels=TOKEN)(encoded("ACGT")[None], heads=["tracks"])


def test_a_head_belongs_to_a_width():
    model = genolm.load("tiny-random")
    narrow = build_head(TOKEN, dataclasses.replace(model.config, hidden_size=8))
    with pytest.raises(ModelError, match="head labels has the input width 16, but its backbone requires 96"):
        HeadedNetwork(model.network, {"labels": narrow}, model.tokenizer)


def test_the_first_token_of_a_decoder_says_nothing():
    with pytest.raises(ModelError, match="pooling first is not applicable to a causal backbone"):
        headed("tiny-random", labels=LabelHeadConfig(("a", "b"), pooling="first"))


def test_pooling_leaves_special_tokens_and_padding_out():
    network = headed("tiny-random", mean=LabelHeadConfig(("a", "b")), last=LabelHeadConfig(("a", "b"), pooling="last"))
    ids = torch.tensor([[14, CLS, *encoded("ACG"), SEP]])
    last = network.config.num_layers
    with torch.no_grad():
        outputs = network(ids, mask_BL=ids != 14)
        x = network.backbone(ids[:, 1:], layers=[last]).hidden[last][0]
        expected = network.head("mean").output(x[1:4].mean(0))
        torch.testing.assert_close(outputs["mean"][0], expected, atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(outputs["last"][0], network.head("last").output(x[-1]), atol=2e-6, rtol=1e-5)
        with pytest.raises(ModelError, match=r"row 0 \(0-based\) has no tokens to pool"):
            network(torch.tensor([[CLS, SEP]]), heads=["mean"])


def test_initial_weights_depend_on_the_seed_only():
    config = genolm.load("tiny-random").config
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build_head(TOKEN, config, seed).output.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (LabelHeadConfig(("a", "b")), [0.7310586, 0.2689414]),
        (LabelHeadConfig(("a", "b"), task="multilabel"), [0.7310586, 0.5]),
        (LabelHeadConfig(("a", "b"), task="regression", means=(1.0, 2.0), deviations=(3.0, 4.0)), [4.0, 2.0]),
    ],
)
def test_predictions_of_labels(config, values):
    head = build_head(config, genolm.load("tiny-random").config)
    torch.testing.assert_close(head.predictions(torch.tensor([1.0, 0.0])), torch.tensor(values))


def test_gradients_reach_backbone_and_heads_on_both_strands():
    network = headed("tiny-random", tracks=TrackHeadConfig(("a",))).train()
    network(encoded("ACGTTACG")[None])["tracks"].sum().backward()
    assert all(weight.grad is not None for weight in network.heads.parameters())
    assert network.backbone.embedding.weight.grad.abs().sum() > 0


def test_tensors_are_restored_strictly():
    network = headed("tiny-random", tracks=TrackHeadConfig(("a",)))
    tensors = {name: tensor.clone() for name, tensor in tensors_of(network).items()}
    assert "heads.tracks.bn1.running_mean" in tensors and "heads.tracks.bn2.num_batches_tracked" in tensors
    load_tensors(network, tensors, "copy")
    for change, message in (
        ({"extra": torch.zeros(1)}, "copy: unexpected tensor extra"),
        ({"heads.tracks.scale": torch.zeros(2)}, r"scale has the shape \[2\]; expected \[1\]"),
        ({"heads.tracks.bn1.num_batches_tracked": torch.tensor(1.0)}, "holds torch.float32; expected torch.int64"),
    ):
        with pytest.raises(ModelError, match=message):
            load_tensors(network, tensors | change, "copy")
    del tensors["heads.tracks.bn1.running_mean"]
    with pytest.raises(ModelError, match=r"copy: missing tensor heads.tracks.bn1.running_mean"):
        load_tensors(network, tensors, "copy")
