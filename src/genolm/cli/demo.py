"""The demo: a simulated genome through the main verbs with the model that ships in the package, then a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

MODEL = "genolm-nano"

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


def demo(folder: Path, *, progress: bool = True) -> DemoFiles:
    """Simulate, call variant effects, embed, score and report.

    Args:
        folder: where everything is written; files of an earlier demo are replaced.
        progress: whether to show progress bars.

    Returns:
        Where the outputs are.
    """
    from genolm.genome.simulate import simulate
    from genolm.tasks.embed import embed
    from genolm.tasks.likelihood import score
    from genolm.tasks.report import report
    from genolm.tasks.variants import variants

    files = DemoFiles.within(folder)
    _step(1, "a simulated genome", folder)
    made = simulate(folder, overwrite=True)
    _step(2, "variant effects", files.scored)
    variants(MODEL, made.vcf, files.scored, genome=made.fasta, overwrite=True, progress=progress)
    _step(3, "embeddings of regions", files.embedded)
    embed(MODEL, made.bed, files.embedded, genome=made.fasta, overwrite=True, progress=progress)
    _step(4, "log-likelihood per base", files.track)
    score(MODEL, made.bed, files.track, genome=made.fasta, overwrite=True, progress=progress)
    _step(5, "the report", files.report)
    report(folder, files.report)
    return files


def _step(number: int, what: str, where: Path) -> None:
    typer.echo(f"{number}/5  {what}: {where}", err=True)
