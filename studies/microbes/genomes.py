"""Genomes of the study: training genomes and held-out species."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus, load_corpus
from genolm.training.recipes.pretrain_recipe import Recipe

RECIPE = "genolm-mini-ocean"
TRAINED = {
    "Akkermansia muciniphila": "Akkermansia_muciniphila_first500kb.fa.gz",
    "Blochmannia chromaiodes": "Blochmannia_chromaiodes_640.fna.gz",
    "Blochmannia turneri": "Blochmannia_turneri.fna.gz",
    "Blochmannia vafer": "Blochmannia_vafer_BVAF.fna.gz",
    "Corynebacterium glutamicum": "Corynebacterium_glutamicum_ATCC13032.fna.gz",
    "Corynebacterium pseudotuberculosis": "Corynebacterium_pseudotuberculosis_CIP5297.fna.gz",
    "metagenome bin 2": "CoverM_MAG_genome_2.fna.gz",
    "metagenome bin 4": "CoverM_MAG_genome_4.fna.gz",
    "metagenome bin 5": "CoverM_MAG_genome_5.fna.gz",
    "Enterococcus faecalis": "Enterococcus_faecalis_T2.fna.gz",
    "Shewanella baltica": "Shewanella_baltica_OS185_first500kb.fa.gz",
    "Sphingobacteriaceae bacterium": "Sphingobacteriaceae_DW12.fna.gz",
}
"""One training genome of each species, by species."""
FURTHER_STRAINS = {
    "Enterococcus faecalis TX0104": "Enterococcus_faecalis_TX0104.fa.gz",
    "Shewanella baltica OS223": "Shewanella_baltica_OS223_first500kb.fa.gz",
}
"""Second genomes of two of these species, parts of which are also in training."""
HELD_OUT = {
    "Caulobacter crescentus": "Caulobacter_crescentus_CB15.fna.gz",
    "Escherichia coli": "Escherichia_coli_K12_MG1655.fna.gz",
    "Methanobacterium sp. AL-21": "Methanobacterium_AL21.fna.gz",
    "Methanobacterium sp. MB1": "Methanobacterium_MB1.fna.gz",
    "Streptococcus suis": "Streptococcus_suis.fasta.gz",
    "Aquifex aeolicus": "Aquifex_aeolicus_VF5.fna.gz",
    "Mycoplasma genitalium": "Mycoplasma_genitalium_G37.fa.gz",
}
"""One genome of each held-out species; the last two were used for validation during training."""
RECORDS = (
    "NC_003888.3.cluster027.gbk.gz", "CP002271.1.cluster019.gbk.gz", "JCM_4504.region28.gbk.gz", "NS1.region05.gbk.gz",
)  # fmt: skip
"""GenBank records with published genes, from genera that are not in training."""


def folder() -> Path:
    """Return the folder of the genomes: ``bacteria`` in the folder GENOLM_DATA."""
    return Path(os.environ["GENOLM_DATA"]) / "bacteria"


def paths(files: Mapping[str, str]) -> dict[str, Path]:
    """Return the species and files."""
    return {species: folder() / name for species, name in files.items()}


@cache
def corpus() -> Corpus:
    """Return the training corpus, in memory: the recipe's genomes after its filters."""
    return load_corpus(Recipe.load(RECIPE).corpus, NucleotideTokenizer(iupac="N"))


def trained_bases(corpus: Corpus) -> dict[str, int]:
    """Return the number of training bases of each genome, by the stem of its file."""
    train = corpus.splits["train"]
    names = train.assemblies
    return {name: int(train.length_N[names.code_N == code].sum()) for code, name in enumerate(names.names)}


def check_split(trained: Mapping[str, int]) -> None:
    """Exit if a training genome of the study was not trained on, or a held-out one was.

    Args:
        trained: training bases of each genome, from :func:`trained_bases`.
    """
    said = {_stem(name) for name in (*TRAINED.values(), *FURTHER_STRAINS.values())}
    really = {name for name, bases in trained.items() if bases}
    if said != really:
        raise SystemExit(f"not in the study or not in training: {', '.join(sorted(said ^ really))}")
    held_out = {text.split("/")[0] for texts in Recipe.load(RECIPE).corpus.held_out.values() for text in texts}
    wrong = {_stem(name) for name in HELD_OUT.values()} - held_out | held_out & really
    if wrong:
        raise SystemExit(f"not held out: {', '.join(sorted(wrong))}")


def _stem(name: str) -> str:
    return name.split(".")[0]
