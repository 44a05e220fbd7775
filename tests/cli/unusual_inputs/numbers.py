"""Sequences without a score, extreme rules of drawing, genotypes of every form, settings changed on resume."""

from pathlib import Path

import polars as pl
from tests.cli.bad_inputs.token_recipes import COLUMNS, CORPUS, DECODER, GENOTYPES, small
from tests.cli.unusual_inputs.case import MODEL, Unusual

SUM, MEAN = "log_likelihood_sum_nats", "log_likelihood_mean_nats_per_base"
SAMPLES = f"{COLUMNS}\tFORMAT\tada\tbo"
RUN = DECODER + CORPUS + "steps: 4\nreport_every: 1\ncheckpoint_every: 2\n"
MORE = RUN.replace("checkpoint_every: 2", "checkpoint_every: 1\nevaluate_every: 3")


def no_score(folder: Path) -> None:
    """Counts of zero, and null sums and means; the last sequence has a score."""
    table = pl.read_parquet(folder / "out.parquet")
    assert table["scored_bases"].to_list()[:-1] == [0] * (len(table) - 1) and table["scored_bases"][-1] > 0
    for name in table.columns:
        if "nats" in name or "bits" in name:
            assert table[name].to_list()[:-1] == [None] * (len(table) - 1) and table[name][-1] is not None


def finite(folder: Path) -> None:
    """Scores, all of them numbers."""
    table = pl.read_parquet(folder / "out.parquet")
    assert table[SUM].is_finite().all() and table[MEAN].is_finite().all()


def generated(folder: Path) -> None:
    """Behind the prompt, letters are A, C, G and T."""
    records = (folder / "out.fa").read_text().split(">")[1:]
    for record in records:
        title, _, text = record.partition("\n")
        written = text.replace("\n", "").removeprefix("ACGTNN" if "NN" in text else "ACGT")
        assert written and set(written) <= set("ACGT"), title


def substitutions(expected: int):
    """The log says how many substitutions were taken."""

    def check(folder: Path) -> None:
        assert f'"substitutions": {expected}' in (folder / "run/log.jsonl").read_text().splitlines()[0]

    return check


def ended(folder: Path) -> None:
    """The run came to its last step, and the log was not emptied."""
    steps = [line for line in (folder / "run/log.jsonl").read_text().splitlines() if "gradient_norm" in line]
    assert len(steps) == 4 and (folder / "run/model").is_dir()


def people(
    kind: str, rows: str, outcome: str, count: int, header: str = GENOTYPES + SAMPLES, ends: str = "\n"
) -> Unusual:
    text = f"{header}\n{rows}".replace("\n", ends)
    files = {"good.yaml": DECODER + CORPUS + "haplotypes: {vcf: [people.vcf]}\nsteps: 1\n", "people.vcf": text.encode()}
    return Unusual(f"haplotypes: {kind}", "pretrain good.yaml run", outcome, substitutions(count), files, make=small)


CASES = (
    Unusual(
        "sequences in which no base can be scored",
        f"score {MODEL} reads.fa out.parquet",
        "a count of 0, and null instead of a sum and a mean",
        no_score,
        {"reads.fa": ">n\nNNNN\n>one\nA\n>between\nANNN\n>good\nACGT\n"},
    ),
    Unusual(
        "sequences of N alone, under an encoder and over both strands",
        "score tiny-random-bert reads.fa out.parquet --rc",
        "a count of 0, and null instead of a sum and a mean",
        no_score,
        {"reads.fa": f">n\nN\n>long\n{'N' * 700}\n>good\nACGTACGT\n"},
    ),
    Unusual(
        "float16 with a model that does not overflow in it",
        f"score {MODEL} good.fa out.parquet --dtype float16",
        "scored in float16",
        finite,
    ),
    Unusual(
        "a repetition penalty that makes every score infinite",
        "generate tiny-random-ocean ACGTNN --length 60 --repetition-penalty 1e308 out.fa --n 3",
        "the most likely of the remaining tokens is sampled: A, C, G and T only",
        generated,
    ),
    Unusual(
        "a temperature near zero",
        f"generate {MODEL} ACGT --length 60 --temperature 1e-300 out.fa",
        "the most likely base is sampled",
        generated,
    ),
    people(
        "haploid, missing and partly missing genotypes",
        "chr1\t1\t.\tA\tT\t.\t.\t.\tGT\t1\t.\nchr1\t2\t.\tC\tT\t.\t.\t.\tGT\t.|1\t./.\n",
        "a haploid genotype counts for both haplotypes, a missing allele is the reference",
        2,
    ),
    people(
        "genotypes behind other fields, or none at all in a record",
        "chr1\t1\t.\tA\tT\t.\t.\t.\tDP:GT\t9:0|1\t3:1|1\nchr1\t2\t.\tC\tT\t.\t.\t.\tDP\t9\t3\n",
        "GT is found where FORMAT says; a record without it reads the reference",
        2,
    ),
    people(
        "Windows line ends and lower-case alleles",
        "chr1\t1\t.\ta\tt\t.\t.\t.\tGT\t0|1\t1|1\n",
        "read as with Unix line ends and upper case",
        1,
        ends="\r\n",
    ),
    people(
        "a contig named otherwise than in the genome, and one that the genome lacks",
        "1\t1\t.\tA\tT\t.\t.\t.\tGT\t0|1\t1|1\nchrUn\t1\t.\tA\tT\t.\t.\t.\tGT\t0|1\t1|1\n",
        "1 is chr1; alleles outside of training sequence are left out and counted",
        1,
    ),
    Unusual(
        "pretrain: other settings of reports and checkpoints on resume",
        "pretrain more.yaml run --resume",
        "the run continues: the weights do not depend on them",
        ended,
        {"good.yaml": RUN, "more.yaml": MORE, "small.fa": f">chr1\n{'ACGTTGCAAC' * 100}\n>chr2\n{'GATTACAGGC' * 60}\n"},
        before=("pretrain good.yaml run --steps 2",),
    ),
)
