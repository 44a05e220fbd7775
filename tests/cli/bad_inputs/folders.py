"""Model folders that are not what they seem, and outputs in places where none can be."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.bad_inputs.case import MODEL, Case

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
LONG = "n" * 246 + ".tsv"


def damaged(kind: str, make: Callable[[Path], object], message: str, **more: Any) -> Case:
    """A good model folder without a card, then damaged."""

    def spoil(place: Path) -> None:
        (place / "model/card.json").unlink(missing_ok=True)
        make(place / "model")

    return Case(kind, "score model good.fa out.parquet", message, 4, make=spoil, **more)


def written(name: str, content: str | bytes) -> Callable[[Path], object]:
    """The file with another content."""
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def renamed(change: Callable[[int, str], str]) -> Callable[[Path], object]:
    """The tensors under other names."""

    def make(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        held = load_file(folder / "model.safetensors")
        save_file(
            {change(number, name): one for number, (name, one) in enumerate(held.items())}, folder / "model.safetensors"
        )

    return make


def sharded(folder: Path) -> list[Path]:
    """The model in three files without an index."""
    from genolm.models.checkpoints.convert import convert

    convert(MODEL, folder, max_shard_bytes=150_000, overwrite=True)
    (folder / "card.json").unlink()
    (folder / "model.safetensors.index.json").unlink()
    return sorted(folder.glob("model-*"))


def overlapping(folder: Path) -> None:
    """A tensor of the second shard in the first one too."""
    from safetensors.torch import load_file, save_file

    first, second, _ = sharded(folder)
    save_file({**load_file(first), **dict([next(iter(load_file(second).items()))])}, first)


def two_sets(folder: Path) -> None:
    """Weights in one file beside others in shards."""
    from genolm.models.checkpoints.convert import convert

    whole = (folder / "model.safetensors").read_bytes()
    convert(MODEL, folder, max_shard_bytes=150_000, overwrite=True)
    (folder / "model.safetensors").write_bytes(whole)


def two_values(folder: Path) -> None:
    """A key that is there twice."""
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"hidden_size": 47,', 1))


def sharing_bytes(folder: Path) -> None:
    """Two tensors at one place of the file, and bytes of none at another."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    entries = sorted(
        (entry for name, entry in header.items() if name != "__metadata__"), key=lambda one: one["data_offsets"]
    )
    same = next(one for one, other in zip(entries[1:], entries) if one["shape"] == other["shape"])
    same["data_offsets"] = next(other for one, other in zip(entries[1:], entries) if one is same)["data_offsets"]
    text = json.dumps(header, separators=(",", ":")).encode().ljust(length)
    path.write_bytes(content[:8] + text + content[8 + length :])


def adapter(name: str, **settings: object) -> Callable[[Path], object]:
    """An adapter in a folder, with an empty file of tensors."""

    def make(folder: Path) -> None:
        (folder / name).mkdir(exist_ok=True)
        values = {"peft_type": "LORA", "lora_alpha": 4, "base_model_name_or_path": "../model", **settings}
        (folder / name / "adapter_config.json").write_text(json.dumps(values))
        (folder / name / "adapter_model.safetensors").touch()

    return make


FETCH = "the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again"

