"""Commands that generate DNA and check it: generate, complete, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk
from genolm.cli.failures import with_error_messages
from genolm.cli.options import FolderOption, ModelName, Overwrite, Seed, WithPrompt, in_range
from genolm.cli.reporter import print_closing
from genolm.cli.text import print_table, read_json, shown_interval

_TEMPERATURE = "Sampling temperature: lower is less random; 0 always takes the likeliest token."
_TOP_K = "Sample from the K likeliest tokens; 0: from all."
_TOP_P = "Sample from the likeliest tokens whose probabilities sum to P."
_PENALTY = "Values above 1 make tokens that already occurred less likely."


def generate(
    model: ModelName,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROMPTS] OUTPUT",
            help="FASTA file of prompts, or a prompt (omit with --prompt), then the FASTA file to write.",
        ),
    ],
    *,
    prompt: Annotated[
        list[str] | None, typer.Option(metavar="BASES", help="Prompt, instead of a file of prompts; repeatable.")
    ] = None,
    preset: Annotated[
        Literal["conservative", "conservative-long", "creative", "creative-long"] | None,
        typer.Option(help="Published sampling settings of GenomeOcean; explicit options override the preset."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", "-n", callback=in_range(1), metavar="N", help="Sequences per prompt. Default: 1."),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="BASES",
            help="Number of new bases per sequence; a maximum for multi-base tokens. Default: 256.",
        ),
    ] = None,
    min_length: Annotated[
        int | None,
        typer.Option(callback=in_range(1), metavar="BASES", help="Multi-base tokens: minimum number of new bases."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(callback=in_range(1), metavar="N", help="Multi-base tokens: maximum number of new tokens."),
    ] = None,
    min_tokens: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1), metavar="N", help="Multi-base tokens: minimum number of new tokens. Default: 1."
        ),
    ] = None,
    ignore_end: Annotated[
        bool, typer.Option("--ignore-end", help="Multi-base tokens: never sample the end-of-sequence token.")
    ] = False,
    whole_tokens: Annotated[
        bool,
        typer.Option("--whole-tokens", help="Multi-base tokens: do not trim the last token if it exceeds --length."),
    ] = False,
    slide: Annotated[
        bool,
        typer.Option("--slide", help="Multi-base tokens: when the context is full, drop its older half and continue."),
    ] = False,
    temperature: Annotated[
        float | None, typer.Option(callback=in_range(0), metavar="T", help=f"{_TEMPERATURE} Default: 1.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(callback=in_range(0), metavar="K", help=f"{_TOP_K} Default: 0.")] = None,
    top_p: Annotated[
        float | None, typer.Option(callback=in_range(0, 1), metavar="P", help=f"{_TOP_P} Default: 1.")
    ] = None,
    repetition_penalty: Annotated[float | None, typer.Option(metavar="X", help=f"{_PENALTY} Default: 1.")] = None,
    seed: Seed = 0,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FASTA",
            help="Native genome: compare the output with it, as `genolm check` does, and write OUTPUT.check;"
            " repeatable.",
        ),
    ] = None,
    check_training: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FASTA", help="Training sequences, to measure the novelty for --check. Default: those of --check."
        ),
    ] = None,
    backend: Annotated[
        Literal["torch", "vllm"],
        typer.Option(help="Backend; vllm needs a model folder in Hugging Face layout (extra: vllm)."),
    ] = "torch",
    settings: dict[str, Any],
) -> Path:
    """Generate DNA that continues prompts.

    Sequences are sampled token by token: one base at a time (Genos), or several (GenomeOcean). Prompt and settings are
    recorded in the FASTA headers.
    """
    from genolm.tasks.generation.generate import generate as function

    prompts, out = _prompts(paths, prompt or [])
    function(
        model,
        prompts,
        out,
        preset=preset,
        n=n,
        length=length,
        min_length=min_length,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        ignore_end=ignore_end,
        whole_tokens=whole_tokens,
        slide=slide,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        check=check or (),
        check_training=check_training or (),
        backend=backend,
        **settings,
    )
    return out


def _prompts(paths: list[str], texts: list[str]) -> tuple[str | list[str], Path]:
    """Return the prompts and the output: PROMPTS OUTPUT, or OUTPUT alone with --prompt."""
    if len(paths) != (1 if texts else 2):
        raise typer.BadParameter("expected PROMPTS and OUTPUT, or OUTPUT and --prompt", param_hint="[PROMPTS] OUTPUT")
    return (texts if texts else paths[0]), Path(paths[-1])


def complete(
    model: ModelName,
    genes: Annotated[
        Path,
        typer.Argument(
            metavar="GENES",
            help="Genes: GenBank or EMBL with sequence (extra: genbank), GFF3 or GTF with --genome, or FASTA of coding"
            " sequences.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="Table to write: .parquet, .tsv or .csv; also writes OUTPUT.summary.tsv."
        ),
    ],
    *,
    genome: Annotated[
        Path | None, typer.Option(metavar="FASTA", help="Genome of the annotation; required for GFF3 and GTF.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FASTA",
            help="Sequences to train the Markov baseline on. Default: the genome, or the other genes if there is no"
            " genome.",
        ),
    ] = None,
    prompt_fraction: Annotated[
        float, typer.Option(metavar="FRACTION", help="Fraction of each gene that the model is prompted with.")
    ] = 0.3,
    n: Annotated[
        int, typer.Option("--n", "-n", callback=in_range(1), metavar="N", help="Number of completions per gene.")
    ] = 4,
    draw: Annotated[
        int, typer.Option(callback=in_range(0), metavar="N", help="Number of genes to sample; 0: use all genes.")
    ] = 0,
    shortest: Annotated[
        int, typer.Option(callback=in_range(6), metavar="BASES", help="Minimum gene length in bases.")
    ] = 300,
    longest: Annotated[
        int,
        typer.Option(
            callback=in_range(0), metavar="BASES", help="Maximum gene length in bases; 0: limited only by the model."
        ),
    ] = 0,
    order: Annotated[
        int, typer.Option(callback=in_range(0, 10), metavar="K", help="Order of the Markov baseline, 0 to 10.")
    ] = 5,
    code: Annotated[
        int,
        typer.Option(metavar="N", help="NCBI genetic code (transl_table), where the annotation does not give one."),
    ] = 11,
    temperature: Annotated[float, typer.Option(callback=in_range(0), metavar="T", help=_TEMPERATURE)] = 1.0,
    top_k: Annotated[int, typer.Option(callback=in_range(0), metavar="K", help=_TOP_K)] = 0,
    top_p: Annotated[float, typer.Option(callback=in_range(0, 1), metavar="P", help=_TOP_P)] = 1.0,
    repetition_penalty: Annotated[float, typer.Option(metavar="X", help=_PENALTY)] = 1.0,
    seed: Seed = 0,
    settings: dict[str, Any],
) -> Path:
    """Complete genes and compare them with the native sequence.

    Each completion is compared with the rest of the native gene; baselines are a Markov model, another gene and
    shuffled bases.
    """
    from genolm.tasks.completion.complete import complete as function

    function(
        model,
        genes,
        out,
        genome=genome,
        reference=reference,
        prompt_fraction=prompt_fraction,
        n=n,
        draw=draw,
        shortest=shortest,
        longest=longest,
        order=order,
        code=code,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        **settings,
    )
    return out


def check(
    generated: Annotated[list[Path], typer.Argument(metavar="GENERATED", help="FASTA files of generated sequences.")],
    *,
    reference: Annotated[
        list[Path],
        typer.Option(metavar="FASTA", help="Native genome to compare with: FASTA, GenBank or EMBL; repeatable."),
    ],
    out: FolderOption,
    training: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FASTA", help="Training sequences, to measure novelty; repeatable. Default: the reference genomes."
        ),
    ] = None,
    order: Annotated[
        int, typer.Option(callback=in_range(0, 10), metavar="K", help="Order of the Markov baseline, 0 to 10.")
    ] = 3,
    with_prompt: WithPrompt = False,
    max_tandem: Annotated[
        float,
        typer.Option(
            callback=in_range(0, 1),
            metavar="FRACTION",
            help="Maximum fraction of bases in tandem repeats for a sequence to pass the filter.",
        ),
    ] = 1.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print neither the table nor the summary.")] = False,
) -> None:
    """Compare generated DNA with native genomes.

    Measures genes, k-mer spectra, repeats and novelty; baselines are native sequence and a Markov model.
    """
    from genolm.tasks.generation.check_generated import check_generated as function
    from genolm.tasks.generation.check_generated import checked

    function(
        generated,
        reference,
        out,
        training=training,
        order=order,
        with_prompt=with_prompt,
        max_tandem=max_tandem,
        seed=seed,
        overwrite=overwrite,
    )
    if not quiet:
        report = read_json(out / "check.json")
        print_table(_figure_row(figure) for figure in report["figures"])
        print_closing(checked(report), out)


def _figure_row(figure: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the printed table: a figure of the three groups with its confidence intervals."""
    groups = {group: shown_interval(**figure[group]) for group in ("generated", "natural", "markov")}
    return {"figure": figure["name"], "unit": figure["unit"], **groups}


COMMANDS = (bulk(generate), bulk(complete))
CHECK = with_error_messages(check)
