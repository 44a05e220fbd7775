"""Models that are not there or cannot be used, downloads and conversions that fail."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.bad_inputs.case import MODEL, Case

WEIGHTS = "model/model.safetensors"
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def folder(kind: str, make: Callable[[Path], object], message: str, **more: Any) -> Case:
    """A good model folder, then damaged."""
    return Case(kind, "score model good.fa out.parquet", message, 4, make=make, **more)


def edited(name: str, **values: object) -> Callable[[Path], object]:
    """Other values in a JSON file of the model; ... takes a key away."""

    def make(place: Path) -> None:
        path = place / "model" / name
        kept = {**json.loads(path.read_text()), **values}
        path.write_text(json.dumps({key: value for key, value in kept.items() if value is not ...}))

    return make


def pickled(place: Path) -> None:
    """Weights as a pickle instead of safetensors."""
    (place / WEIGHTS).rename(place / "model/pytorch_model.bin")


def cut(place: Path) -> None:
    """The last 100 bytes of the weights gone."""
    path = place / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def sharded(place: Path) -> None:
    """The model in several files."""
    from genolm.models.checkpoints.convert import convert

    convert(MODEL, place / "model", max_shard_bytes=150_000, overwrite=True)


def shard_missing(place: Path) -> None:
    """One of several files gone."""
    sharded(place)
    next((place / "model").glob("model-00002-of-*.safetensors")).unlink()


def byte_pairs(place: Path) -> None:
    """A vocabulary of pieces without what makes them."""
    vocabulary = {"A": 5, "C": 7, "G": 6, "T": 8, "N": 9, "ATTA": 10}
    (place / "model/tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary}}))


class Carrier:
    """Runs a line of Python when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("open('marker', 'w')",)


def gena(name: str, **values: object) -> Callable[[Path], object]:
    """A tiny encoder in the layout in which GENA-LM is published, with other values in its config."""

    def make(place: Path) -> None:
        from genolm.models.checkpoints.convert import convert

        convert(name, place / "model", overwrite=True)
        (place / "model/card.json").unlink()  # no card tells the sum of weights that are to be damaged
        edited("config.json", **values)(place)

    return make


def gena_pickle(place: Path) -> None:
    """GENA's weights as a pickle that carries code."""
    import torch

    gena("tiny-random-bert")(place)
    (place / WEIGHTS).unlink()
    torch.save({"weights": Carrier()}, place / "model/pytorch_model.bin")


def carries_code(path: Path) -> None:
    """Something in the file that is no plain data."""
    import torch

    torch.save({"checkpoint_version": 3.0, "model": {}, "rng_state": Carrier()}, path)


