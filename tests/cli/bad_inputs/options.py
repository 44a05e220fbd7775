"""Options that are wrong, and outputs that cannot be written."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from tests.cli.bad_inputs.case import MODEL, Case
from tests.cli.bad_inputs.variants import HEADER, TOY, record

EMBED = f"embed {MODEL} regions.bed"
SCORE = f"score {MODEL} good.fa"
VARIANTS = f"variants {MODEL} variants.vcf.gz"
MUTATE = f"mutate {MODEL}"
GENERATE = f"generate {MODEL} ACGT"
PLACED = "--genome genome.fa"
VCF = {"calls.vcf": HEADER + record(), "toy.fa": TOY}

CASES = (
    Case("an unknown verb", "assemble", "No such command 'assemble'. Did you mean 'embed'?", 2),
    Case("an unknown option", f"{SCORE} out.parquet --colour", "No such option: --colour", 2),
    Case("an argument is missing", f"{SCORE}", "Missing argument 'OUTPUT'.", 2),
    Case(
        "layer: no such layer",
        f"{EMBED} out.parquet {PLACED} --layer 99",
        "tiny-random-dense has no layer 99: expected 0 (embedding) to 3, a negative number or 'all'",
        4,
    ),
    Case(
        "layer: not a number",
        f"{EMBED} out.parquet {PLACED} --layer top",
        "Invalid value for '--layer': must be an integer or all, not top",
        2,
    ),
    Case(
        "pooling: unknown",
        f"{EMBED} out.parquet {PLACED} --pooling median",
        "Invalid value for '--pooling': 'median' is not one of 'mean', 'max', 'min', 'last', 'none', 'bases'.",
        2,
    ),
    Case(
        "method: unknown",
        f"{VARIANTS} out.vcf {PLACED} --method fast",
        "Invalid value for '--method': 'fast' is not one of 'full', 'conditional', 'window', 'masked'.",
        2,
    ),
    Case(
        "on-mismatch: unknown",
        f"{VARIANTS} out.vcf {PLACED} --on-mismatch ignore",
        "Invalid value for '--on-mismatch': 'ignore' is not one of 'raise', 'skip', 'flip'.",
        2,
    ),
    Case(
        "context: larger than the model's",
        f"{VARIANTS} out.vcf {PLACED} --context 40000",
        "a context of 40,000 bases and a horizon of 512 exceed the model's limit of 32,768 bases; the largest possible context is 32,256",
        4,
    ),
    Case(
        "context: 0",
        f"{VARIANTS} out.vcf {PLACED} --context 0",
        "Invalid value for '--context': must be at least 1, not 0",
        2,
    ),
    Case(
        "horizon: 0",
        f"{VARIANTS} out.vcf {PLACED} --horizon 0",
        "Invalid value for '--horizon': must be at least 1, not 0",
        2,
    ),
    Case(
        "horizon: larger than the model's context",
        f"{VARIANTS} out.vcf {PLACED} --horizon 32768",
        "a horizon of 32,768 bases leaves no context within the model's limit of 32,768 bases; the largest possible horizon is 32,767",
        4,
    ),
    Case(
        "length: 0",
        f"{EMBED} out.parquet {PLACED} --length 0",
        "Invalid value for '--length': must be at least 1, not 0",
        2,
    ),
    Case(
        "batch-tokens: 0",
        f"{SCORE} out.parquet --batch-tokens 0",
        "Invalid value for '--batch-tokens': must be at least 1, not 0",
        2,
    ),
    Case(
        "dtype: unknown",
        f"{SCORE} out.parquet --dtype int8",
        "Invalid value for '--dtype': 'int8' is not one of 'float32', 'bfloat16', 'float16'.",
        2,
    ),
    Case(
        "device: unknown",
        f"{SCORE} out.parquet --device gpu",
        "invalid device 'gpu': expected cpu, cuda, cuda:1 and so on, or mps",
        4,
    ),
    Case(
        "device: not in this machine",
        f"{SCORE} out.parquet --device cuda:99",
        "device cuda:99 is not available to torch on this machine; available: cpu",
        4,
    ),
    Case(
        "shard: beyond the last",
        f"{SCORE} out.parquet --shard 4/3",
        "invalid shard '4/3': expected i/n with 1 ≤ i ≤ n, e.g. 2/8",
        5,
    ),
    Case(
        "shard: not i/n",
        f"{SCORE} out.parquet --shard first",
        "invalid shard 'first': expected i/n with 1 ≤ i ≤ n, e.g. 2/8",
        5,
    ),
    Case(
        "temperature: negative",
        f"{GENERATE} out.fa --temperature -1",
        "Invalid value for '--temperature': must be at least 0, not -1.0",
        2,
    ),
    Case(
        "top-p: above 1",
        f"{GENERATE} out.fa --top-p 1.5",
        "Invalid value for '--top-p': must be between 0 and 1, not 1.5",
        2,
    ),
    Case(
        "top-k: negative", f"{GENERATE} out.fa --top-k -1", "Invalid value for '--top-k': must be at least 0, not -1", 2
    ),
    Case(
        "repetition-penalty: 0",
        f"{GENERATE} out.fa --repetition-penalty 0",
        "repetition_penalty must be above 0 (value 0.0)",
        3,
    ),
    Case("n: 0", f"{GENERATE} out.fa --n 0", "Invalid value for '--n' / '-n': must be at least 1, not 0", 2),
    Case(
        "generate: longer than the context",
        f"{GENERATE} out.fa --length 40000",
        "prompt sequence1 (4 bases) and 40,000 new bases exceed the context of tiny-random-dense (32,768 bases)",
        4,
    ),
    Case(
        "prompt: an invalid letter",
        f"generate {MODEL} ACGZ out.fa",
        "no such file, and not a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000) or DNA letters ('Z' at position"
        " 4 is not a base) (value 'ACGZ')",
        3,
    ),
    Case(
        "prompts: empty file",
        f"generate {MODEL} prompts.fa out.fa",
        "prompts.fa: the FASTA file is empty",
        3,
        {"prompts.fa": ""},
    ),
    Case(
        "prompts: none",
        f"generate {MODEL} out.fa",
        "Missing argument 'PROMPTS'.",
        2,
    ),
    Case(
        "interval: wrong spelling",
        f"{MUTATE} chr1-1000-1100 out.tsv {PLACED}",
        "invalid interval: expected e.g. chr22:1,001-2,000 (1-based, inclusive) (value 'chr1-1000-1100')",
        3,
    ),
    Case(
        "interval: ends before it starts",
        f"{MUTATE} chr1:1100-1000 out.tsv {PLACED}",
        "the interval ends before it starts (value 'chr1:1100-1000')",
        3,
    ),
    Case(
        "interval: off its contig",
        f"{MUTATE} chr2:850-950 out.tsv {PLACED}",
        "the interval extends beyond chr2, which has bases 1-900 (value 'chr2:850-950')",
        3,
    ),
    Case(
        "interval: an unknown contig",
        f"{MUTATE} chr9:1-100 out.tsv {PLACED}",
        "genome.fa: no such contig; the genome has chr1, chr2 (value 'chr9')",
        3,
    ),
    Case(
        "interval: nothing but N",
        f"{MUTATE} chr1:1-100 out.tsv {PLACED}",
        "the genome has only N in this interval (value 'chr1:1-100')",
        3,
    ),
    Case(
        "interval: on the minus strand",
        f"{MUTATE} chr1:1000-1100:- out.tsv {PLACED}",
        "mutations are defined on the forward strand (value 'chr1:1000-1100:-'); pass --rc to read both strands",
        3,
    ),
    Case(
        "plot: an unknown kind of picture",
        f"{MUTATE} chr2:100-110 out.tsv {PLACED} --plot out.bmp",
        "out.bmp: unsupported plot format; use one of .png, .svg, .pdf",
        3,
    ),
    Case(
        "plot: its packages are not installed",
        f"{MUTATE} chr2:100-110 out.tsv {PLACED} --plot out.png",
        "a plot requires logomaker, which is not installed; pip install 'genolm[plots]'",
        1,
        hidden=("logomaker",),
    ),
    Case(
        "plot: together with --shard",
        f"{MUTATE} chr2:100-110 out.tsv {PLACED} --plot out.png --shard 1/2",
        "a plot needs all positions: merge the shards, then call plot_mutations(table, plot)",
        3,
    ),
    Case(
        "plot: its folder is missing",
        f"{MUTATE} chr2:100-110 out.tsv {PLACED} --plot nowhere/out.png",
        "nowhere/out.png: there is no folder nowhere",
        5,
    ),
    Case(
        "output: unknown ending",
        f"{SCORE} out.xlsx",
        "out.xlsx: unsupported output format; use one of .parquet, .tsv, .csv, .bw, .bigwig, .bedgraph, .bedgraph.gz",
        3,
    ),
    Case(
        "output: unknown ending of embed",
        f"{EMBED} out.csv {PLACED}",
        "out.csv: unsupported output format; use one of .parquet, .npy, .h5ad, .zarr",
        3,
    ),
    Case(
        "output: unknown ending of variants",
        f"{VARIANTS} out.txt {PLACED}",
        "out.txt: unsupported output format; use one of .vcf, .vcf.gz, .bcf, .parquet, .tsv, .csv",
        3,
    ),
    Case(
        "output: unknown ending of generate",
        f"{GENERATE} out.txt",
        "out.txt: unsupported output format; use one of .fa, .fasta, .fna",
        3,
    ),
    Case(
        "output: its folder is missing",
        f"{SCORE} nowhere/out.parquet",
        "nowhere/out.parquet: there is no folder nowhere",
        5,
    ),
    Case(
        "output: its folder may not be written",
        f"{SCORE} locked/out.parquet",
        "locked/out.parquet: the folder locked cannot be written",
        5,
        {"locked": None},
        make=lambda folder: (folder / "locked").chmod(0o555),
        unprivileged=True,
    ),
    Case(
        "output: exists",
        f"{SCORE} out.parquet",
        "out.parquet exists; pass --overwrite to replace it",
        5,
        {"out.parquet": "mine"},
    ),
    Case(
        "output: is the input",
        f"variants {MODEL} calls.vcf calls.vcf --genome toy.fa",
        "calls.vcf exists; pass --overwrite to replace it",
        5,
        VCF,
    ),
    Case(
        "output: a folder of that name, with --overwrite",
        f"{SCORE} out.parquet --overwrite",
        "out.parquet is a folder; choose another output",
        5,
        {"out.parquet": None},
    ),
    Case(
        "output: its ids exist",
        f"{EMBED} out.npy {PLACED}",
        "out.ids.txt exists; pass --overwrite to replace it",
        5,
        {"out.ids.txt": "mine"},
    ),
    Case(
        "output: .h5ad without its packages",
        f"{EMBED} out.h5ad {PLACED}",
        ".h5ad requires anndata, which is not installed; pip install 'genolm[anndata]'",
        1,
        hidden=("anndata",),
    ),
    Case(
        "output: .zarr without its packages",
        f"{EMBED} out.zarr {PLACED}",
        ".zarr requires zarr, which is not installed; pip install 'genolm[anndata]'",
        1,
        hidden=("zarr",),
    ),
)
