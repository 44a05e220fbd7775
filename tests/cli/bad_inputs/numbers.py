"""Models whose numbers are NaN or infinite, genotypes that cannot be read, runs of training that cannot go on."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import gzip
from collections.abc import Callable
from pathlib import Path

from tests.cli.bad_inputs.case import Case
from tests.cli.bad_inputs.token_recipes import COLUMNS, CORPUS, DECODER, GENOTYPES, haplotypes, recipe, small

OUTPUT = "model.layers.0.self_attn.o_proj.weight"
VALUE = "model.layers.0.self_attn.v_proj.weight"
DAMAGED = "the weight layers.0.attention.output.weight holds such numbers: the weights are damaged; download or convert the model again"
OVERFLOW = (
    "numbers beyond 65,504 overflow in float16, or the weights are damaged; pass --dtype float32, or --dtype bfloat16"
)
VCF = f"{GENOTYPES}{COLUMNS}\tFORMAT\tada\tbo\n"
PEOPLE = DECODER + CORPUS + "haplotypes: {vcf: [people.vcf]}\n"


def one_weight(value: float) -> Callable[[Path], None]:
    """One number of the model in the folder ``model`` replaced."""

    def make(folder: Path) -> None:
        tensors = _read(folder)
        tensors[OUTPUT][0, 0] = value
        _write(folder, tensors)

    return make


def large(folder: Path) -> None:
    """Weights of the model that float16 can hold, and whose products it can't."""
    tensors = _read(folder)
    tensors[VALUE] = tensors[VALUE] * 1e4
    tensors[OUTPUT] = tensors[OUTPUT].sign() * 6e4
    _write(folder, tensors)


def _read(folder: Path):
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(folder / "model/model.safetensors").items()}


def _write(folder: Path, tensors) -> None:
    from safetensors.torch import save_file

    save_file(tensors, folder / "model/model.safetensors", metadata={"format": "pt"})
    (folder / "model/card.json").unlink(missing_ok=True)


def damaged(verb: str, command: str, subject: str, value: float = float("nan")) -> Case:
    message = f"model in float32 gives numbers that are not finite (NaN or infinity) for {subject}: {DAMAGED}"
    return Case(f"{verb}: a model with a weight that is {value}", command, message, 4, make=one_weight(value))


def overflow(verb: str, command: str, subject: str) -> Case:
    message = f"model in float16 gives numbers that are not finite (NaN or infinity) for {subject}: {OVERFLOW}"
    return Case(f"{verb}: a model that overflows in float16", f"{command} --dtype float16", message, 4, make=large)


def genotype(kind: str, text: str, message: str) -> Case:
    row = f"chr1\t1\t.\tA\tT\t.\t.\t.\tGT\t0|1\t{text}\n"
    return haplotypes(f"haplotypes: {kind}", VCF + row, f"people.vcf:5: {message} (value 'chr1:1')")


def cut_off(folder: Path) -> None:
    """A compressed VCF that ends early."""
    small(folder)
    rows = "".join(f"chr1\t{10 * n + 1}\t.\tA\tT\t.\t.\t.\tGT\t0|1\t1|{n % 2}\n" for n in range(80))
    packed = gzip.compress((VCF + rows).encode(), mtime=0)
    (folder / "people.vcf").write_bytes(packed[:-12])


CASES = (
    damaged("score", "score model good.fa out.tsv --quiet", "sequence 'read0'"),
    damaged(
        "score, base by base", "score model good.fa out.parquet --per-base --quiet", "sequence 'read0'", float("inf")
    ),
    damaged("embed", "embed model good.fa out.npy --pooling max --quiet", "sequence 'read0'", float("-inf")),
    damaged(
        "generate",
        "generate model ACGT out.fa --temperature 0 --quiet",
        "the continuation of prompt 'sequence1', sample 1",
    ),
    damaged("scan", "scan model good.fa out --quiet", "read0:1-200"),
    damaged("explain lens", "explain lens model good.fa out --quiet", "sequence 'read0'"),
    damaged("explain attribution", "explain attribution model good.fa out --quiet", "sequence 'read0'"),
    overflow("score", "score model good.fa out.tsv --quiet", "sequence 'read0'"),
    overflow("embed", "embed model good.fa out.parquet --quiet", "sequence 'read0'"),
    overflow("mutate", "mutate model read0:50-60 out.tsv --genome good.fa --quiet", "variant read0:50:C>A"),
    overflow("generate", "generate model ACGT out.fa --quiet", "the continuation of prompt 'sequence1', sample 1"),
    haplotypes(
        "haplotypes: a row with fewer columns than the header",
        VCF + "chr1\t1\t.\tA\tT\t.\t.\n",
        r"people.vcf:5: expected 11 columns separated by tabs as in the header, found 7 (value 'chr1\t1\t.\tA\tT\t.\t.')",
    ),
    haplotypes(
        "haplotypes: a position that is not a number",
        VCF + "chr1\tx\t.\tA\tT\t.\t.\t.\tGT\t0|1\t0|0\n",
        "people.vcf:5: POS must be a whole number, 1-based (value 'x')",
    ),
    genotype("a genotype of letters", "A|T", "the genotype of bo must be allele numbers, as in 0|1, not 'A|T'"),
    genotype("a genotype that names an allele beyond ALT", "0|2", "bo has allele 2, but the record has 1 ALT alleles"),
    genotype("a genotype of three alleles", "0|1|1", "the genotype of bo must have at most 2 alleles, not 3"),
    haplotypes(
        "haplotypes: two samples of one name",
        VCF.replace("bo", "ada") + "chr1\t1\t.\tA\tT\t.\t.\t.\tGT\t0|1\t0|0\n",
        "people.vcf:4: two samples have this name (value 'ada')",
    ),
    Case(
        "haplotypes: a compressed file that is cut off",
        "pretrain bad.yaml run",
        "people.vcf: the compressed file is truncated; download it again",
        3,
        {"bad.yaml": PEOPLE},
        make=cut_off,
    ),
    recipe(
        "haplotypes: a FASTA file in the place of the VCF",
        DECODER + CORPUS + "haplotypes: {vcf: [small.fa]}\n",
        "small.fa:1: not VCF: the first line must be ##fileformat=VCFv4… (value '>chr1')",
    ),
    Case(
        "pretrain: resumed where no run is",
        "pretrain good.yaml run --resume",
        "run contains no run to resume; start a new one",
        5,
        {"good.yaml": DECODER + CORPUS},
        make=small,
    ),
    Case(
        "pretrain: a folder below a file",
        "pretrain good.yaml plain.txt/run",
        "the folder plain.txt/run cannot be created or used: Not a directory",
        5,
        {"good.yaml": DECODER + CORPUS, "plain.txt": "text\n"},
        make=small,
    ),
    Case(
        "pretrain: a folder whose name is too long",
        f"pretrain good.yaml {'x' * 300}",
        f"the folder {'x' * 300} cannot be created or used: File name too long",
        5,
        {"good.yaml": DECODER + CORPUS},
        make=small,
    ),
    Case(
        "pretrain: a folder that may not be written",
        "pretrain good.yaml closed/run",
        "the folder closed/run cannot be created or used: Permission denied",
        5,
        {"good.yaml": DECODER + CORPUS, "closed": None},
        make=lambda folder: (small(folder), (folder / "closed").chmod(0o555)),
        unprivileged=True,
    ),
)
