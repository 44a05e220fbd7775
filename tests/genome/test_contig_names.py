"""One rule for the names of contigs, whichever file asks."""

import pytest

from genolm.errors import InputError
from genolm.genome.contig_names import ContigNames


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ("chr1", "1"), ("1", "chr1"), ("Chr1", "CHR1"), ("chrX", "x"),
        ("chrM", "MT"), ("MT", "chrM"), ("M", "MT"), ("chrMT", "M"),
        ("NC_000908.2", "NC_000908"), ("NC_000908", "NC_000908.2"), ("GL000192.1", "gl000192"),
    ],
)  # fmt: skip
def test_names_that_mean_the_same_contig(own, asked):
    assert ContigNames([own, "other"]).find(asked) == own


@pytest.mark.parametrize(
    ("own", "asked"),
    [("chr1", "2"), ("chr1", "chr11"), ("NC_000001.10", "NC_000001.11"), ("chr1", ""), ("chr1", "chr1_random")],
)
def test_names_that_mean_different_contigs(own, asked):
    assert ContigNames([own]).find(asked) is None


def test_the_exact_name_comes_first():
    names = ContigNames(["1", "chr1", "c", "c.1", "c.2"])
    assert [names.find(name) for name in ("1", "chr1", "c", "c.2")] == ["1", "chr1", "c", "c.2"]
    assert ContigNames(["c.1", "C"]).find("c") == "C"


@pytest.mark.parametrize(("own", "asked"), [(("1", "chr1"), "CHR1"), (("chrM", "chrMT"), "MT"), (("c.1", "c.2"), "c")])
def test_a_name_that_could_mean_two_contigs_is_refused(own, asked):
    with pytest.raises(InputError, match=rf"could be any of the contigs {own[0]}, {own[1]} \(value '{asked}'\)"):
        ContigNames(own).find(asked)
