"""The demo: a simulated genome through the main verbs with the model that ships in the package, then a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

MODEL = "genolm-nano"

NEXT = """
Look:  {report}  (open it in a browser)
       {folder}/variants.scored.vcf.gz  (INFO/GENOLM_LLR_SUM: log p(ALT) - log p(REF), in nats; negative = less likely)

Try on your own files:
  genolm variants {model} calls.vcf.gz calls.scored.vcf.gz --genome hg38.fa
  genolm embed    {model} regions.bed  regions.parquet     --genome hg38.fa
  genolm score    {model} genes.fa     genes.parquet
  genolm models   # bigger ones"""


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the demo reads and writes: the simulated genome and each verb's output, in one folder."""

    folder: Path

    @property
    def genome(self) -> Path:
        """The simulated chromosome."""
        return self.folder / "genome.fa"

    @property
    def variants(self) -> Path:
        """Simulated variants of known effect."""
        return self.folder / "variants.vcf.gz"

    @property
    def regions(self) -> Path:
        """Promoters, splice sites, repeats and background, as BED."""
        return self.folder / "regions.bed"

    @property
    def scored(self) -> Path:
        """The variants with their scores."""
        return self.folder / "variants.scored.vcf.gz"

    @property
    def embedded(self) -> Path:
        """One vector for each region."""
        return self.folder / "regions.embedded.parquet"

    @property
    def track(self) -> Path:
        """Log-likelihood per base."""
        return self.folder / "likelihood.bw"

    @property
    def report(self) -> Path:
        """The page that shows all of it."""
        return self.folder / "report.html"


def demo(folder: Path, *, progress: bool = True) -> Path:
    """Simulate, call variant effects, embed, score and report.

    Args:
        folder: where everything is written; files of an earlier demo are replaced.
        progress: whether to show progress bars.

    Returns:
        Path of the HTML report.
    """
    from genolm.genome.simulate import simulate
    from genolm.tasks.embed import embed
    from genolm.tasks.likelihood import score
    from genolm.tasks.report import report
    from genolm.tasks.variants import variants

    files = DemoFiles(folder)
    _step(1, "a simulated genome", files.genome)
    simulate(folder, seed=0)
    _step(2, "variant effects", files.scored)
    variants(MODEL, files.variants, files.scored, genome=files.genome, overwrite=True, progress=progress)
    _step(3, "embeddings of regions", files.embedded)
    embed(MODEL, files.regions, files.embedded, genome=files.genome, overwrite=True, progress=progress)
    _step(4, "log-likelihood per base", files.track)
    score(MODEL, files.regions, files.track, genome=files.genome, overwrite=True, progress=progress)
    _step(5, "the report", files.report)
    report(folder, files.report)
    return files.report


def _step(number: int, what: str, where: Path) -> None:
    typer.echo(f"{number}/5 {what} -> {where}", err=True)
