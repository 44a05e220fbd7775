"""Names of files, links and model folders that are unusual and good."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

READS = b">a\nACGT\n"
LONG = "n" * 235


def written(name: str) -> Callable[[Path], None]:
    """The table of one sequence is there, and nothing half-written beside it."""

    def check(folder: Path) -> None:
        path = folder / name
        table = (
            pl.read_csv(path, separator="\t", glob=False)
            if path.suffix == ".tsv"
            else pl.read_parquet(path, glob=False)
        )
        assert table.height == 1 and table["length"].to_list() == [4]
        assert not list(folder.rglob("*.parts")) and not list(folder.rglob(".partial-*"))

    return check


def same(*models: str) -> Callable[[Path], None]:
    """Every model folder computes what the model itself does."""

    def check(folder: Path) -> None:
        from genolm.models.checkpoints.load import load

        expected = load(MODEL).fingerprint
        assert {load(folder / name).fingerprint for name in models} == {expected}

    return check


def wrapped(folder: Path) -> None:
    """Tensors as torch.compile names them."""
    from safetensors.torch import load_file, save_file

    path = folder / "model/model.safetensors"
    save_file({f"module._orig_mod.{name}": one for name, one in load_file(path).items()}, path)
    (folder / "model/card.json").unlink()


def sharded(folder: Path) -> None:
    """All shards, and no index."""
    from genolm.models.checkpoints.convert import convert

    convert(MODEL, folder / "model", max_shard_bytes=150_000, overwrite=True)
    (folder / "model/model.safetensors.index.json").unlink()


def cached(folder: Path) -> None:
    """The model as the hub's cache keeps it."""
    snapshots = folder / "models--lab--model/snapshots"
    snapshots.mkdir(parents=True)
    (folder / "model").rename(snapshots / "0123abcd")


def encoded(encoding: str) -> Callable[[Path], object]:
    """The config in another encoding."""

    def make(folder: Path) -> None:
        path = folder / "model/config.json"
        path.write_text(path.read_text(), encoding=encoding)

    return make


def linked(folder: Path) -> None:
    """An output that is a link into another folder."""
    (folder / "scratch").mkdir()
    (folder / "out.tsv").symlink_to("scratch/big.tsv")


def through(folder: Path) -> None:
    assert (folder / "out.tsv").is_symlink()
    written("scratch/big.tsv")(folder)


CASES = (
    Unusual(
        "output: brackets in the name",
        f"score {MODEL} reads.fa 'out[1].parquet'",
        "written under that name; brackets are no pattern",
        written("out[1].parquet"),
        {"reads.fa": READS},
    ),
    Unusual(
        "output: a folder with an asterisk in its name",
        f"score {MODEL} reads.fa '*/out.parquet'",
        "written there; the asterisk is no pattern",
        written("*/out.parquet"),
        {"reads.fa": READS, "*": None},
    ),
    Unusual(
        "input: a parquet with brackets in its name",
        f"score {MODEL} 'reads[1].parquet' out.tsv",
        "read as under any other name",
        written("out.tsv"),
        make=lambda folder: pl.DataFrame({"id": ["a"], "sequence": ["ACGT"]}).write_parquet(
            folder / "reads[1].parquet"
        ),
    ),
    Unusual(
        "names with a newline and quotes",
        f'score {MODEL} "a\n\'b.fa" "a\n\'b.tsv"',
        "read and written as under any other name",
        written("a\n'b.tsv"),
        {"a\n'b.fa": READS},
    ),
    Unusual(
        "genome: a name with a leading dash",
        f"variants {MODEL} variants.vcf.gz out.bcf --genome=-genome.fa",
        "read as under any other name",
        lambda folder: None,
        {"genome.fa.note": "genome.fa is copied"},
        make=lambda folder: (folder / "genome.fa").rename(folder / "-genome.fa"),
    ),
    Unusual(
        "output: the longest name that leaves room for what a run adds",
        f"score {MODEL} reads.fa {LONG}.tsv",
        "written",
        written(f"{LONG}.tsv"),
        {"reads.fa": READS},
    ),
    Unusual(
        "output: a link",
        f"score {MODEL} reads.fa out.tsv",
        "the file that the link points to is written, and the link stays",
        through,
        {"reads.fa": READS},
        make=linked,
    ),
    Unusual(
        "output: the provenance of an output that was removed",
        f"score {MODEL} reads.fa out.tsv",
        "the old provenance is replaced",
        written("out.tsv"),
        {"reads.fa": READS},
        make=lambda folder: (folder / "out.tsv").unlink(),
        before=(f"score {MODEL} reads.fa out.tsv",),
    ),
    Unusual(
        "model: all tensor names begin with module._orig_mod.",
        "info model",
        "the prefix of a wrapped model is left out",
        same("model"),
        make=wrapped,
    ),
    Unusual(
        "model: shards without an index", "info model", "read when all shards are there", same("model"), make=sharded
    ),
    Unusual(
        "model: a repository folder of the hub's cache",
        "info models--lab--model",
        "its only snapshot, or that of its branch main, is used",
        same("models--lab--model"),
        {"note": "model"},
        make=cached,
    ),
    Unusual(
        "model: a config with a byte order mark",
        "info model",
        "read as without",
        same("model"),
        make=encoded("utf-8-sig"),
    ),
    Unusual("model: a config in UTF-16", "info model", "read as in UTF-8", same("model"), make=encoded("utf-16")),
    Unusual(
        "no home folder",
        f"score {MODEL} reads.fa out.tsv",
        "caches go to a private temporary folder",
        written("out.tsv"),
        {"reads.fa": READS},
        environment={"HOME": "", "XDG_CACHE_HOME": ""},
    ),
)
