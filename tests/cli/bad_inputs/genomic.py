"""What `genolm cluster`, `detect` and `check` cannot use."""

import gzip
import json
import random
from pathlib import Path

from tests.cli.bad_inputs.case import Case


def _dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


ONE, OTHER = (f">c\n{_dna(900, seed)}\n" for seed in (1, 2))
GENOMES = {"one.fa": ONE, "other.fa": OTHER}
UNKNOWN = f">c\n{'N' * 900}\n"
CUT = gzip.compress(ONE.encode(), mtime=0)[:-20]
MADE = f">g prompt_bases=8 model=toy\n{_dna(120, 3)}\n"
PLAIN = f">g\n{_dna(120, 3)}\n"
CLUSTER = "cluster tiny-random-dense one.fa other.fa out --length 100"
TRAIN = "detect train out --natural one.fa --natural other.fa"


def _other_detector(folder: Path) -> None:
    (folder / "det").mkdir()
    (folder / "det" / "detector.json").write_text(json.dumps({"format": "genolm detector", "version": 9}))


CASES = (
    Case(
        "cluster: fewer fragments than neighbours",
        f"{CLUSTER} --per-genome 5",
        "UMAP with 30 neighbours requires more than 30 fragments, got 10; use more or shorter fragments, or "
        "pass --reduce pca",
        3,
        GENOMES,
    ),
    Case(
        "cluster: one species",
        "cluster tiny-random-dense one.fa out --length 20",
        "there is only one species (value 'one'); pass --labels none to cluster without labels",
        3,
        GENOMES,
    ),
    Case(
        "cluster: no genome is long enough",
        "cluster tiny-random-dense one.fa other.fa out",
        "no genome has a fragment of 5,000 bases with at most 5% N",
        3,
        GENOMES,
    ),
    Case(
        "cluster: a genome of N",
        CLUSTER.replace(" out", " unknown.fa out --reduce pca"),
        "unknown.fa: the file contains only N",
        3,
        {**GENOMES, "unknown.fa": UNKNOWN},
    ),
    Case(
        "cluster: an empty genome",
        CLUSTER.replace(" out", " empty.fa out --reduce pca"),
        "empty.fa: the FASTA file is empty",
        3,
        {**GENOMES, "empty.fa": ""},
    ),
    Case(
        "cluster: a compressed genome that is cut off",
        CLUSTER.replace(" out", " cut.fa.gz out --reduce pca"),
        "cut.fa.gz: the compressed file is truncated; download it again",
        3,
        {**GENOMES, "cut.fa.gz": CUT},
    ),
    Case(
        "cluster: a genome without a label",
        f"{CLUSTER} --reduce pca --labels species.tsv",
        "species.tsv: no label for this genome in the table (value 'other')",
        3,
        {**GENOMES, "species.tsv": "genome\tlabel\none.fa\tE. coli\n"},
    ),
    Case(
        "cluster: a table of something else",
        f"{CLUSTER} --reduce pca --labels species.tsv",
        "species.tsv:1: a label table must have the columns label and genome or contig (value 'file\\tspecies')",
        3,
        {**GENOMES, "species.tsv": "file\tspecies\none.fa\tE. coli\n"},
    ),
    Case(
        "cluster: a negative seed",
        f"{CLUSTER} --seed -1",
        "Invalid value for '--seed': must be between 0 and 4294967295, not -1",
        2,
        GENOMES,
    ),
    Case(
        "cluster: two files of one name",
        CLUSTER.replace(" out", " one.fna out --reduce pca"),
        "one.fna: duplicate genome name, also of one.fa (value 'one')",
        3,
        {**GENOMES, "one.fna": ONE},
    ),
    Case(
        "cluster: umap-learn is not installed",
        CLUSTER,
        "cluster requires umap-learn, which is not installed; pip install 'genolm[cluster]', or pass --reduce pca",
        1,
        GENOMES,
        hidden=("umap",),
    ),
    Case(
        "detect train: a generated record without provenance",
        f"{TRAIN} --generated plain.fa",
        "plain.fa: unknown generator of this record (value 'g'); add model=NAME to its header, or pass "
        "--provenance to name the generators in a table",
        3,
        {**GENOMES, "plain.fa": PLAIN},
    ),
    Case(
        "detect train: a prompt of a genome that was not given",
        f"{TRAIN} --generated made.fa",
        "made.fa: g names a genome that is not among the natural files: one, other (value 'One.fa')",
        3,
        {**GENOMES, "made.fa": MADE.replace("model=toy", "model=toy genome=One.fa")},
    ),
    Case(
        "detect train: a table of provenance that names a file twice",
        f"{TRAIN} --generated plain.fa --provenance made.tsv",
        "made.tsv:3: duplicate name (value 'plain.fa')",
        3,
        {**GENOMES, "plain.fa": PLAIN, "made.tsv": "file\tgenerator\nplain.fa\tone\nplain.fa\ttwo\n"},
    ),
    Case(
        "detect train: too few genomes",
        f"{TRAIN} --generated made.fa",
        "too few genomes: training, calibration and testing require at least 3 groups of genomes that share no "
        "sequence",
        3,
        {**GENOMES, "made.fa": MADE},
    ),
    Case(
        "detect train: folds that part related genomes",
        f"{TRAIN} --natural again.fa --generated made.fa --genomes folds.tsv",
        "one and again share 100% of their 28-mers, but are in different folds or only one is held out: training on "
        "one would leak into the test on the other",
        3,
        {
            **GENOMES,
            "again.fa": ONE,
            "made.fa": MADE,
            "folds.tsv": "genome\tfold\none\t1\nother\t2\nagain\t3\n",
        },
    ),
    Case(
        "detect train: embeddings without a model",
        f"{TRAIN} --generated made.fa --features embedding",
        "features 'embedding' require a model (value 'embedding'); pass --model",
        3,
        {**GENOMES, "made.fa": MADE},
    ),
    Case(
        "detect train: a seed that is too large",
        f"{TRAIN} --generated made.fa --seed 4294967296",
        "Invalid value for '--seed': must be between 0 and 4294967295, not 4294967296",
        2,
        {**GENOMES, "made.fa": MADE},
    ),
    Case(
        "detect train: parts where no model embeds",
        f"{TRAIN} --generated made.fa --resume",
        "resume and shard require embedding features",
        5,
        {**GENOMES, "made.fa": MADE},
    ),
    Case(
        "detect train: scikit-learn is not installed",
        f"{TRAIN} --generated made.fa",
        "a detector requires scikit-learn, which is not installed; pip install 'genolm[detect]'",
        1,
        {**GENOMES, "made.fa": MADE},
        hidden=("sklearn.linear_model",),
    ),
    Case(
        "detect apply: not a detector folder",
        "detect apply model good.fa calls.tsv",
        "model: not a detector folder (detector.json is missing); create one with `genolm detect train`",
        3,
    ),
    Case(
        "detect apply: a detector of another version",
        "detect apply det good.fa calls.tsv",
        "det/detector.json: unsupported format version of the detector: expected 2 (value 9)",
        3,
        make=_other_detector,
    ),
    Case(
        "detect apply: an output of unknown kind",
        "detect apply det good.fa calls.xlsx",
        "calls.xlsx: unsupported output format; use one of .parquet, .tsv, .csv",
        3,
        make=_other_detector,
    ),
    Case(
        "check: an empty FASTA",
        "check empty.fa out --reference one.fa",
        "empty.fa: the FASTA file is empty",
        3,
        {**GENOMES, "empty.fa": ""},
    ),
    Case(
        "check: nothing but prompts",
        "check made.fa out --reference one.fa",
        "made.fa: no record has new bases after its prompt",
        3,
        {**GENOMES, "made.fa": ">g prompt_bases=4\nACGT\n"},
    ),
    Case(
        "check: a reference without room",
        "check made.fa out --reference short.fa",
        "no genome has space for another piece of 112 bases without N; provide more genomes, or fewer or"
        " shorter sequences",
        3,
        {"made.fa": MADE, "short.fa": ">c\nACGTACGTTG\n"},
    ),
    Case(
        "check: a negative seed",
        "check made.fa out --reference one.fa --seed -1",
        "Invalid value for '--seed': must be between 0 and 4294967295, not -1",
        2,
        {**GENOMES, "made.fa": MADE},
    ),
    Case(
        "check: Pyrodigal is not installed",
        "check made.fa out --reference one.fa",
        "gene finding requires pyrodigal, which is not installed; pip install 'genolm[check]'",
        1,
        {**GENOMES, "made.fa": MADE},
        hidden=("pyrodigal",),
    ),
)
