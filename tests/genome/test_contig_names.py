"""One rule for the names of contigs, whichever file asks."""

import pytest

from genolm.errors import InputError
from genolm.genome.contig_names import ContigNames, alias_file, chrom_aliases, read_chrom_aliases


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ("chr1", "1"), ("1", "chr1"), ("Chr1", "CHR1"), ("chrX", "x"),
        ("chrM", "MT"), ("MT", "chrM"), ("M", "MT"), ("chrMT", "M"),
        ("NC_000908.2", "NC_000908"), ("NC_000908", "NC_000908.2"), ("GL000192.1", "gl000192"),
        ("chr1_KI270706v1_random", "KI270706.1"),
        ("KI270742.1", "chrUn_KI270742v1"), ("GL000191.1", "chr1_gl000191_random"),
        ("chr6_GL000250v2_alt", "GL000250.2"), ("chrUn_NW_018654708v1", "NW_018654708.1"),
    ],
)  # fmt: skip
def test_names_that_mean_the_same_contig(own, asked):
    assert ContigNames([own, "other"]).find(asked) == own


@pytest.mark.parametrize(
    ("own", "asked"),
    [("chr1", "2"), ("chr1", "chr11"), ("NC_000001.10", "NC_000001.11"), ("chr1", ""), ("chr1", "chr1_random"),
     ("chr1_KI270706v1_random", "KI270706.2"), ("chr6_apd_hap1", "6")],
)  # fmt: skip
def test_names_that_mean_different_contigs(own, asked):
    assert ContigNames([own]).find(asked) is None


def test_the_exact_name_comes_first():
    names = ContigNames(["1", "chr1", "c", "c.1", "c.2"])
    assert [names.find(name) for name in ("1", "chr1", "c", "c.2")] == ["1", "chr1", "c", "c.2"]
    assert ContigNames(["c.1", "C"]).find("c") == "C"


@pytest.mark.parametrize(("own", "asked"), [(("1", "chr1"), "CHR1"), (("chrM", "chrMT"), "MT"), (("c.1", "c.2"), "c")])
def test_a_name_that_could_mean_two_contigs_is_refused(own, asked):
    with pytest.raises(
        InputError, match=rf"ambiguous contig name: it matches {own[0]} and {own[1]} \(value '{asked}'\)"
    ):
        ContigNames(own).find(asked)


ALIASES = "# ucsc\tassembly\tgenbank\trefseq\nchr1\t1\tCM000663.2\tNC_000001.11\nchrM\tMT\tJ01415.2\tNC_012920.1\n"
SCAFFOLD = "chrUn_KI270302v1\tHSCHRUN_RANDOM_CTG1\tKI270302.1\tNT_187396.1\n"
OLD = "1\tchr1\tensembl\nNC_000001.11\tchr1\trefseq\nMT\tchrM\tensembl\n"


@pytest.fixture
def aliases(tmp_path):
    def write(text, name="g.chromAlias.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("own", [("chr1", "chrM"), ("1", "MT"), ("NC_000001.11", "NC_012920.1"), ("CM000663.2", "M")])
@pytest.mark.parametrize("text", [ALIASES, ALIASES + SCAFFOLD, "# sequenceName\talias names\n" + ALIASES[31:]])
def test_names_from_an_alias_file(aliases, own, text):
    names = ContigNames(own, read_chrom_aliases(aliases(text)))
    first = ("chr1", "1", "CM000663.2", "NC_000001.11", "NC_000001", "CHR1")
    mitochondrial = ("chrM", "MT", "M", "chrMT", "J01415.2", "NC_012920.1")
    assert {names.find(name) for name in first} == {own[0]}
    assert {names.find(name) for name in mitochondrial} == {own[1]}
    assert names.find("NC_000001.10") is None and names.find("chrUn_KI270302v1") is None


def test_the_older_form_of_an_alias_file(aliases):
    for text in (OLD, f"# alias\tchrom\tsource\n{OLD}"):
        names = ContigNames(["chr1", "chrM"], read_chrom_aliases(aliases(text)))
        assert [names.find(name) for name in ("NC_000001.11", "1", "MT", "ensembl")] == ["chr1", "chr1", "chrM", None]


def test_an_alias_file_goes_before_conventions():
    synonyms = (("chrM", "NC_001807.4"), ("chrMT", "MT", "NC_012920.1"))
    names = ContigNames(["chrM", "chrMT"], synonyms)
    assert [names.find(name) for name in ("MT", "chrM", "NC_012920.1", "NC_001807.4")] == [
        "chrMT",
        "chrM",
        "chrMT",
        "chrM",
    ]
    with pytest.raises(InputError, match=r"ambiguous contig name: it matches chrM and chrMT \(value 'M'\)"):
        names.find("M")


def test_an_alias_of_two_contigs_is_ambiguous():
    names = ContigNames(["chr1", "NC_1.1"], (("chr1", "NC_1.1", "one"),))
    assert names.find("chr1") == "chr1"
    with pytest.raises(InputError, match=r"it matches chr1 and NC_1\.1 \(value 'one'\)"):
        names.find("one")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"g\.chromAlias\.txt: the file lists no contig names"),
        ("# ucsc\tassembly\n", r"g\.chromAlias\.txt: the file lists no contig names"),
        (
            "# ucsc\tassembly\nchr1\t1\tx\n",
            r"g\.chromAlias\.txt:2: expected 2 columns as in the header, found 3 ",
        ),
        ("chr1\t1\n", r"g\.chromAlias\.txt:1: expected three columns separated by tabs: .* \(value 'chr1\\t1'\)"),
        (
            "1 chr1 ensembl\n",
            r"g\.chromAlias\.txt:1: expected three columns separated by tabs: alias, contig",
        ),
        (
            "# ucsc\tassembly\n\nchr1\tof human\n",
            r"g\.chromAlias\.txt:3: a contig name must be one word .*'of human'",
        ),
    ],
)
def test_malformed_alias_files(aliases, text, message):
    with pytest.raises(InputError, match=message):
        read_chrom_aliases(aliases(text))


@pytest.mark.parametrize(("fasta", "alias"), [
    ("g.fa", "g.chromAlias.txt"), ("g.fasta.gz", "g.chromAlias.txt"), ("G.1.fna.bgz", "G.1.chromAlias.txt"),
    ("g.fa", "chromAlias.txt"), ("g.bw", "g.chromAlias.txt"),
])  # fmt: skip
def test_the_alias_file_is_next_to_the_fasta(aliases, tmp_path, fasta, alias):
    assert alias_file(tmp_path / fasta) is None and chrom_aliases(tmp_path / fasta) == ()
    path = aliases(OLD, alias)
    assert alias_file(tmp_path / fasta) == path
