"""What `genolm explain` cannot explain."""

from pathlib import Path

from tests.cli.bad_inputs.case import Case

SHORT = ">s\nACGTACGTAA\n"
FAR = 'chr9\tx\ttranscript\t1\t90\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'


def _fill(folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "kept.txt").write_text("mine\n")


CASES = (
    Case(
        "explain memory: a model without one",
        "explain memory tiny-random-dense short.fa out",
        "tiny-random-dense has no k-mer memory: neither Gengram layers nor tables at its input",
        4,
        {"short.fa": SHORT},
    ),
    Case(
        "explain tables: a model without any",
        "explain tables tiny-random out",
        "tiny-random has no k-mer memory: neither Gengram layers nor tables at its input",
        4,
    ),
    Case(
        "explain: a file's name for the folder",
        "explain memory tiny-random-kmer short.fa out.png",
        "out.png: explain writes a folder: give a name without a file suffix",
        3,
        {"short.fa": SHORT},
    ),
    Case(
        "explain: a folder of something else",
        "explain tables tiny-random-kmer full",
        "full is a folder; choose another output",
        5,
        make=_fill,
    ),
    Case(
        "explain experts: a dense model",
        "explain experts tiny-random-dense short.fa out",
        "tiny-random-dense is not a mixture-of-experts model: its feed-forward blocks are dense",
        4,
        {"short.fa": SHORT},
    ),
    Case(
        "explain experts: genes on other contigs",
        "explain experts tiny-random chr1:1-9 out --genome genome.fa --genes far.gtf",
        "far.gtf: no gene lies on a contig of genome.fa",
        3,
        {"far.gtf": FAR},
    ),
    Case(
        "explain attribution: a long sequence",
        "explain attribution tiny-random long.fa out",
        "attribution is limited to 1,000 bases per sequence, got 1,500 (value 'chr1'); "
        "pass --length to shorten intervals",
        3,
        {"long.fa": f">chr1\n{'A' * 1500}\n"},
    ),
    Case(
        "explain attribution: a base beyond the sequence",
        "explain attribution tiny-random short.fa out --position 11",
        "position is outside s: expected 1 to 10 (value 11)",
        3,
        {"short.fa": SHORT},
    ),
    Case(
        "explain: an interval without a genome",
        "explain lens tiny-random chr1:1-9 out",
        "inputs:1: intervals require a genome; pass --genome",
        3,
    ),
    Case(
        "explain: an interval backwards",
        "explain lens tiny-random chr1:5-3 out --genome genome.fa",
        "the interval ends before it starts (value 'chr1:5-3')",
        3,
    ),
    Case(
        "explain: no regions",
        "explain experts tiny-random none.bed out --genome genome.fa",
        "none.bed: no regions to explain: the input is empty",
        3,
        {"none.bed": ""},
    ),
    Case(
        "explain lens: nothing to predict",
        "explain lens tiny-random unknown.fa out",
        "unknown.fa: nothing to predict: only N, or single bases without a base before them",
        3,
        {"unknown.fa": ">s\nANNNN\n"},
    ),
    Case(
        "explain memory: intervals that overlap",
        "explain memory tiny-random-kmer twice.bed out --genome genome.fa",
        "twice.bed: a track has one value per base, but intervals overlap: chr1:2-5 and chr1:4-9",
        3,
        {"twice.bed": "chr1\t1\t5\nchr1\t3\t9\n"},
    ),
)
