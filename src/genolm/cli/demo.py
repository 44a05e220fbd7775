"""The demo: a simulated genome through the main verbs with the model that ships in the package, then a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from genolm.genome.simulation.simulate import SimulatedGenome
    from genolm.models.card import Card

MODEL = "genolm-nano"
HORIZON = 256
LEAD = (
    "A walk through the outputs, not a benchmark: the genome, its genes and the effects of its variants are simulated, "
    "so the truth is known, but a small model that learned from human DNA has little reason to tell them apart."
)
COMMANDS = (
    "genolm simulate .",
    "genolm variants {model} {vcf} {scored} --genome {fasta} --horizon 256",
    "genolm embed {model} {bed} {embedded} --genome {fasta}",
    "genolm score {model} {loci} {track} --genome {fasta}",
)

NEXT = """
Look:  {report}  (open it in a browser)
       {scored}  (INFO/GENOLM_LLR_SUM is log p(ALT) - log p(REF) in nats: negative = less likely)

Try on your own files:
  genolm variants {model} calls.vcf.gz calls.scored.vcf.gz --genome hg38.fa
  genolm embed    {model} regions.bed  regions.parquet     --genome hg38.fa
  genolm score    {model} genes.fa     genes.parquet
  genolm models   # bigger ones"""


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What the demo writes beside the simulated genome, in one folder.

    Attributes:
        scored: the variants with their scores.
        embedded: one vector for each region.
        track: log-likelihood per base.
        report: the page that shows all of it.
    """

    scored: Path
    embedded: Path
    track: Path
    report: Path

    @classmethod
    def within(cls, folder: Path) -> DemoFiles:
        """The names in a folder."""
        names = ("variants.scored.vcf.gz", "regions.embedded.parquet", "likelihood.bw", "report.html")
        return cls(*(folder / name for name in names))


def demo(folder: Path, *, length: int = 400_000, progress: bool = True) -> DemoFiles:
    """Simulate, call variant effects, embed, score and report.

    Args:
        folder: where everything is written; files of an earlier demo are replaced.
        length: bases of the simulated genome.
        progress: whether to show progress bars.

    Returns:
        Where the outputs are.

    Raises:
        GenolmError: the extra ``report`` is not installed; nothing is computed then.
    """
    from genolm.cli.extras import require_extra
    from genolm.genome.simulation.simulate import simulate
    from genolm.models.checkpoints.load import load
    from genolm.tasks.embed import embed
    from genolm.tasks.score import score
    from genolm.tasks.variants.variants import variants

    require_extra("report", "the demo's report")
    files, model = DemoFiles.within(folder), load(MODEL)
    typer.echo("five steps, two to three minutes on a CPU", err=True)
    _step(1, "a simulated genome", folder)
    made = simulate(folder, length=length, overwrite=True)
    _step(2, "variant effects", files.scored)
    variants(model, made.vcf, files.scored, genome=made.fasta, horizon=HORIZON, overwrite=True, progress=progress)
    _step(3, "embeddings of regions", files.embedded)
    embed(model, made.bed, files.embedded, genome=made.fasta, overwrite=True, progress=progress)
    _step(4, "log-likelihood per base", files.track)
    score(model, made.loci, files.track, genome=made.fasta, overwrite=True, progress=progress)
    _step(5, "the report", files.report)
    _report(made, files, model.card)
    return files


def _report(made: SimulatedGenome, files: DemoFiles, card: Card) -> None:
    from genolm.tasks.report.report import report

    report(
        files.scored,
        files.report,
        genome=made.fasta,
        genes=made.gtf,
        label="CLS=LP:LB",
        scores=files.track,
        tracks={"RNA, forward": made.rna["+"], "RNA, reverse": made.rna["-"]},
        embeddings=files.embedded,
        title="genolm on a simulated genome",
        lead=LEAD,
        commands=[line.format(model=MODEL, **_names(made, files)) for line in COMMANDS],
        card=card.to_dict(),
        overwrite=True,
    )


def _names(made: SimulatedGenome, files: DemoFiles) -> dict[str, str]:
    paths = {"fasta": made.fasta, "vcf": made.vcf, "bed": made.bed, "loci": made.loci}
    paths |= {"scored": files.scored, "embedded": files.embedded, "track": files.track}
    return {name: path.name for name, path in paths.items()}


def _step(number: int, what: str, where: Path) -> None:
    typer.echo(f"{number}/5  {what}: {where}", err=True)
