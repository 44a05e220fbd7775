"""Records of the study: GenBank entries of gene clusters, and a scaffold with two annotated clusters."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file

TRAINED = {
    "stigmatella": "CP002271.1.cluster019.gbk.gz",
    "plicatus": "JCM_4504.region28.gbk.gz",
    "coelicolor": "NC_003888.3.cluster027.gbk.gz",
    "rochei": "NS1.region05.gbk.gz",
    "balhimycina": "Y16952.gbk.gz",
    "nodosus": "deepbgc_BGC0000015.gbk.gz",
    "nisin": "nisin.gbk.gz",
}
"""Records to train on, by the name of their FASTA file."""
HELD_OUT = "ghanaensis", "deepbgc_labelled.gbk.gz"
"""Scaffold of Streptomyces ghanaensis that is scanned, and its file."""

_CLUSTER = re.compile(r"^     cluster +(\d+)\.\.(\d+)", re.MULTILINE)


def source(name: str) -> Path:
    """Return the path of a record, in ``bacteria/bgc`` of the folder GENOLM_DATA."""
    return Path(os.environ["GENOLM_DATA"]) / "bacteria" / "bgc" / name


def write_fasta(folder: Path) -> None:
    """Write every record as a FASTA file into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in (*TRAINED.items(), HELD_OUT):
        records = read_sequence_file(source(file), lambda letters: upper_dna(letters, iupac="N"))
        text = "".join(f">{record.id.split()[0].strip('.')}\n{record.sequence}\n" for record in records)
        (folder / f"{name}.fa").write_text(text)


def annotated_clusters() -> list[tuple[int, int]]:
    """Return start and end of the annotated clusters of the held-out scaffold, 0-based and half-open."""
    text = gzip.decompress(source(HELD_OUT[1]).read_bytes()).decode()
    return [(int(start) - 1, int(end)) for start, end in _CLUSTER.findall(text)]
