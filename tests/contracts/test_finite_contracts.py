"""NaN and infinity are never reported as results, in any verb, family and precision.

Every tiny model of the zoo is damaged in two ways: one weight that is NaN, and finite weights that overflow in float16.
"""

import random

import pytest
import torch

import genolm
from genolm.errors import NonFiniteError
from genolm.models.zoo.zoo import ZOO

FAMILIES = sorted(name for name in ZOO if name.startswith("tiny-random"))
DECODERS = ["tiny-random", "tiny-random-dense", "tiny-random-gengram", "tiny-random-kmer", "tiny-random-ocean",
            "tiny-random-ocean-gqa"]  # fmt: skip
BASES = [name for name in DECODERS if "ocean" not in name]
SCORING = [name for name in FAMILIES if name != "tiny-random-rmt"]
PRECISIONS = ["float32", "float16"]
CONTIG = "".join(random.Random(3).choices("ACGT", k=120))


@pytest.fixture(scope="module", params=PRECISIONS)
def damage(request):
    """Return a function: name -> damaged model of the zoo."""
    kept = {}

    def load(name):
        if name not in kept:
            with torch.inference_mode(False):
                kept[name] = _damaged(genolm.load(name, device="cpu"), request.param)
        return kept[name]

    return load


@torch.no_grad()
def _damaged(model, precision):
    attention = model.network.layers[0].attention
    if precision == "float32":
        attention.output.weight[0, 0] = float("nan")
        return model
    attention.value.weight.mul_(1e4).clamp_(-6e4, 6e4)
    attention.output.weight.copy_(attention.output.weight.sign() * 6e4)
    model.to(dtype=torch.float16)
    assert all(bool(weight.isfinite().all()) for weight in model.network.parameters())
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finite")
    draw = random.Random(4)
    (folder / "g.fa").write_text(f">g0\n{CONTIG}\n")
    generated = ""
    for name in ("ash", "birch", "cedar"):
        (folder / f"{name}.fa").write_text(f">c\n{''.join(draw.choices('ACGT', k=4000))}\n")
        for number in range(45):
            title = f">{name}{number} model=toy temperature=1 genome={name}.fa"
            generated += f"{title}\n{''.join(draw.choices('ACGT', k=30))}\n"
    (folder / "generated.fa").write_text(generated)
    gene = "ATG" + "".join(draw.choices(["GCT", "AAC", "CTG"], k=20)) + "TAA"
    (folder / "genes.fa").write_text(f">gene1\n{gene}\n")
    return folder


def refused(model, run, subject):
    """Check that the run raises the error, with subject, precision and remedy."""
    with torch.inference_mode(False), pytest.raises(NonFiniteError) as caught:
        run()
    precision = str(model.dtype).removeprefix("torch.")
    text = str(caught.value)
    assert caught.value.exit_code == 4
    assert f"{model.card.name} in {precision} gives numbers that are not finite" in text
    assert subject in text
    damaged = "layers.0.attention.output.weight holds such numbers"
    assert ("pass dtype='float32', or dtype='bfloat16'" if precision == "float16" else damaged) in text


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "max", "none"])
def test_embeddings_that_are_not_finite_are_refused(damage, name, pooling):
    model = damage(name)
    refused(model, lambda: genolm.embed(model, ["ACGTACGTAC", "TTTT"], pooling=pooling), "sequence 'sequence")


@pytest.mark.parametrize("name", SCORING)
def test_log_likelihoods_that_are_not_finite_are_never_taken_for_bases_without_a_score(damage, name, tmp_path):
    model, out = damage(name), tmp_path / "s.tsv"
    for per_base in (False, True):
        for rc in (False, True):
            ask = {"per_base": per_base, "rc": rc}
            refused(model, lambda ask=ask: genolm.score(model, [CONTIG, "NNNN"], out, **ask), "sequence 'sequence1'")
    assert not out.exists()


