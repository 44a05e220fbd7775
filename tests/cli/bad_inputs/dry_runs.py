"""Dry runs that are refused, as the runs would be."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from tests.cli.bad_inputs.case import MODEL, Case

SCORE = f"score {MODEL} good.fa out.parquet --dry-run"


CASES = (
    Case(
        "dry run: the output exists",
        SCORE,
        "out.parquet exists; pass --overwrite to replace it",
        5,
        {"out.parquet": "mine"},
    ),
    Case(
        "dry run: no folder for the output",
        SCORE.replace("out.parquet", "absent/out.parquet"),
        "absent/out.parquet: there is no folder absent",
        5,
    ),
    Case(
        "dry run: parts of an earlier run",
        SCORE,
        "out.parquet.parts holds parts of an earlier run; pass --resume to continue it, or --overwrite to start over",
        5,
        before=(f"score {MODEL} good.fa out.parquet --quiet --shard 1/2",),
    ),
    Case(
        "dry run: parts of a run with other settings",
        f"{SCORE} --resume --per-base",
        "out.parquet.parts belongs to another run (changed: setting form (was 'sequence', now 'base')); restore the previous settings, choose another output, or pass --overwrite to start over",
        5,
        before=(f"score {MODEL} good.fa out.parquet --quiet --shard 1/2",),
    ),
    Case(
        "dry run: a damaged manifest",
        f"{SCORE} --resume",
        "out.parquet.parts/manifest.json: not a manifest of genolm (Expecting property name enclosed in double quotes: line 2 column 1 (char 2)); pass --overwrite to start over",
        5,
        before=(f"score {MODEL} good.fa out.parquet --quiet --shard 1/2",),
        make=lambda folder: (folder / "out.parquet.parts/manifest.json").write_text("{\n"),
    ),
    Case(
        "dry run: a wrong letter in the last sequence",
        SCORE.replace("good.fa", "bad.fa"),
        "bad.fa:4: not a base at position 2 of the sequence (value 'J')",
        3,
        {"bad.fa": ">a\nACGT\n>b\nAJ\n"},
    ),
    Case(
        "dry run: a REF that is not the genome's, in the last record",
        f"variants {MODEL} bad.vcf out.vcf --genome one.fa --dry-run",
        "bad.vcf:4: REF is G, but the genome has A (value 'c:5:G>T'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
        3,
        {
            "one.fa": ">c\nACGTACGT\n",
            "bad.vcf": "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t2\t.\tC\tT\t.\t.\t.\nc\t5\t.\tG\tT\t.\t.\t.\n",
        },
    ),
    Case("dry run: a shard that does not exist", f"{SCORE} --shard 3/2", "invalid shard '3/2': expected i/n with 1 ≤ i ≤ n, e.g. 2/8", 5),
    Case(
        "dry run: a detector without a model",
        "detect train out --natural good.fa --generated good.fa --dry-run",
        "a dry run measures a model: it requires embedding features",
        5,
    ),
    Case(
        "dry run: vllm, which has none",
        "generate model ACGT out.fa --backend vllm --max-tokens 4 --dry-run",
        "the vllm backend does not support dry_run (value True)",
        3,
    ),
    Case(
        "vllm: tokens of a batch",
        "generate model ACGT out.fa --backend vllm --max-tokens 4 --batch-tokens 64",
        "the vllm backend does not support batch_tokens (value 64)",
        3,
    ),
)  # fmt: skip
