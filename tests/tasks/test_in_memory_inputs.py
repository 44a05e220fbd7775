"""In-memory inputs that each verb accepts or rejects."""

import pytest

import genolm
from genolm import InputError, Interval, ModelError, Variant

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
        genolm.scan(MODEL, given, call="none").record["contigs"] for given in (fasta, CONTIGS, genolm.Genome(fasta))
    ]
    assert records[0] == records[1] == records[2]


@pytest.mark.parametrize(
    "call",
    [
        lambda: genolm.cluster(MODEL, CONTIGS),
        lambda: genolm.check(CONTIGS, reference="toy.fa"),
        lambda: genolm.complete(MODEL, CONTIGS),
        lambda: genolm.detect.train(natural=list(CONTIGS.items()), generated="toy.fa"),
    ],
    ids=["cluster", "check", "complete", "detect train"],
)
def test_a_verb_that_reads_files_only_says_so(call):
    with pytest.raises(InputError, match="expected a path or a list of paths; write sequences in memory to FASTA"):
        call()


def test_a_text_is_a_sequence_or_an_interval(fasta):
    one = CONTIGS["one"]
    assert genolm.score(MODEL, one).table.equals(genolm.score(MODEL, [one]).table)
    assert genolm.embed(MODEL, one).table.equals(genolm.embed(MODEL, [one]).table)
    text, interval = "one:1-60", Interval("one", 0, 60)
    for given in (text, [text], [interval]):
        assert genolm.score(MODEL, given, genome=fasta).table.equals(genolm.score(MODEL, interval, genome=fasta).table)
    generated = [genolm.generate(MODEL, given, length=5, seed=3).table for given in (one, [one])]
    assert generated[0].equals(generated[1])
    (contig,) = genolm.scan(MODEL, one, call="none").record["contigs"]
    assert (contig["name"], contig["length"]) == ("sequence1", 60)
    found = [genolm.explain.experts("tiny-random", given, genome=fasta) for given in (text, interval)]
    assert list(found[0].tables) == list(found[1].tables) == ["association", "classes", "shares"]
    assert all(found[0].tables[name].equals(table) for name, table in found[1].tables.items())


def test_a_text_and_a_mapping_of_variants(fasta):
    text, variant = "one:5:T>C", Variant("one", 5, "T", "C")
    expected = genolm.variants(MODEL, [variant], genome=fasta).table
    for given in (variant, text, [text], ("one-5-T-C",), [("one", 5, "T", "C")]):
        assert genolm.variants(MODEL, given, genome=fasta).table.equals(expected)
    named = genolm.variants(MODEL, {"rs1": text, "rs2": variant}, genome=fasta).table
    assert named["id"].to_list() == ["rs1", "rs2"]
    assert named.drop("id")[:1].equals(expected.drop("id")) and expected["id"].to_list() == ["."]


def test_a_cluster_takes_genomes_that_are_open(fasta, tmp_path):
    other = tmp_path / "other.fa"
    other.write_text(f">x\n{CONTIGS['two'] * 4}\n")
    with pytest.raises(InputError, match=r"fragments|fewer"):
        genolm.cluster(MODEL, [genolm.Genome(fasta), other], length=50, twin=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda genome: genolm.embed(MODEL, 5), r"expected a file, a variant .*, or a list of .* \(value 5\)"),
        (
            lambda genome: genolm.variants(MODEL, 3.5, genome=genome),
            r"expected a file \(VCF.*list of variants \(value 3.5",
        ),
        (lambda genome: genolm.variants(MODEL, "ACGT", genome=genome), r"not a variant \(chr22:1024:A>C\) .*'ACGT'"),
        (lambda genome: genolm.mutate(MODEL, 5, genome=genome), r"expected an Interval, or text .* \(value 5\)"),
        (lambda genome: genolm.mutate(MODEL, "one:5:T>C", genome=genome), "invalid interval: expected e.g. chr22"),
        (lambda genome: genolm.scan(MODEL, "one:1-9"), "scan needs complete contigs, not intervals or variants"),
        (lambda genome: genolm.generate(MODEL, ["one:1-9"]), "prompts must be sequences, not intervals or variants"),
        (lambda genome: genolm.explain.lens(MODEL, "one:5:T>C", genome=genome), "require.* length|not variants"),
        (lambda genome: genolm.cluster(MODEL, 5), r"expected a path or a list of paths; .* \(value 5\)"),
        (
            lambda genome: genolm.embed(MODEL, "one:1-9", genome=5),
            r"expected a Genome, or the path of its FASTA \(value 5\)",
        ),
    ],
)
def test_what_a_verb_does_not_accept_is_refused_with_what_it_does(call, message, fasta):
    with pytest.raises(InputError, match=message):
        call(fasta)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (5, r"expected a model, or the name, folder or hub id of one \(value 5\)"),
        (None, r"expected a model, or the name, folder or hub id of one \(value None\)"),
        (b"genolm-nano", "expected a model, or the name, folder or hub id of one"),
        ("genolm-nan", r"unknown model 'genolm-nan': did you mean genolm-nano\?"),
    ],
)
def test_a_model_that_is_none_is_refused(model, message):
    with pytest.raises(ModelError, match=message):
        genolm.embed(model, "ACGT")