@pytest.mark.parametrize("name", SCORING)
def test_a_likelihood_track_that_is_not_finite_is_refused(damage, name, files, tmp_path):
    model, out, place = damage(name), tmp_path / "s.bw", genolm.Interval("g0", 10, 60)
    refused(model, lambda: genolm.score(model, [place], out, genome=files / "g.fa"), "g0:11-60")
    assert not out.exists()


@pytest.mark.parametrize("name", SCORING)
@pytest.mark.parametrize("method", [None, "conditional"])
def test_variant_scores_that_are_not_finite_are_never_taken_for_an_obstacle(damage, name, method, files):
    if method and name not in BASES:
        pytest.skip("one method only")
    model, site = damage(name), f"g0:60:{CONTIG[59]}>{'A' if CONTIG[59] != 'A' else 'C'}"
    refused(model, lambda: genolm.variants(model, [site], genome=files / "g.fa", method=method), f"variant {site}")


@pytest.mark.parametrize("name", SCORING)
def test_mutations_that_are_not_finite_are_refused(damage, name, files):
    model = damage(name)
    refused(model, lambda: genolm.mutate(model, "g0:50-52", genome=files / "g.fa"), "variant g0:50:")


@pytest.mark.parametrize("name", SCORING)
def test_a_scan_that_is_not_finite_is_refused(damage, name, files):
    model = damage(name)
    refused(model, lambda: genolm.scan(model, files / "g.fa"), "g0:1-120")


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("top_k", [0, 3])
def test_nothing_is_generated_from_numbers_that_are_not_finite(damage, name, temperature, top_k):
    model = damage(name)
    ask = {"n": 2, "length": 8, "temperature": temperature, "top_k": top_k}
    refused(model, lambda: genolm.generate(model, ["ACGT", ""], **ask), "prompt 'sequence1', sample")


@pytest.mark.parametrize("name", ["tiny-random-ocean", "tiny-random-ocean-gqa"])
def test_no_gene_is_completed_from_numbers_that_are_not_finite(damage, name, files):
    model = damage(name)
    refused(model, lambda: genolm.complete(model, files / "genes.fa", n=1, shortest=30), "gene 'gene1', sample 1")


@pytest.mark.parametrize("name", FAMILIES)
def test_vectors_that_are_not_finite_are_neither_clustered_nor_learned_from(damage, name, files):
    model = damage(name)
    ask = {"length": 40, "per_genome": 3, "repeats": 1, "k": 2, "reduce": "pca"}
    genomes = [files / f"{name}.fa" for name in ("ash", "birch", "cedar")]
    refused(model, lambda: genolm.cluster(model, genomes, **ask), "sequence '")
    generated = files / "generated.fa"
    refused(
        model, lambda: genolm.detect.train(natural=genomes, generated=generated, folds=3, model=model), "sequence '"
    )


@pytest.mark.parametrize("name", BASES)
def test_explanations_that_are_not_finite_are_refused(damage, name):
    model = damage(name)
    refused(model, lambda: genolm.explain.attribution(model, ["ACGTACGTAC"]), "sequence 'sequence1'")
    refused(model, lambda: genolm.explain.lens(model, ["ACGTACGTAC"]), "sequence 'sequence1'")


def test_choices_of_experts_by_numbers_that_are_not_finite_are_refused(damage):
    model = damage("tiny-random")
    refused(model, lambda: genolm.explain.experts(model, ["ACGTACGTAC"]), "sequence 'sequence1'")


def test_a_memory_that_writes_numbers_that_are_not_finite_is_refused():
    for name in ("tiny-random-gengram", "tiny-random-kmer"):
        with torch.inference_mode(False), torch.no_grad():
            model = genolm.load(name, device="cpu")
            tables = [weight for part, weight in model.network.named_parameters() if "tables" in part]
            for table in tables:
                table.fill_(float("inf"))
        for run in (genolm.explain.memory, lambda model, _: genolm.explain.tables(model)):
            with torch.inference_mode(False), pytest.raises(NonFiniteError, match="holds such numbers"):
                run(model, ["ACGTACGTAC"])
