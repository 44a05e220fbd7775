"""Fixtures: a small model and a small genome."""

import json
import random

import pytest
import torch

from genolm.models.card import Card
from genolm.models.checkpoints.load import load
from genolm.models.model import Model
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.random_weights import random_decoder, random_network
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_vocabulary import Vocabulary
from genolm.tokens.published import published


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny():
    """An untrained dense decoder on the CPU."""
    return load("tiny-random-dense", device="cpu")


@pytest.fixture(scope="session")
def contigs():
    """Two contigs of 300 and 120 bases, the first with a run of N."""
    source = random.Random(11)
    one, two = ("".join(source.choices("ACGT", k=count)) for count in (300, 120))
    return {"chr1": one[:100] + "NNNN" + one[104:], "chr2": two}


@pytest.fixture(scope="session")
def genome_path(contigs, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return path


@pytest.fixture
def fasta(tmp_path):
    """Five short sequences in a file."""
    source = random.Random(2)
    path = tmp_path / "genes.fa"
    lengths = enumerate((12, 40, 1, 33, 25))
    path.write_text("".join(f">gene{n}\n{''.join(source.choices('ACGT', k=size))}\n" for n, size in lengths))
    return path


@pytest.fixture
def bed(tmp_path):
    """Four unsorted, non-overlapping intervals on both strands; one extends beyond its contig."""
    path = tmp_path / "regions.bed"
    path.write_text("chr2\t10\t40\tb\t0\t-\n1\t95\t130\ta\t0\t+\nchr2\t100\t140\td\t0\t+\nchr1\t0\t20\tc\t0\t-\n")
    return path


def byte_pair_tokenizer(merges=("A C", "G T", "AC GT", "T T", "A N", "N N", "TT T", "G C", "TT TTT")):
    """A small vocabulary in GenomeOcean's order of ids: special tokens, A C G N T, then the merges."""
    names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    pieces = [*names, *"ACGNT", *(merge.replace(" ", "") for merge in merges)]
    values = {
        "model": {
            "type": "BPE",
            "unk_token": "[UNK]",
            "vocab": {piece: number for number, piece in enumerate(pieces)},
            "merges": list(merges),
        },
        "added_tokens": [{"id": number, "content": name, "special": True} for number, name in enumerate(names)],
    }
    return BpeTokenizer(Vocabulary.parse(json.dumps(values).encode(), "toy"))


def ocean_model(*, context=64, begin=("[CLS]",), vocab=24, seed=3, **changes):
    """An untrained decoder like GenomeOcean's, with more embedding rows than tokens."""
    numbers = {"hidden_size": 24, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "ffn_size": 32}
    config = DecoderConfig(**{"vocab_size": vocab, **numbers, "rope_theta": 1e6, "pad_id": 3, **changes})
    card = Card("toy-ocean", family="genomeocean", context=context, begin=begin)
    tokenizer = byte_pair_tokenizer()
    return Model(random_decoder(config, seed, tokenizer.base_ids, tokenizer.n_id), tokenizer, card)


@pytest.fixture(scope="session")
def ocean():
    """A byte-pair decoder that reads 64 tokens."""
    return ocean_model()


def _token_model(config):
    tokenizer = published("t2t_1000h_multi_32k")
    network = random_network(config, seed=5, base_ids=tokenizer.base_ids, n_id=tokenizer.n_id)
    card = Card("tokens", context=40, begin=("[CLS]",), end=("[SEP]",))
    return Model(network, tokenizer, card)


@pytest.fixture(scope="session")
def token_encoder():
    """An untrained encoder with a context of 40 byte-pair tokens, including special tokens."""
    return _token_model(EncoderConfig(32_000, 16, 2, 2, 24, 40))


@pytest.fixture(scope="session")
def token_decoder():
    """An untrained decoder with a context of 40 byte-pair tokens, including special tokens."""
    return _token_model(DecoderConfig(32_000, 16, 2, 2, 2, 8, 24, pad_id=3))


@pytest.fixture(params=["token_encoder", "token_decoder"])
def token_model(request):
    """The encoder or the decoder."""
    return request.getfixturevalue(request.param)
