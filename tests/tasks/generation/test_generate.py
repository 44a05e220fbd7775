"""Generation: greedy is arg-max, samples follow their seed, the FASTA says how it was made."""

import numpy as np
import pytest
import torch

from genolm import InputError, ModelError, merge
from genolm.genome.sequences import read_sequences
from genolm.tasks.generation.generate import generate
from genolm.tasks.generation.generate_task import GenerateTask

PROMPTS = ["ACGTTGCA", "", "GGNAC"]
COLUMNS = ["id", "prompt_id", "sample", "prompt", "generated", "mean_log_probability_nats_per_base"]


@torch.inference_mode()
def greedy(model, prompt, length):
    """Arg-max by full passes, and the mean log-probability over the four bases."""
    bases = list(model.tokenizer.base_ids)
    ids = model.tokenizer.encode(prompt).tolist() or [model.tokenizer.eod_id]
    total, start = 0.0, len(ids)
    for _ in range(length):
        log_probs = model.network(torch.tensor([ids])).logits_BLV[0, -1, bases].log_softmax(0)
        total += log_probs.max().item()
        ids.append(bases[int(log_probs.argmax())])
    return model.tokenizer.decode(np.array(ids[start:])), total / length


def test_temperature_zero_takes_the_likeliest_base(tiny):
    table = generate(tiny, PROMPTS, length=12, temperature=0).table
    assert table.columns == COLUMNS
    assert table["prompt"].to_list() == PROMPTS
    for prompt, new, mean in table.select("prompt", *COLUMNS[-2:]).iter_rows():
        expected, log_probability = greedy(tiny, prompt, 12)
        assert new == expected
        assert mean == pytest.approx(log_probability, abs=1e-5)


def test_samples_are_named_and_differ(tiny):
    table = generate(tiny, PROMPTS[:2], n=3, length=30).table
    assert table["id"].to_list() == [f"sequence{prompt}_{sample}" for prompt in (1, 2) for sample in (1, 2, 3)]
    assert table["generated"].n_unique() == 6
    assert set("".join(table["generated"])) == set("ACGT")


def test_a_sequence_follows_from_seed_prompt_and_sample_alone(tiny):
    few, many = generate(tiny, PROMPTS[:1], n=2, length=20).table, generate(tiny, PROMPTS, n=4, length=20).table
    assert few["generated"].to_list() == many["generated"].to_list()[:2]
    longer = generate(tiny, PROMPTS[:1], n=2, length=25).table["generated"].to_list()
    assert [one[:20] for one in longer] == few["generated"].to_list()
    assert generate(tiny, PROMPTS[:1], length=20, seed=1).table["generated"][0] != few["generated"][0]


def test_settings_reach_the_sampler(tiny):
    likeliest = generate(tiny, PROMPTS, length=12, temperature=0).table["generated"].to_list()
    for settings in ({"top_k": 1}, {"top_p": 0.0}, {"temperature": 1e-9}):
        assert generate(tiny, PROMPTS, length=12, **settings).table["generated"].to_list() == likeliest
    penalised = generate(tiny, PROMPTS, length=12, temperature=0, repetition_penalty=1e6).table["generated"].to_list()
    assert [len(set(one[:4])) for one in penalised] == [4, 4, 4], "each base is written once before any comes again"


def test_the_fasta_holds_prompt_continuation_and_settings(tiny, fasta, tmp_path):
    out = tmp_path / "new.fa"
    assert generate(tiny, fasta, out, n=2, length=90, top_k=3, seed=5).path == out
    table = generate(tiny, fasta, n=2, length=90, top_k=3, seed=5).table
    records = {record.id: record.sequence for record in read_sequences(out)}
    assert records == dict(zip(table["id"], table["prompt"] + table["generated"]))
    lines = out.read_text().splitlines()
    assert max(len(line) for line in lines if not line.startswith(">")) == 80
    settings = dict(word.split("=") for word in lines[0].split()[1:])
    expected = {"prompt_bases": "12", "model": "tiny-random-dense", "n": "2", "length": "90", "temperature": "1.0"}
    expected |= {"top_k": "3", "top_p": "1.0", "repetition_penalty": "1.0", "seed": "5", "precision": "float32"}
    assert settings.items() >= expected.items()
    assert float(settings[COLUMNS[-1]]) == pytest.approx(table[COLUMNS[-1]][0], abs=1e-6)


def test_shards_merge_into_the_bytes_of_one_run(tiny, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr(GenerateTask, "part_items", 2, raising=False)
    once, shared = tmp_path / "once.fa", tmp_path / "shared.fa"
    generate(tiny, fasta, once, n=2, length=9)
    for number in (1, 2, 3):
        generate(tiny, fasta, shared, n=2, length=9, shard=(number, 3))
    merge(shared)
    assert shared.read_bytes() == once.read_bytes()


def test_what_does_not_fit_the_context_is_refused_before_anything_runs(tiny, monkeypatch):
    monkeypatch.setattr(GenerateTask, "forward", lambda *args: pytest.fail("ran"))
    with pytest.raises(
        ModelError, match=r"prompt sequence2 \(20 bases\) and 32,750 new bases exceed the context of tiny"
    ):
        generate(tiny, ["ACGT", "ACGTT" * 4], length=32_750)
    with pytest.raises(ModelError, match=r"prompt sequence1 \(0 bases\)"):
        generate(tiny, [""], length=32_768)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, r"n must be at least 1 \(value 0\)"),
        ({"length": 0}, r"length must be at least 1 \(value 0\)"),
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"seed": 2**32}, r"seed must be between 0 and 4294967295 \(value 4294967296\)"),
        ({"out": "new.txt"}, r"new\.txt: unsupported output format; use one of \.fa, \.fasta, \.fna"),
    ],
)
def test_settings_are_checked(tiny, settings, message):
    with pytest.raises(InputError, match=message):
        generate(tiny, PROMPTS, **settings)


def test_prompts_that_are_no_dna_are_named_by_their_number(tiny):
    with pytest.raises(InputError, match=r"inputs:3: not a base at position 2 of the sequence \(value 'X'\)"):
        generate(tiny, ["ACGT", "", "AXG"])