def cut_in_two(path: Path) -> None:
    """Half of the file gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def megatron_run(damage: Callable[[Path], object] | None = None, **arguments: object) -> Callable[[Path], object]:
    """A checkpoint of Megatron without weights, with these arguments beside good ones."""

    def make(place: Path) -> None:
        import argparse

        import torch

        told = {"num_layers": 3, "hidden_size": 48, "num_attention_heads": 6, "num_query_groups": 2, "kv_channels": 16}
        told |= {"ffn_hidden_size": 96, "padded_vocab_size": 32, "max_position_embeddings": 4096, "rotary_base": 10_000}
        path = place / "run/iter_0000005/mp_rank_00/model_optim_rng.pt"
        path.parent.mkdir(parents=True)
        (place / "run/latest_checkpointed_iteration.txt").write_text("5")
        named = argparse.Namespace(**told, untie_embeddings_and_output_weights=True, **arguments)
        torch.save({"checkpoint_version": 3.0, "args": named, "model": {}}, path)
        if damage is not None:
            damage(path)

    return make


CASES = (
    Case(
        "model: an unknown name",
        "score genos-1.2 good.fa out.parquet",
        "unknown model 'genos-1.2': did you mean genos-1.2b? genolm models lists the names; a folder or a hub id ORGANISATION/NAME is also accepted",
        4,
    ),
    Case("model: a path that is not there", "score ./my/model good.fa out.parquet", "./my/model: no such folder", 4),
    Case(
        "model: a file instead of a folder",
        "score genome.fa good.fa out.parquet",
        "genome.fa: a file; give the model's folder",
        4,
    ),
    folder(
        "model: a folder without config.json",
        lambda place: (place / "model/config.json").unlink(),
        "model: not a model folder: config.json is missing",
    ),
    folder(
        "model: config.json is not JSON",
        lambda place: (place / "model/config.json").write_text("{"),
        "model/config.json: not readable as JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    folder(
        "model: an unknown model_type",
        edited("config.json", model_type="hyena"),
        "model/config.json: unknown model_type 'hyena'; expected one of mixtral, mistral, llama, genolm-decoder",
    ),
    folder(
        "model: a config without a size",
        edited("config.json", hidden_size=...),
        "model/config.json: hidden_size must be a whole number, not None",
    ),
    folder(
        "model: a size that is not a number",
        edited("config.json", hidden_size="48"),
        "model/config.json: hidden_size must be a whole number, not '48'",
    ),
    folder(
        "model: sliding-window attention",
        edited("config.json", sliding_window=4096),
        "model/config.json: sliding_window 4096 is not supported; sliding_window must be null",
    ),
    folder(
        "model: a config of another shape than its weights",
        edited("config.json", intermediate_size=128),
        "model: model.layers.0.mlp.gate_proj.weight has the shape [96, 48]; its config expects [128, 48]",
    ),
    folder(
        "model: a config of more layers than its weights",
        edited("config.json", num_hidden_layers=4),
        "model: missing tensor model.layers.3.input_layernorm.weight (and 8 more: model.layers.3.self_attn.q_proj.weight, model.layers.3.self_attn.k_proj.weight, model.layers.3.self_attn.v_proj.weight, model.layers.3.self_attn.o_proj.weight, ...)",
    ),
    folder(
        "model: no weights",
        lambda place: (place / WEIGHTS).unlink(),
        "model: neither model.safetensors nor model.safetensors.index.json was found",
    ),
    folder(
        "model: weights as a pickle",
        pickled,
        "model: its weights are a pickle (pytorch_model.bin). A pickle can contain code, so genolm loads only safetensors; genolm convert model OUT reads it once, as plain data, and writes them",
    ),
    folder(
        "model: weights that are cut off",
        cut,
        "model/model.safetensors: 329924 bytes, but its header requires 330024; truncated or damaged",
    ),
    folder(
        "model: weights that are a Git LFS pointer",
        lambda place: (place / WEIGHTS).write_text("version https://git-lfs"),
        "model/model.safetensors: the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again",
    ),
    folder(
        "model: weights that are no safetensors",
        lambda place: (place / WEIGHTS).write_text("these are no weights at"),
        "model/model.safetensors: not a safetensors file, or truncated within its header (23 bytes)",
    ),
    folder(
        "model: a shard is missing",
        shard_missing,
        "model/model.safetensors.index.json: names model-00002-of-00003.safetensors, which is missing; copy or download it again",
    ),
    folder(
        "model: weights that were changed",
        edited("card.json", sha256="0" * 64),
        "model/model.safetensors: its SHA-256 is <sha256>, but its card states <sha256>; the file was changed or damaged",
    ),
    folder(
        "model: a card with an unknown key",
        edited("card.json", colour="blue"),
        "model/card.json: unknown key in a model card: colour",
    ),
    folder(
        "model: a vocabulary of pieces without merges",
        byte_pairs,
        "model/tokenizer.json: has the piece 'ATTA', but no merges",
    ),
    folder(
        "model: an unknown kind of tokenizer",
        lambda place: (place / "model/tokenizer.json").write_text("{}"),
        "model/tokenizer.json: the vocabulary lacks A, C, G, T, N",
    ),
    Case(
        "model: nothing to download",
        f"download {MODEL} here",
        "tiny-random-dense: nothing to download, it comes with genolm",
        4,
    ),
    Case(
        "model: not a hub id",
        "download genos here",
        "'genos' is neither a downloadable model of `genolm models` nor a hub id ORGANISATION/NAME",
        4,
    ),
    Case(
        "download: the hub does not know it",
        "download nobody/nothing here",
        "https://huggingface.co/api/models/nobody/nothing/revision/main?blobs=true: not found; check the spelling of ORGANISATION/NAME, set HF_ENDPOINT to a mirror of the hub, or give a folder with the model (HTTP 404)",
        7,
    ),
    Case(
        "download: no network",
        "download genos-1.2b here",
        "http://127.0.0.1:9/api/models/BGI-HangzhouAI/Genos-1.2B/revision/main?blobs=true: [Errno 111] Connection refused; check the network (behind a proxy: HTTPS_PROXY), then try again, set HF_ENDPOINT to a mirror of the hub, or give a folder with the model",
        7,
        environment=NOWHERE,
    ),
    Case(
        "download: forbidden by HF_HUB_OFFLINE",
        "download genos-1.2b here",
        "BGI-HangzhouAI/Genos-1.2B is not in the cache and HF_HUB_OFFLINE forbids downloading it; unset it, or give a folder with the model",
        7,
        environment={"HF_HUB_OFFLINE": "1"},
    ),
    Case(
        "a model that must be downloaded, without a network",
        "score genos-1.2b good.fa out.parquet",
        "http://127.0.0.1:9/api/models/BGI-HangzhouAI/Genos-1.2B/revision/main?blobs=true: [Errno 111] Connection refused; check the network (behind a proxy: HTTPS_PROXY), then try again, set HF_ENDPOINT to a mirror of the hub, or give a folder with the model",
        7,
        environment=NOWHERE,
    ),
    Case(
        "convert: a k-mer model to the huggingface layout",
        "convert tiny-random-kmer converted",
        "a k-mer table cannot be expressed in the huggingface layout; pass --to genolm to use a layout that can",
        4,
    ),
    Case(
        "convert: the folder exists",
        f"convert {MODEL} model",
        "model exists; choose another folder, or pass --overwrite to replace it",
        5,
    ),
    Case(
        "convert: --overwrite of a folder that is not a model folder",
        f"convert {MODEL} thesis --overwrite",
        "thesis is not a model folder (config.json is missing); refusing to overwrite it",
        5,
        {"thesis": None, "thesis/chapter.txt": "precious"},
    ),
    Case(
        "convert: --overwrite of its own source",
        "convert model model --to genolm --overwrite",
        "model holds the source of the conversion; choose another folder",
        5,
    ),
    folder(
        "model: norms before the blocks under a config that says after",
        gena("tiny-random-bert", pre_layer_norm=..., last_layer_norm=...),
        "model: has norms before the blocks (bert.encoder.layer.0.pre_attention_ln.weight), but its config expects them after the blocks (pre_layer_norm false); it would load into the wrong modules",
    ),
    folder(
        "model: a final norm that the config denies",
        gena("tiny-random-bert", last_layer_norm=False),
        "model: has a final norm (bert.encoder.last_layer_ln.weight), but its config has last_layer_norm false",
    ),
    folder(
        "model: no final norm under a config that does not deny it",
        gena("tiny-random-bert-nolast", last_layer_norm=...),
        "model: has no final norm (bert.encoder.last_layer_ln.weight), but its config has last_layer_norm true (the default with pre_layer_norm)",
    ),
    folder(
        "model: rotary frequencies under a config that says absolute",
        gena("tiny-random-sparse-rotary", position_embedding_type="absolute"),
        "model: has rotary positions (bert.encoder.layer.0.attention.self.rotary_emb.inv_freq), but its config has position_embedding_type absolute",
    ),
    folder(
        "model: block layouts under a config of dense attention",
        gena("tiny-random-sparse", sparse_attention=None),
        "model: has block layouts (bert.encoder.layer.0.attention.self.sparse_self_attention.master_layout), but its config has no sparse_attention",
    ),
    folder(
        "model: an encoder whose config does not tell epsilon",
        gena("tiny-random-bert", layer_norm_eps=...),
        "model/config.json: layer_norm_eps must be a number, not None",
    ),
    Case(
        "convert: an encoder to the megatron layout",
        "convert tiny-random-bert converted --to megatron",
        "the megatron layout holds decoders only; this is an encoder",
        4,
    ),
    Case(
        "convert: a published pickle that carries code",
        "convert model converted",
        "model/pytorch_model.bin: names builtins.exec, which is not plain data; opening it could run code, so it is refused",
        4,
        make=gena_pickle,
    ),
    Case(
        "convert: an unknown layout",
        f"convert {MODEL} converted --to pickle",
        "Invalid value for '--to': 'pickle' is not one of 'huggingface', 'genolm', 'megatron'.",
        2,
    ),
    Case(
        "convert: a k-mer model to the megatron layout",
        "convert tiny-random-kmer converted --to megatron",
        "a k-mer table cannot be expressed in the megatron layout; pass --to genolm to use a layout that can",
        4,
    ),
    Case(
        "convert: a folder in another layout than --from says",
        "convert model converted --from genolm",
        "model: has the layout huggingface, not genolm",
        4,
    ),
    Case(
        "convert: a pickle that carries code",
        "convert run converted --from megatron",
        "run/iter_0000005/mp_rank_00/model_optim_rng.pt: names builtins.exec, which is not plain data; opening it could run code, so it is refused",
        4,
        make=megatron_run(carries_code),
    ),
    Case(
        "convert: a Megatron checkpoint that is cut off",
        "convert run converted --from megatron",
        "run/iter_0000005/mp_rank_00/model_optim_rng.pt: not a complete file of torch.save: truncated, or written by torch before 1.6",
        4,
        make=megatron_run(cut_in_two),
    ),
    Case(
        "convert: a rank of a Megatron checkpoint is missing",
        "convert run converted --from megatron",
        "run/iter_0000005: tensor_model_parallel_size is 2, but there are folders for 1",
        4,
        make=megatron_run(tensor_model_parallel_size=2),
    ),
    Case(
        "convert: a Megatron setting that is not computed here",
        "convert run converted --from megatron",
        "run/iter_0000005: apply_layernorm_1p True is not supported; apply_layernorm_1p must be False",
        4,
        make=megatron_run(apply_layernorm_1p=True),
    ),
    Case(
        "convert: a Megatron checkpoint of another shape than its arguments",
        "convert run converted --from megatron",
        "run/iter_0000005: missing tensor embedding.word_embeddings.weight (and 20 more: decoder.layers.0.self_attention.linear_qkv.layer_norm_weight, decoder.layers.0.self_attention.linear_qkv.weight, decoder.layers.0.self_attention.linear_proj.weight, decoder.layers.0.mlp.linear_fc1.layer_norm_weight, ...)",
        4,
        make=megatron_run(),
    ),
    Case(
        "model: a Megatron checkpoint as it stands",
        "score run good.fa out.parquet",
        "run: a Megatron checkpoint, which cannot be used directly; convert it first: genolm convert run OUT --from megatron --to genolm",
        4,
        make=megatron_run(),
    ),
    Case(
        "model: one that is published for Megatron only",
        "score gengram-10b good.fa out.parquet",
        "gengram-10b: published only as a Megatron checkpoint, which genolm does not download. Get it from its authors, convert it (genolm convert CHECKPOINT OUT --from megatron --like gengram-10b --to genolm) and use the folder OUT",
        4,
    ),
    Case(
        "download: one that is published for Megatron only",
        "download gengram-10b here",
        "gengram-10b: published only as a Megatron checkpoint, which genolm does not download. Get it from its authors, convert it (genolm convert CHECKPOINT OUT --from megatron --like gengram-10b --to genolm) and use the folder OUT",
        4,
    ),
    Case(
        "cite: no paper",
        "cite hyena",
        "no known paper for 'hyena'; expected a model of one of the families genos, gengram, gena-lm, moderngena, genomeocean",
        4,
    ),
    Case(
        "info: an unknown name",
        "info genos-1.3b",
        "unknown model 'genos-1.3b': did you mean genos-1.2b? genolm models lists the names; a folder or a hub id ORGANISATION/NAME is also accepted",
        4,
    ),
)
