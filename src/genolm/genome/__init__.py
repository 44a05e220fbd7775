"""Genomic intervals, variants, sequences and annotation, and their file formats.

Public names are imported lazily.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genolm.genome.bed import BedRecord, read_bed
    from genolm.genome.fasta import Genome
    from genolm.genome.input_values import SequenceRecord
    from genolm.genome.interval import Interval
    from genolm.genome.sequence import reverse_complement, upper_dna
    from genolm.genome.sequences import allele_sequences, read_sequences
    from genolm.genome.variant import Variant
    from genolm.genome.vcf.vcf_records import InfoField, VariantRecord, read_variants, write_vcf

_HOMES = {
    "BedRecord": "bed",
    "Genome": "fasta",
    "InfoField": "vcf.vcf_records",
    "Interval": "interval",
    "SequenceRecord": "input_values",
    "Variant": "variant",
    "VariantRecord": "vcf.vcf_records",
    "allele_sequences": "sequences",
    "read_bed": "bed",
    "read_sequences": "sequences",
    "read_variants": "vcf.vcf_records",
    "reverse_complement": "sequence",
    "upper_dna": "sequence",
    "write_vcf": "vcf.vcf_records",
}

__all__ = [
    "BedRecord",
    "Genome",
    "InfoField",
    "Interval",
    "SequenceRecord",
    "Variant",
    "VariantRecord",
    "allele_sequences",
    "read_bed",
    "read_sequences",
    "read_variants",
    "reverse_complement",
    "upper_dna",
    "write_vcf",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
