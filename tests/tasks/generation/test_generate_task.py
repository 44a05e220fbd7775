"""Generation by byte-pair tokens: an independent loop of full passes draws the same; limits, bans, presets, sliding."""

import numpy as np
import pytest
import torch
from tests.tasks.conftest import ocean_model

from genolm import InputError, ModelError, generate, merge
from genolm.genome.sequences import read_sequences
from genolm.tasks.generation.generate_task import SCHEMA, GenerateTask
from genolm.tasks.reading.continuation.continue_prompts import continue_prompts
from genolm.tasks.reading.continuation.limits import Limits
from genolm.tasks.reading.continuation.prompts import Prompt, prompt_ids
from genolm.tasks.reading.continuation.sampling import Sampler, draw, random_stream
from genolm.tasks.reading.continuation.steps import collect

PROMPTS = ["ACGTTGCA", "", "GGNAC", "TTTTTTTTTTACGTACGTA"]
PLAIN = {"A", "C", "G", "T"}
END = 2


@torch.inference_mode()
def by_full_passes(model, prompt, limits, sampler, numbers):
    """The definition: a full pass for every token, the sampler's probabilities, one number drawn for each."""
    tokenizer = model.tokenizer
    ids = [*model.begin_ids, *tokenizer.encode(prompt).tolist()] or [END]
    new, total, bases, penalised = [], 0.0, 0, set(ids)
    for number in numbers:
        logits = model.network(torch.tensor([ids])).logits_BLV[:, -1]
        scores = logits.clone()
        for token in range(scores.shape[1]):
            text = tokenizer.decode(np.array([token])) if token < tokenizer.vocab_size else ""
            if token != END and (not text or set(text) - PLAIN):
                scores[0, token] = float("-inf")
        if len(new) < limits.min_tokens or bases < limits.min_bases or limits.ignore_end:
            scores[0, END] = float("-inf")
        written = torch.tensor([[token in penalised for token in range(scores.shape[1])]])
        chosen = int(draw(sampler.probabilities(scores, written), torch.tensor([number], dtype=torch.float64)))
        if chosen == END:
            return new, total, "stop"
        new.append(chosen)
        ids.append(chosen)
        penalised.add(chosen)
        total += float(logits.double().log_softmax(-1)[0, chosen])
        bases += len(tokenizer.decode(np.array([chosen])))
        if len(new) == limits.max_tokens or (limits.max_bases and bases >= limits.max_bases):
            return new, total, "length"
        if len(ids) == model.context:
            return new, total, "context"
    raise AssertionError("too few numbers")


def continued(model, prompts, limits, sampler, seed, **settings):
    """Return the continuations of a batch."""
    asked = [Prompt(prompt_ids(model, text), limits, random_stream(seed, n, 1)) for n, text in enumerate(prompts)]
    return collect(continue_prompts(model, asked, sampler, **settings), len(asked))


SETTINGS = [
    (Sampler(temperature=0), Limits(max_tokens=12)),
    (Sampler(), Limits(max_bases=40)),
    (Sampler(temperature=1.5, top_k=6), Limits(min_tokens=3, max_tokens=20)),
    (Sampler(temperature=0.7, top_p=0.8, repetition_penalty=1.3), Limits(min_bases=20, max_bases=30)),
    (Sampler(repetition_penalty=1.2), Limits(ignore_end=True)),
]


@pytest.mark.parametrize(("sampler", "limits"), SETTINGS)
@pytest.mark.parametrize("pack", [True, False])
def test_a_batch_draws_what_full_passes_of_each_prompt_draw(ocean, sampler, limits, pack):
    found = continued(ocean, PROMPTS, limits, sampler, 7, pack=pack)
    for number, (prompt, drawn) in enumerate(zip(PROMPTS, found)):
        new, total, reason = by_full_passes(ocean, prompt, limits, sampler, random_stream(7, number, 1).random(64))
        assert (drawn.ids_T.tolist(), drawn.reason) == (new, reason)
        assert drawn.log_probs_T.sum() == pytest.approx(total, abs=1e-4)


def test_decoders_with_experts_step_by_their_own_pass():
    model = ocean_model(num_experts=4, experts_per_token=2)
    limits = Limits(max_bases=25)
    found = continued(model, PROMPTS, limits, Sampler(), 1)
    for number, (prompt, drawn) in enumerate(zip(PROMPTS, found)):
        new, _, reason = by_full_passes(model, prompt, limits, Sampler(), random_stream(1, number, 1).random(64))
        assert (drawn.ids_T.tolist(), drawn.reason) == (new, reason)


