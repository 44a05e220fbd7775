"""In-memory inputs that each verb accepts or rejects."""

import pytest

import genolm
from genolm import InputError

MODEL = "tiny-random-dense"
CONTIGS = {"one": "ACGTTGCAAC" * 6, "two": "GGCATTACGA" * 5}


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "toy.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in CONTIGS.items()))
    return path


@pytest.mark.parametrize("verb", ["embed", "score"])
def test_a_dict_is_read_as_a_fasta_of_its_names(verb, fasta):
    function = getattr(genolm, verb)
    assert function(MODEL, CONTIGS).table.equals(function(MODEL, fasta).table)


def test_generation_keeps_the_names_of_prompts_empty_ones_included():
    table = genolm.generate(MODEL, {"start": "ACGT", "empty": ""}, length=5).table
    assert table.select("prompt_id", "prompt").rows() == [("start", "ACGT"), ("empty", "")]
    assert genolm.generate(MODEL, [("empty", "")], length=5).table["prompt_id"].to_list() == ["empty"]


def test_a_scan_takes_a_dict_and_a_genome(fasta):
    records = [
        genolm.scan(MODEL, given, side="none").record["contigs"] for given in (fasta, CONTIGS, genolm.Genome(fasta))
    ]
    assert records[0] == records[1] == records[2]


@pytest.mark.parametrize(
    "call",
    [
        lambda: genolm.cluster(MODEL, CONTIGS),
        lambda: genolm.check(CONTIGS, "toy.fa"),
        lambda: genolm.complete(MODEL, CONTIGS),
        lambda: genolm.detect.train(list(CONTIGS.items()), "toy.fa"),
    ],
    ids=["cluster", "check", "complete", "detect train"],
)
def test_a_verb_that_reads_files_only_says_so(call):
    with pytest.raises(InputError, match="expected a path or a list of paths; write sequences in memory to FASTA"):
        call()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rs1": "one:5:T>C"}, "expected a list of variants, or a table with a column id"),
        ("one:5:T>C", r"no such file; pass variants in a list: .*value 'one:5:T>C'"),
    ],
)
def test_variants_in_a_form_that_is_not_read_are_refused(given, message, fasta):
    with pytest.raises(InputError, match=message):
        genolm.variants(MODEL, given, genome=fasta)
