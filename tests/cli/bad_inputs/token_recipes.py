"""Recipes of encoders, of models with longer tokens and of haplotypes that cannot be used."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from pathlib import Path

from tests.cli.bad_inputs.case import Case

CORPUS = """corpus:
  fasta: [small.fa]
  held_out: {test: [chr2]}
context: 32
batch_rows: 2
steps: 1
"""
DECODER = "name: small\nmodel: {vocab_size: 128, hidden_size: 16, num_layers: 1, num_heads: 2, num_kv_heads: 1, head_dim: 8, ffn_size: 16}\n"
ENCODER = "name: small\nmodel: {vocab_size: 32, hidden_size: 16, num_layers: 1, num_heads: 2, ffn_size: 16, pad_id: 14}\nobjective: masked\n"
HEADER = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=1000>\n"
GENOTYPES = HEADER + '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def small(folder: Path) -> None:
    """A genome of two contigs; chr1 begins with A."""
    (folder / "small.fa").write_text(f">chr1\n{'ACGTTGCAAC' * 100}\n>chr2\n{'GATTACAGGC' * 60}\n")


def recipe(kind: str, text: str, message: str, code: int = 3, files: dict | None = None) -> Case:
    return Case(kind, "pretrain bad.yaml run", message, code, {"bad.yaml": text, **(files or {})}, make=small)


def haplotypes(kind: str, vcf: str, message: str, more: str = "") -> Case:
    text = DECODER + CORPUS + f"haplotypes: {{vcf: [people.vcf]{more}}}\n"
    return recipe(kind, text, message, files={"people.vcf": vcf})


def people(ref: str, genotype: str) -> str:
    """One substitution at the first base of chr1."""
    return f"{GENOTYPES}{COLUMNS}\tFORMAT\tada\nchr1\t1\t.\t{ref}\tT\t.\t.\t.\tGT\t{genotype}\n"


CASES = (
    recipe(
        "recipe: an encoder that is to predict the next token",
        ENCODER.replace("masked", "causal") + CORPUS,
        "bad.yaml: encoders require objective: masked (value 'causal')",
    ),
    recipe(
        "recipe: a decoder that is to predict hidden tokens",
        DECODER + "objective: masked\n" + CORPUS,
        "bad.yaml: decoders require objective: causal (value 'masked')",
    ),
    recipe(
        "recipe: an unknown objective",
        DECODER + "objective: contrastive\n" + CORPUS,
        "bad.yaml: objective must be causal or masked (value 'contrastive')",
    ),
    recipe(
        "recipe: masking of a decoder",
        DECODER + "masking: {fraction: 0.3}\n" + CORPUS,
        "bad.yaml: masking requires objective: masked",
    ),
    recipe(
        "recipe: a share beyond 1 to hide",
        ENCODER + "masking: {fraction: 15}\n" + CORPUS,
        "bad.yaml: fraction must be above 0 and at most 1 (value 15)",
    ),
    recipe(
        "recipe: the tokenizer is missing",
        DECODER + "tokenizer: vocabulary\n" + CORPUS,
        "vocabulary: the recipe's tokenizer does not exist, and is not one of the published t2t_1000h_multi_32k, BPE_32k",
    ),
    recipe(
        "recipe: a tokenizer that is none",
        DECODER + "tokenizer: words.json\n" + CORPUS,
        "the recipe's tokenizer: words.json: not a tokenizer.json of a byte-pair vocabulary: 'model'",
        files={"words.json": "{}"},
    ),
    recipe(
        "recipe: more tokens than the model has rows",
        DECODER + "tokenizer: BPE_32k\n" + CORPUS,
        "the vocabulary has 32,000 tokens, but the model's embedding has fewer rows (value 128)",
    ),
    recipe(
        "recipe: another padding token than the vocabulary's",
        DECODER.replace("vocab_size: 128", "vocab_size: 32000") + "tokenizer: BPE_32k\n" + CORPUS,
        "the model's pad_id must be that of its vocabulary, 3 (value 14)",
    ),
    recipe(
        "recipe: k-mer tables over longer tokens",
        DECODER.replace("ffn_size: 16", "ffn_size: 16, kmer_orders: [2], kmer_dims: [4]")
        + "tokenizer: BPE_32k\n"
        + CORPUS,
        "bad.yaml: k-mer memories require one base per token: remove the tokenizer from the recipe",
    ),
    recipe(
        "recipe: an encoder's rows over several processes",
        ENCODER + CORPUS + "context_parallel: 2\n",
        "bad.yaml: context_parallel is available for decoders only (value 2)",
    ),
    recipe(
        "haplotypes: the file is missing",
        DECODER + CORPUS + "haplotypes: {vcf: [people.vcf]}\n",
        "people.vcf: the haplotypes' VCF file does not exist",
    ),
    haplotypes(
        "haplotypes: a file without genotypes",
        f"{HEADER}{COLUMNS}\nchr1\t1\t.\tA\tT\t.\t.\t.\n",
        "people.vcf: haplotypes require genotypes (GT), but this file has none",
    ),
    haplotypes(
        "haplotypes: a reference allele that the sequence does not have",
        people("G", "0|1"),
        "people.vcf:5: the REF allele is G, but the sequence has A: another build? (value 'chr1:1')",
    ),
    haplotypes(
        "haplotypes: genotypes without phase",
        people("A", "0/1"),
        "people.vcf:5: the genotype of ada is not phased, so its haplotypes are unknown (value 'chr1:1')",
    ),
    haplotypes(
        "haplotypes: an unknown sample",
        people("A", "0|1"),
        "people.vcf: the file has no sample with this name (value 'eve')",
        ", samples: [eve]",
    ),
    haplotypes(
        "haplotypes: nothing to substitute",
        people("ACG", "0|1"),
        "people.vcf: no substitution of the haplotypes lies in training sequence",
    ),
)