def test_the_table_counts_tokens_and_bases(ocean):
    table = generate(ocean, PROMPTS, n=3, length=30, seed=2).table
    assert table.columns == list(SCHEMA)
    assert table["prompt"].to_list() == [prompt for prompt in PROMPTS for _ in range(3)]
    assert table["generated"].n_unique() > 9
    for row in table.iter_rows(named=True):
        assert set(row["generated"]) <= PLAIN
        assert row["tokens"] >= 1
        assert (row["finish_reason"] == "length") == (len(row["generated"]) == 30)
        mean = row["total_log_probability_nats"] / row["tokens"]
        assert row["mean_log_probability_nats_per_token"] == pytest.approx(mean)
        if row["finish_reason"] == "stop":
            per_base = row["total_log_probability_nats"] / len(row["generated"])
            assert row["mean_log_probability_nats_per_base"] == pytest.approx(per_base)
    assert set(table["finish_reason"]) == {"stop", "length"}


def test_the_last_token_is_cut_unless_whole_tokens_are_wanted(ocean):
    cut = generate(ocean, PROMPTS, n=4, length=10, ignore_end=True).table
    whole = generate(ocean, PROMPTS, n=4, length=10, ignore_end=True, whole_tokens=True).table
    assert {len(one) for one in cut["generated"]} == {10}
    assert max(len(one) for one in whole["generated"]) > 10
    assert [one[:10] for one in whole["generated"]] == cut["generated"].to_list()
    same = ["tokens", "total_log_probability_nats", "mean_log_probability_nats_per_base"]
    assert cut.select(same).equals(whole.select(same))


def test_a_sequence_follows_from_seed_prompt_and_sample_alone(ocean):
    few, many = generate(ocean, PROMPTS[:1], n=2, length=40).table, generate(ocean, PROMPTS, n=4, length=40).table
    assert few["generated"].to_list() == many["generated"].to_list()[:2]
    longer = generate(ocean, PROMPTS[:1], n=2, length=60).table["generated"].to_list()
    assert [one[:40] for one in longer] == few["generated"].to_list()
    assert generate(ocean, PROMPTS[:1], length=40, seed=1).table["generated"][0] != few["generated"][0]


def test_minima_and_maxima_in_tokens_and_bases(ocean):
    free = generate(ocean, PROMPTS, n=8, length=60).table
    assert min(free["tokens"]) < 4, "the end token is drawn early without a minimum"
    assert min(generate(ocean, PROMPTS, n=8, length=60, min_tokens=9).table["tokens"]) >= 9
    assert min(len(one) for one in generate(ocean, PROMPTS, n=8, length=60, min_length=20).table["generated"]) >= 20
    capped = generate(ocean, PROMPTS, n=8, max_tokens=5).table
    assert max(capped["tokens"]) == 5
    assert set(capped.filter(capped["tokens"] < 5)["finish_reason"]) == {"stop"}
    assert set(generate(ocean, PROMPTS, n=8, length=60, ignore_end=True).table["finish_reason"]) == {"length"}


def test_sequences_end_where_the_context_is_full_or_slide_on(ocean):
    short = generate(ocean, PROMPTS, max_tokens=40, ignore_end=True).table
    assert set(short["finish_reason"]) == {"length"}
    with pytest.raises(
        ModelError, match=r"prompt sequence1 \(5 tokens\) and 90 new tokens exceed the context of toy-ocean"
    ):
        generate(ocean, PROMPTS, max_tokens=90)
    slid = generate(ocean, PROMPTS, max_tokens=150, ignore_end=True, slide=True).table
    assert (set(slid["finish_reason"]), set(slid["tokens"])) == ({"length"}, {150})
    alone = generate(ocean, PROMPTS[:1], max_tokens=150, ignore_end=True, slide=True).table
    assert alone["generated"][0] == slid["generated"][0]


