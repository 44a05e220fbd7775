"""Gengram against vectors that the published module produced."""

import json
from pathlib import Path

import pytest
import torch
from tests.golden_sets.comparison import assert_close, existing, load

from genolm.models.gengram.gengram import Gengram
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.kmer_stream import KmerStream, digits_of, read_kmers

pytestmark = pytest.mark.golden
CASES = ["noconv", "conv", "alt"]
NAMES = {
    "key_proj.weight": "key.weight",
    "value_proj.weight": "value.weight",
    "norm_q.weight": "query_norm.weight",
    "norm_k.weight": "key_norm.weight",
    "short_conv.conv.weight": "conv.weight",
}


@pytest.fixture(scope="module")
def folder(golden_dir: Path) -> Path:
    return existing(golden_dir / "gengram")


def memory_of(folder: Path, case: str) -> Gengram:
    told = json.loads((folder / "config.json").read_text())["cases"][case]
    numbers = told["constructor"]
    config = GengramConfig(
        layers=(1,),
        orders=tuple(numbers["ngram_sizes"]),
        dim=numbers["embed_dim_per_ngram"],
        window=numbers["window_size"],
        conv_kernel=numbers["short_conv_kernel_size"] if numbers["use_short_conv"] else 0,
        conv_dilation=numbers["short_conv_dilation"],
        compat="released-fp32",
    )
    memory = Gengram(config, numbers["hidden_size"], 1e-5)
    weights: dict[str, torch.Tensor] = {}
    for name in told["weights"]:
        weights |= load(folder / f"{name}.safetensors")
    memory.load_state_dict({NAMES.get(n, n.replace("embeddings.", "tables.")): w for n, w in weights.items()})
    return memory


def read(folder: Path, case: str, short: str) -> tuple[dict[str, torch.Tensor], KmerStream]:
    vectors = load(folder / f"case_{case}{short}.safetensors")
    constructor = json.loads((folder / "config.json").read_text())["cases"][case]["constructor"]
    *bases, unknown = constructor["dna_token_ids"]
    rows = 1 + max(int(vectors["input_ids"].max()), *constructor["dna_token_ids"])
    digits = torch.tensor(digits_of(rows, tuple(bases), unknown))[vectors["input_ids"]]
    return vectors, read_kmers(digits)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("short", ["", "_short"])
def test_ids_and_pooled_features(folder: Path, case: str, short: str) -> None:
    memory = memory_of(folder, case)
    vectors, stream = read(folder, case, short)
    pooled = memory.pooled(stream).transpose(0, 1).split(memory.config.dim, -1)
    stored = {name for name in vectors if name.startswith("pooled_n")}
    compared = set()
    for order, ours in zip(memory.config.orders, pooled, strict=True):
        if f"pooled_n{order}" not in vectors:
            continue
        rows, whole = memory.rows(stream, order)
        assert torch.equal(rows, vectors[f"ngram_id_n{order}"].T.long())
        assert torch.equal(whole, vectors[f"ngram_valid_n{order}"].T.bool())
        assert_close(ours, vectors[f"pooled_n{order}"], atol=1e-5)
        compared.add(f"pooled_n{order}")
    assert compared == stored


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("short", ["", "_short"])
@pytest.mark.parametrize("form", ["direct", "folded"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_output(folder: Path, case: str, short: str, form: str, dtype: torch.dtype) -> None:
    memory = memory_of(folder, case).to(dtype)
    memory._folds = lambda stream: form == "folded"  # type: ignore[method-assign]
    vectors, stream = read(folder, case, short)
    with torch.no_grad():
        written, _ = memory(vectors["hidden_states"].transpose(0, 1).to(dtype), stream)
    found = written.update_BLD.transpose(0, 1).double()
    assert_close(found, vectors["output_fp64"].double(), atol=5e-5, rtol=1e-5)
