"""The genomes of the study: which species a model was trained on, and which it never saw."""

from __future__ import annotations

import os
from pathlib import Path

from genolm.training.recipe import Recipe

RECIPE = "genolm-mini-ocean"
TRAINED = {
    "Akkermansia muciniphila": "Akkermansia_muciniphila_first500kb.fa.gz",
    "Blochmannia chromaiodes": "Blochmannia_chromaiodes_640.fna.gz",
    "Blochmannia vafer": "Blochmannia_vafer_BVAF.fna.gz",
    "Corynebacterium glutamicum": "Corynebacterium_glutamicum_ATCC13032.fna.gz",
    "Corynebacterium pseudotuberculosis": "Corynebacterium_pseudotuberculosis_CIP5297.fna.gz",
    "metagenome bin 2": "CoverM_MAG_genome_2.fna.gz",
    "metagenome bin 5": "CoverM_MAG_genome_5.fna.gz",
    "Enterococcus faecalis": "Enterococcus_faecalis_YI6-1.fna.gz",
    "Shewanella baltica": "Shewanella_baltica_OS185_first500kb.fa.gz",
    "Sphingobacteriaceae bacterium": "Sphingobacteriaceae_DW12.fna.gz",
}
"""One genome of each species in training, under its species."""
HELD_OUT = {
    "Caulobacter crescentus": "Caulobacter_crescentus_CB15.fna.gz",
    "Escherichia coli": "Escherichia_coli_K12_MG1655.fna.gz",
    "Methanobacterium sp. AL-21": "Methanobacterium_AL21.fna.gz",
    "Methanobacterium sp. MB1": "Methanobacterium_MB1.fna.gz",
    "Streptococcus suis": "Streptococcus_suis.fasta.gz",
    "Aquifex aeolicus": "Aquifex_aeolicus_VF5.fna.gz",
    "Mycoplasma genitalium": "Mycoplasma_genitalium_G37.fa.gz",
}
"""One genome of each species that no training row came from; the last two served to watch training (validation)."""
RECORDS = (
    "NC_003888.3.cluster027.gbk.gz", "CP002271.1.cluster019.gbk.gz", "JCM_4504.region28.gbk.gz", "NS1.region05.gbk.gz",
)  # fmt: skip
"""GenBank records with published genes, of genera that are not in training."""


def folder() -> Path:
    """Where the genomes lie: ``bacteria`` in the folder that GENOLM_DATA names."""
    return Path(os.environ["GENOLM_DATA"]) / "bacteria"


def paths(files: dict[str, str]) -> dict[str, Path]:
    """Species and file."""
    return {species: folder() / name for species, name in files.items()}


def check_split() -> None:
    """Stops when a genome of the study stands on the other side in the recipe that the models were trained by."""
    corpus = Recipe.load(RECIPE).corpus
    held_out = {text.split("/")[0] for texts in corpus.held_out.values() for text in texts}
    stem = {name: name.split(".")[0] for name in (*TRAINED.values(), *HELD_OUT.values())}
    wrong = [name for name in TRAINED.values() if stem[name] in held_out]
    wrong += [name for name in HELD_OUT.values() if stem[name] not in held_out]
    if wrong:
        raise SystemExit(f"not where the recipe has them: {', '.join(wrong)}")