def test_sliding_forgets_the_older_half(ocean):
    ids = prompt_ids(ocean, PROMPTS[3])
    limits = Limits(max_tokens=100, ignore_end=True, slide=True)
    new = continued(ocean, PROMPTS[3:], limits, Sampler(temperature=0), 0)[0].ids_T.tolist()
    read = ids.tolist()
    for chosen in new:
        if len(read) == ocean.context:
            read = [1, *read[-(ocean.context // 2 - 1) :]]
        with torch.inference_mode():
            logits = ocean.network(torch.tensor([read])).logits_BLV[0, -1]
        allowed = [n for n in range(5, ocean.tokenizer.vocab_size) if ocean.tokenizer.plain_ids[n]]
        assert chosen == max(allowed, key=lambda n: logits[n].item())
        read.append(chosen)


def test_a_length_that_its_tokens_cannot_hold_ends_with_the_context():
    """What was asked for fits when tokens are of mean length; drawn ones may be shorter."""
    model = ocean_model(context=12, seed=8)
    length = int(9 * model.tokenizer.bases_per_token)
    row = generate(model, ["ACGTAC"], length=length, ignore_end=True, temperature=0).table.row(0, named=True)
    assert (row["finish_reason"], row["tokens"]) == ("context", 9)
    assert len(row["generated"]) < length


def test_prompts_stand_behind_the_begin_tokens_and_never_before_an_end_token(ocean):
    assert prompt_ids(ocean, "ACGTA").tolist() == [1, 12, 5]
    assert prompt_ids(ocean, "").tolist() == [1]
    bare = ocean_model(begin=())
    assert prompt_ids(bare, "ACGTA").tolist() == [12, 5]
    assert prompt_ids(bare, "").tolist() == [END]
    assert generate(bare, [""], length=20).table["prompt"].to_list() == [""]


def test_lower_case_prompts_are_read_as_upper_case(ocean):
    assert (
        generate(ocean, ["acgttgca"], length=20).table["generated"][0]
        == generate(ocean, ["ACGTTGCA"], length=20).table["generated"][0]
    )


def test_presets_are_the_published_ones_and_give_way(monkeypatch):
    model = ocean_model(context=12_000)
    tasks = []
    monkeypatch.setattr("genolm.tasks.generation.generate.Bulk.run", lambda self, task, model, out: tasks.append(task))
    for name in ("conservative", "conservative-long", "creative", "creative-long"):
        generate(model, PROMPTS, preset=name)
    told = [(task.n, task.limits.min_tokens, task.limits.max_tokens, task.limits.max_bases) for task in tasks]
    assert told == [(10, least, 10_240, None) for least in (1_024, 9_600) * 2]
    drawn = [(task.sampler.temperature, task.sampler.top_p, task.sampler.repetition_penalty) for task in tasks]
    assert drawn == [(0.7, 0.9, 1.0)] * 2 + [(0.9, 0.9, 1.2)] * 2
    generate(model, PROMPTS, preset="creative", n=2, temperature=0.5, min_tokens=8, max_tokens=9, top_k=4)
    task = tasks[-1]
    assert (task.n, task.limits.min_tokens, task.limits.max_tokens) == (2, 8, 9)
    assert task.sampler == Sampler(repetition_penalty=1.2, temperature=0.5, top_k=4, top_p=0.9)
    assert task.metadata()["preset"] == "creative"


def test_a_preset_whose_minimum_does_not_fit_is_refused(ocean):
    with pytest.raises(
        ModelError, match=r"prompt sequence1 \(5 tokens\) and 1,024 new tokens exceed the context of toy-ocean"
    ):
        generate(ocean, PROMPTS, preset="conservative")


def test_the_fasta_holds_prompt_continuation_and_what_made_them(fasta, tmp_path):
    ocean = ocean_model(context=200)
    out = tmp_path / "new.fa"
    assert generate(ocean, fasta, out, n=2, length=90, top_k=3, seed=5, ignore_end=True).path == out
    table = generate(ocean, fasta, n=2, length=90, top_k=3, seed=5, ignore_end=True).table
    records = {record.id: record.sequence for record in read_sequences(out)}
    assert records == dict(zip(table["id"], table["prompt"] + table["generated"]))
    lines = out.read_text().splitlines()
    assert max(len(line) for line in lines if not line.startswith(">")) == 80
    told = dict(word.split("=") for word in lines[0].split()[1:])
    expected = {"prompt_bases": "12", "model": "toy-ocean", "n": "2", "max_bases": "90", "top_k": "3", "seed": "5"}
    expected |= {"finish_reason": "length", "ignore_end": "true", "tokens": str(table["tokens"][0]), "slide": "false"}
    assert told.items() >= expected.items()
    for name in ("total_log_probability_nats", "mean_log_probability_nats_per_base"):
        assert float(told[name]) == pytest.approx(table[name][0], abs=1e-6)


def test_a_task_survives_its_manifest(ocean, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr(GenerateTask, "part_items", 2, raising=False)
    once, shared = tmp_path / "once.fa", tmp_path / "shared.fa"
    generate(ocean, fasta, once, n=2, length=20)
    for number in (1, 2):
        generate(ocean, fasta, shared, n=2, length=20, shard=(number, 2))
    merge(shared)
    assert shared.read_bytes() == once.read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_length": 50, "length": 20}, "the minimum of 50 new bases exceeds the maximum of 20"),
        ({"min_tokens": 9, "max_tokens": 3}, "the minimum of 9 new tokens exceeds the maximum of 3"),
        ({"max_tokens": 0}, r"max_tokens must be at least 1 \(value 0\)"),
        ({"min_length": -4}, r"min_length must be at least 1 \(value -4\)"),
        ({"preset": "bold"}, r"preset must be one of conservative, .*, creative-long \(value 'bold'\)"),
    ],
)
def test_settings_are_checked(ocean, settings, message):
    with pytest.raises(InputError, match=message):
        generate(ocean, PROMPTS, **settings)


def test_options_of_tokens_are_refused_by_models_of_one_base(tiny):
    with pytest.raises(ModelError, match="tiny-random-dense has one token per base, but max_tokens, slide require"):
        generate(tiny, ["ACGT"], max_tokens=5, slide=True)
    with pytest.raises(ModelError, match="one token per base, but preset requires"):
        generate(tiny, ["ACGT"], preset="creative")


def test_a_prompt_that_fills_the_context_is_refused(ocean):
    with pytest.raises(ModelError, match="a prompt of 64 tokens fills the model's context of 64 tokens"):
        next(continue_prompts(ocean, [Prompt(np.ones(64, np.int64), Limits(), random_stream(0, 0, 1))], Sampler()))
