"""Demonstration of the main commands on a simulated genome, with the model that ships with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolm.parameters import OutputFolder, PythonOnly
from genolm.verbs import verb

if TYPE_CHECKING:
    from genolm.genome.simulation.simulate import SimulatedGenome
    from genolm.models.card import Card

MODEL = "genolm-nano"
HORIZON = 256
LEAD = (
    "This page demonstrates the outputs; it is not a benchmark. The genome, its genes and the effects of its variants "
    "are simulated, so the truth is known, but a small model trained on human DNA cannot be expected to predict them."
)
COMMANDS = (
    "genolm simulate .",
    "genolm variants {model} {vcf} {scored} --genome {fasta} --horizon 256",
    "genolm embed {model} {bed} {embedded} --genome {fasta}",
    "genolm score {model} {loci} {track} --genome {fasta}",
)

NEXT = """
Results:  {report}  (open it in a browser)
          {scored}  (INFO/GENOLM_LLR_SUM: log p(ALT) - log p(REF) in nats; negative: ALT is less likely)

Try it on your own files:
  genolm variants {model} calls.vcf.gz calls.scored.vcf.gz --genome hg38.fa
  genolm embed    {model} regions.bed  regions.parquet     --genome hg38.fa
  genolm score    {model} genes.fa     genes.parquet
  genolm models   # list larger models"""


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Output files of the demo, in the folder of the simulated genome.

    Attributes:
        scored: variants with scores.
        embedded: one embedding per region.
        track: log-likelihood of each base.
        report: HTML report of all results.
    """

    scored: Path
    embedded: Path
    track: Path
    report: Path

    @classmethod
    def within(cls, folder: Path) -> DemoFiles:
        """Return the paths in a folder."""
        names = ("variants.scored.vcf.gz", "regions.embedded.parquet", "likelihood.bw", "report.html")
        return cls(*(folder / name for name in names))


@verb(example="genolm demo demo")
def demo(
    out: OutputFolder,
    *,
    length: Annotated[int, PythonOnly()] = 400_000,
    progress: Annotated[bool, PythonOnly()] = True,
) -> DemoFiles:
    """Run the main commands on a simulated genome.

    Runs variants, embed and score with genolm-nano and writes an HTML report; takes two to three minutes on a CPU.
    Needs the extra report.

    Args:
        out: Output folder; created if it does not exist. Files of an earlier demo are overwritten.
        length: length of the simulated genome in bases.
        progress: whether to show progress bars.

    Returns:
        The paths of the output files.

    Raises:
        GenolmError: the extra ``report`` is not installed; nothing has been computed.
    """
    from genolm.cli.extras import require_extra
    from genolm.genome.simulation.simulate import simulate
    from genolm.models.checkpoints.load import load
    from genolm.tasks.embed import embed
    from genolm.tasks.score import score
    from genolm.tasks.variants.variants import variants

    require_extra("report", "the report of the demo")
    folder = Path(out)
    files, model = DemoFiles.within(folder), load(MODEL)
    typer.echo("This takes two to three minutes on a CPU.", err=True)
    _step(1, "simulating a genome", folder)
    genome = simulate(folder, length=length, overwrite=True)
    _step(2, "scoring variants", files.scored)
    variants(model, genome.vcf, files.scored, genome=genome.fasta, horizon=HORIZON, overwrite=True, progress=progress)
    _step(3, "embedding regions", files.embedded)
    embed(model, genome.bed, files.embedded, genome=genome.fasta, overwrite=True, progress=progress)
    _step(4, "computing log-likelihoods", files.track)
    score(model, genome.loci, files.track, genome=genome.fasta, overwrite=True, progress=progress)
    _step(5, "writing the report", files.report)
    _report(genome, files, model.card)
    return files


def _report(genome: SimulatedGenome, files: DemoFiles, card: Card) -> None:
    from genolm.tasks.report.report import report

    report(
        files.scored,
        files.report,
        genome=genome.fasta,
        genes=genome.gtf,
        label="CLS=LP:LB",
        scores=files.track,
        tracks={"RNA, forward": genome.rna["+"], "RNA, reverse": genome.rna["-"]},
        embeddings=files.embedded,
        title="genolm on a simulated genome",
        lead=LEAD,
        commands=[line.format(model=MODEL, **_names(genome, files)) for line in COMMANDS],
        card=card.to_dict(),
        overwrite=True,
    )


def _names(genome: SimulatedGenome, files: DemoFiles) -> dict[str, str]:
    paths = {"fasta": genome.fasta, "vcf": genome.vcf, "bed": genome.bed, "loci": genome.loci}
    paths |= {"scored": files.scored, "embedded": files.embedded, "track": files.track}
    return {name: path.name for name, path in paths.items()}


def _step(number: int, action: str, path: Path) -> None:
    typer.echo(f"{number}/5  {action}: {path}", err=True)