CASES = (
    Case(
        "model: an adapter beside its base, with an empty file",
        "score model good.fa out.parquet",
        "model/adapter_model.safetensors: not a safetensors file, or truncated within its header (0 bytes)",
        4,
        make=adapter("model"),
    ),
    Case(
        "model: an adapter alone, with an empty file",
        "score adapter good.fa out.parquet",
        "adapter/adapter_model.safetensors: not a safetensors file, or truncated within its header (0 bytes)",
        4,
        {"adapter": None},
        make=adapter("adapter"),
    ),
    Case(
        "convert: an adapter of another kind than LoRA",
        "convert adapter converted",
        "adapter/adapter_config.json: peft_type 'IA3' is not supported; expected LORA",
        4,
        {"adapter": None},
        make=adapter("adapter", peft_type="IA3"),
    ),
    Case(
        "model: an adapter with an option that changes its meaning",
        "score adapter good.fa out.parquet",
        "adapter/adapter_config.json: the option use_dora is not supported by genolm",
        4,
        {"adapter": None},
        make=adapter("adapter", use_dora=True),
    ),
    damaged(
        "model: a config that is a Git LFS pointer", written("config.json", POINTER), f"model/config.json: {FETCH}"
    ),
    damaged(
        "model: a tokenizer that is a Git LFS pointer",
        written("tokenizer.json", POINTER),
        f"model/tokenizer.json: {FETCH}",
    ),
    damaged(
        "model: an empty config",
        written("config.json", ""),
        "model/config.json: the file is empty; copy or download it again",
    ),
    damaged(
        "model: a config with two values for a key",
        two_values,
        "model/config.json: not readable as JSON: the key 'hidden_size' has two values, 47 and 48",
    ),
    damaged(
        "model: a pickle that is a Git LFS pointer",
        lambda folder: ((folder / "model.safetensors").unlink(), (folder / "pytorch_model.bin").write_text(POINTER)),
        "model: its weights are a pickle (pytorch_model.bin). A pickle can contain code, so genolm loads only safetensors; genolm convert model OUT reads it once, as plain data, and writes them",
    ),
    damaged(
        "model: some tensors of a wrapped model",
        renamed(lambda number, name: name if number else f"module.{name}"),
        "model: missing tensor lm_head.weight; module.lm_head.weight belongs to a wrapped model: save the model without its wrapper (model.module, _orig_mod)",
    ),
    damaged(
        "model: tensors of an adapter that was not merged",
        renamed(lambda number, name: name if number else f"base_model.model.{name}"),
        "model: missing tensor lm_head.weight; there are tensors of a PEFT adapter: merge it (merge_and_unload), then save the model",
    ),
    damaged(
        "model: a shard is missing, and the index",
        lambda folder: sharded(folder)[1].unlink(),
        "model: missing model-00002-of-00003.safetensors, one of 3 shards; copy or download it again",
    ),
    damaged(
        "model: a tensor in two shards",
        overlapping,
        "model/model-00002-of-00003.safetensors: model.layers.1.mlp.down_proj.weight is also in model-00001-of-00003.safetensors; keep one set of weights",
    ),
    damaged(
        "model: two sets of weights",
        two_sets,
        "model: has two sets of weights, model.safetensors and the shards of model.safetensors.index.json; remove one of them",
    ),
    damaged(
        "model: two tensors at one place of the file",
        sharing_bytes,
        "model/model.safetensors: model.embed_tokens.weight does not begin at the end of the tensor before it; the header is damaged",
    ),
    Case(
        "model: the folder around the model's",
        "score outer good.fa out.parquet",
        "outer: not a model folder: config.json is missing; did you mean outer/inner?",
        4,
        {"outer": None, "outer/inner": None, "outer/inner/config.json": "{}"},
    ),
    Case(
        "model: a file of the folder",
        "score model/config.json good.fa out.parquet",
        "model/config.json: a file; give the model's folder, model",
        4,
    ),
    Case(
        "reads that are a Git LFS pointer",
        f"score {MODEL} reads.fa out.parquet",
        f"reads.fa: {FETCH}",
        3,
        {"reads.fa": POINTER},
    ),
    Case(
        "genome: a Git LFS pointer",
        f"variants {MODEL} variants.vcf.gz out.vcf --genome hg38.fa",
        f"hg38.fa: {FETCH}",
        3,
        {"hg38.fa": POINTER},
    ),
    Case(
        "input: below a file",
        f"score {MODEL} good.fa/reads.fa out.parquet",
        "good.fa/reads.fa: cannot be read: Not a directory",
        3,
    ),
    Case(
        "output: below a file",
        f"score {MODEL} good.fa good.fa/out.parquet",
        "good.fa/out.parquet: good.fa is a file, not a folder",
        5,
    ),
    Case(
        "output: a name without room for what a run adds",
        f"score {MODEL} good.fa {LONG}",
        f"{LONG}: the name with .parts, which a run adds, has 256 bytes, and the file system allows 255; choose a shorter name",
        5,
    ),
    Case(
        "output: a name without room for the provenance",
        f"score {MODEL} good.fa {LONG[7:]}",
        f"{LONG[7:]}.provenance.json: the name has 259 bytes, and the file system allows 255; choose a shorter name",
        5,
    ),
    Case(
        "output: the prompts",
        f"generate {MODEL} good.fa good.fa --length 4 --overwrite",
        "good.fa is an input of this run too (good.fa); choose another output",
        5,
    ),
    Case(
        "output: the genome under another name",
        f"generate {MODEL} good.fa link.fa --length 4 --overwrite",
        "link.fa is an input of this run too (good.fa); choose another output",
        5,
        make=lambda folder: (folder / "link.fa").symlink_to("good.fa"),
    ),
    Case(
        "output: the VCF that is scored",
        f"variants {MODEL} variants.vcf.gz variants.vcf.gz --genome genome.fa --overwrite",
        "variants.vcf.gz is an input of this run too (variants.vcf.gz); choose another output",
        5,
    ),
    Case(
        "output: somebody's file of the provenance's name",
        f"score {MODEL} good.fa out.tsv",
        "out.tsv.provenance.json exists; pass --overwrite to replace it",
        5,
        {"out.tsv.provenance.json": "mine"},
    ),
    Case(
        "output: somebody's ids on resume",
        f"embed {MODEL} good.fa out.npy --resume",
        "out.ids.txt exists; pass --overwrite to replace it",
        5,
        {"out.ids.txt": "mine"},
    ),
    Case(
        "output: a device",
        f"score {MODEL} good.fa /dev/out.parquet",
        "/dev/out.parquet is a device, not a file; choose a file as output",
        5,
    ),
    Case(
        "output: a name that is not UTF-8",
        f"score {MODEL} good.fa {os.fsdecode(bytes([0x63, 0xE9]))}.tsv",
        "c\\xe9.tsv: the name is not valid UTF-8; choose another output",
        5,
    ),
    Case(
        "genome: a name that is not UTF-8",
        f"variants {MODEL} variants.vcf.gz out.vcf --genome {os.fsdecode(bytes([0x63, 0xE9]))}.fa",
        "c\\xe9.fa: the file name is not valid UTF-8; rename the file or folder",
        3,
        make=lambda folder: (folder / os.fsdecode(bytes([0x63, 0xE9, 0x2E, 0x66, 0x61]))).write_text(">chr1\nACGT\n"),
    ),
    Case(
        "shard: parts of another run, with --overwrite",
        f"score {MODEL} good.fa out.parquet --rc --shard 1/3 --overwrite",
        "out.parquet.parts belongs to another run (changed: setting rc (was False, now True)); restore the previous settings, choose another output, or remove out.parquet.parts to start over",
        5,
        before=(f"score {MODEL} good.fa out.parquet --quiet --shard 1/3",),
    ),
    Case(
        "convert: into a folder that cannot be written",
        f"convert {MODEL} locked/model",
        "locked/model: cannot be written: Permission denied",
        5,
        {"locked": None},
        make=lambda folder: (folder / "locked").chmod(0o555),
        unprivileged=True,
    ),
    Case(
        "simulate: into a folder that cannot be written",
        "simulate locked/genome",
        "locked/genome cannot be created: Permission denied",
        5,
        {"locked": None},
        make=lambda folder: (folder / "locked").chmod(0o555),
        unprivileged=True,
    ),
    Case(
        "device: of a kind that genolm does not use",
        f"score {MODEL} good.fa out.parquet --device meta",
        "device meta is not available to torch on this machine; available: cpu",
        4,
    ),
)
