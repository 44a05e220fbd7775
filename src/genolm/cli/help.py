"""Help of commands: groups, and the example at the end of each help text."""

from __future__ import annotations

from types import MappingProxyType

import typer

PLAIN = None
"""Markup mode of typer: plain text is the same in a terminal, a log and a pipe, and starts faster."""

EXAMPLES = MappingProxyType(
    {
        "embed": "genolm embed genolm-nano genes.fa genes.parquet",
        "score": "genolm score genolm-nano genes.fa genes.tsv",
        "variants": "genolm variants genolm-nano calls.vcf.gz calls.scored.vcf.gz --genome hg38.fa",
        "mutate": "genolm mutate genolm-nano chr22:1,001-1,060 changes.tsv --genome hg38.fa --plot changes.png",
        "generate": "genolm generate genolm-nano prompts.fa continued.fa -n 4 --length 200",
        "complete": "genolm complete genolm-nano genome.gbk completed.tsv --draw 20",
        "scan": "genolm scan genolm-nano genome.fa --out surprisal",
        "detect train": "genolm detect train detector --natural a.fa --natural b.fa --natural c.fa --generated gen.fa",
        "detect apply": "genolm detect apply detector unknown.fa calls.tsv",
        "check": "genolm check generated.fa --reference genome.fa --out checked",
        "cluster": "genolm cluster genolm-nano a.fa b.fa c.fa --out clusters --length 2000",
        "explain memory": "genolm explain memory genolm-nano regions.bed memory --genome hg38.fa",
        "explain lens": "genolm explain lens genolm-nano chr22:1,001-2,000 lens --genome hg38.fa",
        "explain experts": "genolm explain experts tiny-random chr22:1,001-2,000 experts --genome hg38.fa",
        "explain tables": "genolm explain tables genolm-nano tables",
        "explain attribution": "genolm explain attribution genolm-nano chr22:1,001-1,060 bases --genome hg38.fa",
        "report": "genolm report calls.scored.vcf.gz report.html --genome hg38.fa --genes genes.gff3",
        "merge": "genolm merge calls.scored.vcf.gz",
        "models": "genolm models",
        "info": "genolm info genos-1.2b",
        "download": "genolm download genos-1.2b",
        "convert": "genolm convert tiny-random exported --to huggingface",
        "simulate": "genolm simulate example --length 100000",
        "tokenizer train": "genolm tokenizer train genome.fa --out vocabulary --vocab-size 4096",
        "tokenizer inspect": "genolm tokenizer inspect BPE_32k genome.fa",
        "corpus build": "genolm corpus build recipe.yaml corpus",
        "corpus inspect": "genolm corpus inspect corpus",
        "pretrain": "genolm pretrain recipe.yaml run",
        "doctor": "genolm doctor",
        "demo": "genolm demo demo",
        "cite": "genolm cite genos-1.2b",
    }
)


def example(command: str) -> str:
    """Return the last lines of a command's help; ``command`` is spelled as typed, such as ``detect train``."""
    return f"\b\nExample:\n  {EXAMPLES[command]}"  # \b keeps the line breaks


def command_group(name: str, text: str) -> typer.Typer:
    """Return a group of commands with this name and help text."""
    return typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode=PLAIN)
