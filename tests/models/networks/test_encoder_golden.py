"""Encoders, loaded through the door for published folders, against outputs of the published code."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.golden_sets.comparison import load, scale
from tests.models.folder_networks import read_network

from genolm.models.networks.encoder import Encoder

pytestmark = pytest.mark.golden

HIDDEN = {"bert": 3e-5, "modernbert": 5e-5}
LOGITS = 1e-4
BERT_RUNS = {
    "preln_lastln": ("mask", "token_type", "nomask"),
    "preln_nolastln": ("mask",),
    "preln_nolastln_rope": ("mask",),
    "postln": ("mask",),
}
MODERN_CASES = ("gena_gelu", "gena_silu", "two_thetas")
RUNS = [("bert", case, f"{case}_{run}") for case, runs in BERT_RUNS.items() for run in runs]
RUNS += [("modernbert", case, f"{case}_run") for case in MODERN_CASES]
TOPICS = {"bert": "gena-bert", "modernbert": "modern-gena"}


def loaded(golden_dir: Path, folder: Path, kind: str, case: str) -> Encoder:
    topic = golden_dir / TOPICS[kind]
    config = topic / "config.json"
    cases = json.loads(config.read_text())["cases"] if config.is_file() else {}
    if case not in cases:
        pytest.skip(f"this set has no {TOPICS[kind]}/{case}")
    values = cases[case]["hf_config"]
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**values, "model_type": kind}))
    shutil.copyfile(topic / f"{case}_model.safetensors", folder / "model.safetensors")
    network = read_network(folder)
    assert isinstance(network, Encoder)
    return network


def deviations(network: Encoder, vectors: dict) -> tuple[float, float]:
    """The largest of hidden states and of logits, at real tokens, beside the magnitude of what is expected."""
    mask = vectors.get("in.attention_mask", torch.ones_like(vectors["in.input_ids"])).bool()
    depth = network.config.num_layers
    with torch.inference_mode():
        output = network(
            vectors["in.input_ids"],
            mask_BL=mask,
            types_BL=vectors.get("in.token_type_ids"),
            layers=range(depth + 1),
        )
    expected = {
        int(name.partition(".")[2]): value for name, value in vectors.items() if name.startswith("hidden_states.")
    }
    if "last_hidden_state" in vectors:
        expected[depth] = vectors["last_hidden_state"]
    assert expected, "no hidden states among the vectors"
    hidden = max(deviation(output.hidden[layer][mask], value[mask]) for layer, value in expected.items())
    return hidden, deviation(output.logits[mask], vectors["logits"][mask])


def deviation(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max()) / scale(expected)


@pytest.mark.parametrize(("kind", "case", "run"), RUNS)
def test_hidden_states_and_logits(golden_dir, tmp_path, kind, case, run):
    vectors = load(golden_dir / TOPICS[kind] / f"{run}.safetensors")
    hidden, logits = deviations(loaded(golden_dir, tmp_path, kind, case), vectors)
    assert hidden <= HIDDEN[kind] and logits <= LOGITS


def test_no_run_of_the_vectors_is_left_out(golden_dir):
    for kind, topic in TOPICS.items():
        if not (golden_dir / topic).is_dir():
            pytest.skip(f"this set has no {topic}")
        files = {path.stem for path in (golden_dir / topic).glob("*.safetensors") if not path.stem.endswith("_model")}
        assert files and files <= {run for found, _, run in RUNS if found == kind}


@pytest.mark.parametrize(("kind", "case", "run"), [one for one in RUNS if one[2].endswith(("_mask", "_run"))])
def test_the_loss_is_cross_entropy_at_the_masked_places(golden_dir, tmp_path, kind, case, run):
    vectors = load(golden_dir / TOPICS[kind] / f"{run}.safetensors")
    network, wanted = loaded(golden_dir, tmp_path, kind, case), vectors["in.labels"] != -100
    assert wanted.any()
    with torch.inference_mode():
        logits_NV = network(vectors["in.input_ids"], mask_BL=vectors["in.attention_mask"].bool(), logits=wanted).logits
    loss = F.cross_entropy(logits_NV, vectors["in.labels"][wanted])
    assert loss.item() == pytest.approx(vectors["loss"].item(), abs=5e-5 * scale(vectors["loss"]))


def changed(network: Encoder, **wrong: object) -> Encoder:
    """The same weights under another config; those that it has no place for are left out."""
    other = Encoder(replace(network.config, **wrong)).eval()  # type: ignore[arg-type]
    missing, _ = other.load_state_dict(network.state_dict(), strict=False)
    assert not missing
    return other


WRONG = {
    "final norm left out": ("bert", "preln_lastln", lambda config: {"final_norm": False}),
    "tanh approximation": ("bert", "preln_nolastln", lambda config: {"activation": "gelu_tanh"}),
    "tanh approximation in the head": ("bert", "preln_nolastln", lambda config: {"head_activation": "gelu_tanh"}),
    "all dimensions turned": ("bert", "preln_nolastln_rope", lambda config: {"rotary_dim": config.head_dim}),
    "another base": ("bert", "preln_nolastln_rope", lambda config: dict.fromkeys(THETAS, config.rope_theta / 20)),
    "norms on the other side": ("bert", "postln", lambda config: {"norm": "pre", "final_norm": False}),
    "silu in the head": ("modernbert", "gena_gelu", lambda config: {"head_activation": "silu"}),
    "gelu in the head": ("modernbert", "gena_silu", lambda config: {"head_activation": "gelu"}),
    "one base for both kinds of layers": (
        "modernbert",
        "two_thetas",
        lambda config: {"local_rope_theta": config.rope_theta},
    ),
    "a narrower window": ("modernbert", "gena_gelu", lambda config: {"local_window": config.local_window - 2}),
    "other layers global": ("modernbert", "gena_gelu", lambda config: {"global_every": config.global_every - 1}),
    "bases exchanged": (
        "modernbert",
        "two_thetas",
        lambda config: {"rope_theta": config.local_rope_theta, "local_rope_theta": config.rope_theta},
    ),
}
THETAS = ("rope_theta", "local_rope_theta")
SHOWN = 3
"""How much farther off than the right network a wrong one must be; how far exactly depends on the vectors."""


@pytest.mark.parametrize("flag", WRONG)
def test_a_wrong_flag_shows(golden_dir, tmp_path, flag):
    kind, case, wrong = WRONG[flag]
    run = f"{case}_mask" if kind == "bert" else f"{case}_run"
    vectors, right = load(golden_dir / TOPICS[kind] / f"{run}.safetensors"), loaded(golden_dir, tmp_path, kind, case)
    _, logits = deviations(changed(right, **wrong(right.config)), vectors)
    assert logits > SHOWN * deviations(right, vectors)[1]


def test_rotary_positions_taken_for_a_table_show(golden_dir, tmp_path):
    network = loaded(golden_dir, tmp_path, "bert", "preln_nolastln_rope")
    other = Encoder(replace(network.config, positions="absolute", rotary_dim=0)).eval()
    other.load_state_dict(network.state_dict(), strict=False)
    vectors = load(golden_dir / "gena-bert" / "preln_nolastln_rope_mask.safetensors")
    assert deviations(other, vectors)[0] > SHOWN * deviations(network, vectors)[0]


@pytest.mark.parametrize("case", ["preln_lastln", "postln"])
def test_the_wrong_epsilon_shows_where_variances_are_small(golden_dir, tmp_path, case):
    """A norm takes out a factor of its input, unless epsilon is large beside the variance that is left."""
    network = loaded(golden_dir, tmp_path, "bert", case)
    if network.config.norm_eps > 1e-10:
        pytest.skip("this set's epsilon is not small")
    with torch.no_grad():
        for table in (network.embedding.tokens, network.embedding.types, network.embedding.positions):
            table.weight *= 1e-3
    vectors = load(golden_dir / "gena-bert" / f"{case}_mask.safetensors")
    assert deviations(network, vectors)[0] <= HIDDEN["bert"]
    assert deviations(changed(network, norm_eps=1e-5), vectors)[0] > HIDDEN["bert"]


def test_rows_that_are_no_tokens_cannot_be_predicted(golden_dir, tmp_path):
    network = loaded(golden_dir, tmp_path, "modernbert", "gena_gelu")
    vectors = load(golden_dir / "modern-gena" / "gena_gelu_run.safetensors")
    rows = network.config.tokens - 3
    fewer = changed(network, token_rows=rows)
    with torch.inference_mode():
        whole, cut = network(vectors["in.input_ids"]).logits, fewer(vectors["in.input_ids"]).logits
    assert torch.equal(cut[..., :rows], whole[..., :rows]) and bool((cut[..., rows:] == float("-inf")).all())
