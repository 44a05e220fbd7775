"""GENA-LM, BigBird and ModernGENA folders: read strictly, written back bit for bit."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file
from tests.models.adapters.published_encoders import BERT, CONFIGS, PRE, ROTARY, SPARSE, tensors_of, write
from tests.noted import noted

import genolm
from genolm.errors import ModelError
from genolm.models.adapters.configs import parse_config
from genolm.models.adapters.tensor_names import extra_tensors, pieces_of
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.zoo.zoo import ZOO

HEADS = {"sparse rotary": ("bert.pooler.dense", "cls.seq_relationship"), "bigbird": ("bert.pooler",)}
SENTENCE_BIRD = ("bert.pooler", "cls.seq_relationship")
LAYER_1 = "bert.encoder.layer.1."


def published(folder, kind, heads=None, dtype=torch.float32):
    values = CONFIGS[kind]
    return write(folder, values, tensors_of(values, HEADS.get(kind, ()) if heads is None else heads, dtype))


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype, name
        assert torch.equal(tensor.view(torch.uint8), second[name].view(torch.uint8)), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_published_folder_comes_back_bit_for_bit(tmp_path, kind, dtype):
    source = published(tmp_path / "source", kind, dtype=dtype)
    own = genolm.convert(source, tmp_path / "own", to="genolm")
    back = genolm.convert(own, tmp_path / "back", to="huggingface", max_shard_bytes=8000)
    stored = {}
    for path in back.glob("*.safetensors"):
        stored |= load_file(path)
    assert_same(load_file(source / "model.safetensors"), stored)
    assert genolm.load(back).config == genolm.load(source).config == genolm.load(own).config
    assert genolm.load(back).fingerprint == genolm.load(source).fingerprint == genolm.load(own).fingerprint


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_says_the_same_after_it_was_written(tmp_path, kind):
    config = genolm.load(published(tmp_path / "source", kind)).config
    genolm.convert(tmp_path / "source", tmp_path / "back")
    values = json.loads((tmp_path / "back" / "config.json").read_text())
    told = {key: value for key, value in CONFIGS[kind].items() if key in values}
    assert {key: values[key] for key in told} == told
    assert config.tokens == 11, "rows beyond the tokenizer's are no tokens"


def test_a_tokenizer_of_more_tokens_than_the_config_says(tmp_path):
    values = CONFIGS["last"] | {"token_rows": 10}
    with pytest.raises(ModelError, match="its tokenizer has 11 tokens, but its config has token_rows 10"):
        genolm.load(write(tmp_path, values, tensors_of(values)))


def test_what_the_network_is_made_of(tmp_path):
    config = genolm.load(published(tmp_path, "sparse rotary")).config
    assert (config.norm, config.final_norm, config.positions, config.rotated_dim) == ("pre", False, "rotary", 4)
    assert config.sparse is not None and (config.sparse.kind, config.sparse.block) == ("deepspeed", 4)
    assert (config.pooler, config.sentence_head, config.norm_eps) == ("tanh", True, 1e-12)


def test_every_tensor_stands_in_its_place(tmp_path):
    network = genolm.load(published(tmp_path, "sparse rotary")).network
    tensors = load_file(tmp_path / "model.safetensors")
    layer = network.layers[1]
    pairs = {
        "attention.self.query.weight": layer.attention.query.weight,
        "attention.self.key.bias": layer.attention.key.bias,
        "attention.self.value.weight": layer.attention.value.weight,
        "attention.output.dense.weight": layer.attention.output.weight,
        "pre_attention_ln.weight": layer.attention_norm.weight,
        "post_attention_ln.bias": layer.ffn_norm.bias,
        "intermediate.dense.weight": layer.ffn.up.weight,
        "output.dense.weight": layer.ffn.down.weight,
    }
    assert all(torch.equal(tensors[LAYER_1 + name], ours) for name, ours in pairs.items())
    assert torch.equal(tensors[LAYER_1 + "attention.self.sparse_self_attention.master_layout"], layer.attention.layout)
    assert layer.attention.layout.dtype == torch.uint8
    assert torch.equal(tensors["bert.pooler.dense.weight"], network.pooler.weight)
    assert torch.equal(tensors["cls.seq_relationship.bias"], network.sentence.bias)
    assert torch.equal(tensors["cls.predictions.bias"], network.head.bias)


def test_fused_tensors_of_moderngena_are_taken_apart(tmp_path):
    network = genolm.load(published(tmp_path, "modern")).network
    tensors = load_file(tmp_path / "model.safetensors")
    qkv, gated = tensors["model.layers.1.attn.Wqkv.weight"], tensors["model.layers.1.mlp.Wi.weight"]
    attention, ffn = network.layers[1].attention, network.layers[1].ffn
    assert torch.equal(qkv, torch.cat((attention.query.weight, attention.key.weight, attention.value.weight)))
    assert torch.equal(gated, torch.cat((ffn.gate.weight, ffn.up.weight)))
    assert attention.query.weight.untyped_storage().nbytes() == attention.query.weight.nbytes


def test_the_tied_decoder_of_moderngena_may_be_there(tmp_path):
    values = CONFIGS["modern"]
    tensors = tensors_of(values)
    tensors["decoder.weight"] = tensors["model.embeddings.tok_embeddings.weight"].clone()
    genolm.load(write(tmp_path, values, tensors))
    tensors["decoder.weight"] += 1
    with pytest.raises(ModelError, match=r"decoder\.weight differs from model\.embeddings\.tok_embeddings\.weight"):
        genolm.load(write(tmp_path, values, tensors))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gena-lm-bert-base-t2t", 205),
        ("gena-lm-bert-base-lastln-t2t", 207),
        ("gena-lm-bert-large-t2t", 399),
        ("gena-lm-bigbird-base-sparse-t2t", 219),
        ("gena-lm-bigbird-base-sparse", 232),
    ],
)
def test_the_published_numbers_of_tensors(name, expected):
    config = ZOO[name].config
    extra = extra_tensors(config, "huggingface")
    table = [*pieces_of(config, "huggingface", {}), *extra.copies]
    names = {piece.stored for piece in table} | {*extra.layouts, *extra.computed}
    assert len(names) == expected


def edited(kind, config=None, tensors=None, heads=()):
    """A folder's config and tensors, after some keys were changed and some tensors; ... takes one away."""
    values = {key: value for key, value in {**CONFIGS[kind], **(config or {})}.items() if value is not ...}
    held = {**tensors_of(CONFIGS[kind], heads or HEADS.get(kind, ())), **(tensors or {})}
    return values, {name: tensor for name, tensor in held.items() if tensor is not ...}


NORM = {"pre_attention_ln.weight": torch.ones(16), "pre_attention_ln.bias": torch.zeros(16)}
FREQUENCIES = "attention.self.rotary_emb.inv_freq"
LAYOUT = "attention.self.sparse_self_attention.master_layout"
LAYER_0 = "bert.encoder.layer.0."
TABLE = "bert.embeddings.position_embeddings.weight"
FINAL = "bert.encoder.last_layer_ln"
RULES = {
    "norms before, config after": (
        edited("last", {"pre_layer_norm": ..., "last_layer_norm": ...}),
        f"has norms before the blocks ({LAYER_0}pre_attention_ln.weight), but its config expects them after the blocks"
        " (pre_layer_norm false); it would load into the wrong modules",
    ),
    "norms after, config before": (
        edited("post", PRE),
        f"has norms after the blocks ({LAYER_0}attention.output.LayerNorm.weight), but its config expects them before"
        " the blocks (pre_layer_norm true); it would load into the wrong modules",
    ),
    "both kinds of norms": (
        edited("post", tensors={LAYER_0 + name: value for name, value in NORM.items()}),
        f"has norms both before the blocks ({LAYER_0}pre_attention_ln.weight) and after them"
        f" ({LAYER_0}attention.output.LayerNorm.weight)",
    ),
    "no norms": (
        edited(
            "last",
            tensors={
                f"bert.encoder.layer.{n}.{place}_attention_ln.{part}": ...
                for n in (0, 1)
                for place in ("pre", "post")
                for part in ("weight", "bias")
            },
        ),
        "its layers have no norms, neither pre_attention_ln nor attention.output.LayerNorm",
    ),
    "a final norm that the config denies": (
        edited("last", {"last_layer_norm": False}),
        f"has a final norm ({FINAL}.weight), but its config has last_layer_norm false",
    ),
    "no final norm, and the config silent": (
        edited("nolast", {"last_layer_norm": ...}),
        f"has no final norm ({FINAL}.weight), but its config has last_layer_norm true (the default with"
        " pre_layer_norm)",
    ),
    "a table of positions and frequencies": (
        edited("rotary", tensors={TABLE: torch.ones(32, 16)}),
        f"has both a position table and rotary frequencies ({LAYER_0}{FREQUENCIES})",
    ),
    "neither": (
        edited("last", tensors={TABLE: ...}),
        f"has neither a position table ({TABLE}) nor rotary frequencies",
    ),
    "a table, config rotary": (
        edited("nolast", ROTARY),
        f"has absolute positions ({TABLE}), but its config has position_embedding_type rotary",
    ),
    "frequencies, config absolute": (
        edited("rotary", {"position_embedding_type": "absolute"}),
        f"has rotary positions ({LAYER_0}{FREQUENCIES}), but its config has position_embedding_type absolute",
    ),
    "a table of another length": (
        edited("last", {"max_position_embeddings": 512}),
        "its position table has 32 rows, but its config has max_position_embeddings 512",
    ),
    "frequencies of fewer dimensions": (
        edited("rotary", {"rotary_dim": 8}),
        f": {LAYER_0}{FREQUENCIES} rotates 4 dimensions, but its config has rotary_dim 8",
    ),
    "frequencies of another base": (
        edited("rotary", {"rotary_base": 500_000}),
        f": {LAYER_0}{FREQUENCIES} has the base 10000, but its config has rotary_base 500000",
    ),
    "frequencies of one layer missing": (
        edited("rotary", tensors={LAYER_1 + FREQUENCIES: ...}),
        f"missing tensor {LAYER_1}{FREQUENCIES}",
    ),
    "layouts, config dense": (
        edited("sparse", {"sparse_attention": ...}),
        f"has block layouts ({LAYER_0}{LAYOUT}), but its config has no sparse_attention",
    ),
    "no layouts, config sparse": (
        edited("last", SPARSE),
        f"missing tensor {LAYER_0}{LAYOUT}, which its config requires (sparse_attention)",
    ),
    "layouts of other heads": (
        edited("sparse", tensors={LAYER_1 + LAYOUT: torch.ones(4, 8, 8, dtype=torch.int64)}),
        f": {LAYER_1}{LAYOUT} has 4 heads, but its config has num_attention_heads 2",
    ),
    "layouts of another length": (
        edited("sparse", tensors={LAYER_1 + LAYOUT: torch.ones(2, 16, 16, dtype=torch.int64)}),
        f": {LAYER_1}{LAYOUT} has 16 blocks of 4 tokens, 64 in all, but its config has max_position_embeddings 32",
    ),
    "a layout that is no square": (
        edited("sparse", tensors={LAYER_0 + LAYOUT: torch.ones(2, 8, 4, dtype=torch.int64)}),
        f": {LAYER_0}{LAYOUT} has the shape [2, 8, 4]; expected a square of blocks for each head",
    ),
    "a layout of other numbers": (
        edited("sparse", tensors={LAYER_0 + LAYOUT: torch.full((2, 8, 8), 2)}),
        ": layers.0.attention.layout must hold only the values 0 and 1",
    ),
    "a layout whose rows do not see themselves": (
        edited("sparse", tensors={LAYER_0 + LAYOUT: torch.zeros(2, 8, 8, dtype=torch.int64)}),
        ": layers.0.attention.layout has rows that do not attend to their own block",
    ),
    "numbers of positions in another order": (
        edited("last", tensors={"bert.embeddings.position_ids": torch.arange(32).flip(0)[None]}),
        "bert.embeddings.position_ids must be 0 to 31 in order",
    ),
    "numbers of other positions": (
        edited("last", tensors={"bert.embeddings.position_ids": torch.arange(3)}),
        "bert.embeddings.position_ids must be 0 to 31 in order",
    ),
    "a layer too many": (
        edited("last", {"num_hidden_layers": 1}),
        "has tensors of 2 layers; its config expects 1",
    ),
    "layers with a gap": (
        edited("last", tensors={name: ... for name in tensors_of(CONFIGS["last"]) if name.startswith(LAYER_0)}),
        "layers are not contiguous: layer 0 has no tensors",
    ),
    "another width": (
        edited("last", {"intermediate_size": 32}),
        f"{LAYER_0}intermediate.dense.weight has the shape [24, 16]; its config expects [32, 16]",
    ),
    "more rows than tokens": (
        edited("last", {"vocab_size": 30}),
        "bert.embeddings.word_embeddings.weight has 40 rows, 10 more than the vocab_size 30 of its config; rows for a"
        " recurrent memory belong to the recurrent model",
    ),
    "a surplus tensor": (
        edited("last", tensors={"bert.encoder.layer.0.attention.self.gate.weight": torch.ones(2)}),
        "unexpected tensor bert.encoder.layer.0.attention.self.gate.weight, unknown to its config",
    ),
    "missing tensors": (
        edited("last", tensors={LAYER_1 + "attention.self.key.bias": ..., LAYER_1 + "output.dense.weight": ...}),
        f"missing tensor {LAYER_1}attention.self.key.bias (and 1 more: {LAYER_1}output.dense.weight)",
    ),
    "a sentence head without a pooler": (
        edited("last", tensors={"cls.seq_relationship.weight": torch.ones(2, 16)}),
        "has a sentence head (cls.seq_relationship.weight), but no pooler",
    ),
    "a head with a hidden layer": (
        edited("last", tensors={"classifier.0.weight": torch.ones(4, 16)}),
        "unexpected tensor classifier.0.weight, unknown to its config",
    ),
    "other labels than the config's": (
        edited("last", {"num_labels": 5}, heads=("bert.pooler.dense", "classifier")),
        "classifier.weight has 3 labels, its config 5",
    ),
    "labels of sequences without a pooler": (
        edited("last", {"architectures": ["BertForSequenceClassification"]}, heads=("classifier",)),
        "sequence labels require a pooler, which is missing",
    ),
    "a stock pooler under BigBird's config": (
        edited("bigbird", heads=("bert.pooler.dense",)),
        "its pooler is bert.pooler.dense, that of a bert, but its config describes a big_bird",
    ),
    "a tensor of moderngena missing": (
        edited("modern", tensors={"model.layers.1.attn_norm.weight": ...}),
        "missing tensor model.layers.1.attn_norm.weight",
    ),
    "a norm too many in moderngena": (
        edited("modern", tensors={"model.layers.0.attn_norm.weight": torch.ones(16)}),
        "unexpected tensor model.layers.0.attn_norm.weight, unknown to its config",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_checkpoint_that_contradicts_its_config_is_refused(tmp_path, rule):
    (values, tensors), message = RULES[rule]
    with pytest.raises(ModelError) as error:
        genolm.load(write(tmp_path / "model", values, tensors))
    assert str(error.value) in (f"{tmp_path / 'model'}: {message}", f"{tmp_path / 'model'}{message}")


DENSE = {"vocab_size": 40, "hidden_size": 16, "num_layers": 1, "num_heads": 2, "ffn_size": 24}
CONFIG_RULES = {
    "no epsilon": (BERT | {"layer_norm_eps": None}, "layer_norm_eps must be a number, not None"),
    "no heads": (BERT | {"num_attention_heads": None}, "num_attention_heads must be a whole number, not None"),
    "no activation": (
        {key: value for key, value in BERT.items() if key != "hidden_act"},
        "hidden_act None is not supported; expected one of gelu, gelu_new, gelu_pytorch_tanh, silu, swish",
    ),
    "another activation": (
        BERT | {"hidden_act": "relu"},
        "hidden_act 'relu' is not supported; expected one of gelu, gelu_new, gelu_pytorch_tanh, silu, swish",
    ),
    "relative positions": (
        BERT | {"position_embedding_type": "relative_key"},
        "position_embedding_type 'relative_key' is not supported; expected one of absolute, rotary",
    ),
    "rotary without dimensions": (
        BERT | PRE | ROTARY | {"rotary_dim": None},
        "rotary_dim must be a whole number, not None",
    ),
    "a decoder": (BERT | {"is_decoder": True}, "is_decoder True is not supported; is_decoder must be False"),
    "three global blocks": (
        BERT | PRE | {"sparse_attention": SPARSE["sparse_attention"] | {"num_global_blocks": 3}},
        "sparse_attention: num_global_blocks 3 is not supported; num_global_blocks must be 2",
    ),
    "heads of the sparse part": (
        BERT | PRE | {"sparse_attention": SPARSE["sparse_attention"] | {"num_heads": 3}},
        "sparse_attention: num_heads is 3, but num_attention_heads is 2",
    ),
    "sparse as a word": (
        BERT | {"sparse_attention": "bigbird"},
        "sparse_attention 'bigbird' is not supported; it must be an object or null",
    ),
    "rescaled embeddings": (
        CONFIGS["bigbird"] | {"rescale_embeddings": True},
        "rescale_embeddings True is not supported; rescale_embeddings must be False",
    ),
    "a final norm after the blocks": (
        BERT | {"last_layer_norm": True},
        "norm post allows neither final_norm nor a missing first_norm",
    ),
    "some biases": (
        CONFIGS["modern"] | {"mlp_bias": True},
        "biases in only some linear layers are not supported (attention_bias false, mlp_bias true,"
        " classifier_bias false)",
    ),
    "no epsilon of moderngena": (CONFIGS["modern"] | {"norm_eps": None}, "norm_eps must be a number, not None"),
    "an odd order of layers": (
        CONFIGS["modern"]
        | {
            "num_hidden_layers": 4,
            "layer_types": ["full_attention", "sliding_attention", "full_attention", "full_attention"],
        },
        "layer_types does not have full_attention every 2 layers",
    ),
    "layer types of other layers": (
        CONFIGS["modern"] | {"layer_types": ["full_attention"]},
        "layer_types names 1 layers, num_hidden_layers is 2",
    ),
    "an epsilon that is no number": (BERT | {"layer_norm_eps": math.nan}, "layer_norm_eps must be a number, not nan"),
    "an infinite epsilon": (BERT | {"layer_norm_eps": math.inf}, "layer_norm_eps must be a number, not inf"),
    "an epsilon of our own that is no number": (
        {"model_type": "genolm-encoder", **DENSE, "norm_eps": math.nan},
        "norm_eps must be finite and not negative, not nan",
    ),
    "scaled positions": (
        BERT | PRE | ROTARY | {"rope_scaling": {"type": "linear", "factor": 4.0}},
        "rope_scaling 'linear' is not supported; only unscaled positions are",
    ),
    "scaled positions of recent transformers": (
        BERT | PRE | ROTARY | {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
        "rope_parameters 'yarn' is not supported; only unscaled positions are",
    ),
    "scaled positions of moderngena": (
        CONFIGS["modern"] | {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
        "rope_scaling 'linear' is not supported; only unscaled positions are",
    ),
    "scaled positions of all its layers": (
        CONFIGS["modern"] | {"rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        "rope_parameters {'rope_type': 'linear', 'factor': 2.0} is not supported; it must be an object with"
        " full_attention and sliding_attention",
    ),
    "scaled positions of some of its layers": (
        CONFIGS["modern"] | {"rope_parameters": {"sliding_attention": {"rope_type": "linear", "rope_theta": 1.0}}},
        "rope_parameters: sliding_attention: rope_type 'linear' is not supported; only unscaled positions are",
    ),
    "a factor": (
        CONFIGS["modern"] | {"rope_parameters": {"full_attention": {"factor": 2.0}}},
        "rope_parameters: full_attention has factor, which is not supported; only unscaled positions are",
    ),
    "positions as a word": (
        CONFIGS["modern"] | {"rope_parameters": {"full_attention": "x"}},
        "rope_parameters: full_attention must be an object, not 'x'",
    ),
}


@pytest.mark.parametrize("rule", CONFIG_RULES)
def test_a_config_that_cannot_be_computed_is_refused(rule):
    values, message = CONFIG_RULES[rule]
    with pytest.raises(ModelError) as error:
        parse_config(values)
    assert str(error.value).startswith("config.json: ") and str(error.value).endswith(message)


def test_absent_keys_mean_what_the_published_code_takes_them_for():
    assert parse_config(BERT)[0].norm == "post"
    assert parse_config(BERT | {"pre_layer_norm": True})[0].final_norm
    assert not parse_config(BERT | {"pre_layer_norm": True, "last_layer_norm": False})[0].final_norm


def test_the_forms_of_a_moderngena_config_mean_the_same():
    new = CONFIGS["modern"] | {
        "layer_types": ["full_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 160_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    }
    old = parse_config(CONFIGS["modern"])[0]
    for key in ("global_rope_theta", "local_rope_theta"):
        del new[key]
    found = parse_config(new)[0]
    assert (found.rope_theta, found.local_rope_theta) == (old.rope_theta, old.local_rope_theta) == (160_000.0, 1e4)
    assert [found.is_local(layer) for layer in range(2)] == [old.is_local(layer) for layer in range(2)] == [False, True]


def test_the_class_named_in_a_config_is_recorded_and_not_imported(tmp_path):
    values = CONFIGS["sparse"] | {"sparse_config_cls": "this.module:DoesNotExist"}
    model = genolm.load(write(tmp_path, values, tensors_of(values)))
    assert "Its config names the class this.module:DoesNotExist, which is not imported." in model.card.notes


@pytest.mark.parametrize("copy", ["cls.predictions.decoder.weight", "cls.predictions.decoder.bias"])
def test_a_copy_that_differs_is_told(tmp_path, copy):
    values, tensors = edited("last")
    tensors[copy] = tensors[copy] + 1
    with noted(f"Its {copy} differs from"):
        model = genolm.load(write(tmp_path, values, tensors))
    assert any(copy in note for note in model.card.notes)
    embedding = tensors["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(model.network.embedding.tokens.weight, embedding)


def test_copies_and_computed_tensors_may_be_absent(tmp_path):
    values, tensors = edited("last")
    for name in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "bert.embeddings.position_ids"):
        del tensors[name]
    assert genolm.load(write(tmp_path, values, tensors)).config.final_norm


@pytest.mark.parametrize(
    ("heads", "architecture", "pooler", "labels_of"),
    [
        (("bert.pooler.dense", "classifier"), "BertForSequenceClassification", "tanh", "sequence"),
        (("classifier",), "BertForTokenClassification", "none", "token"),
    ],
)
def test_a_fine_tuned_model_has_labels_and_no_masked_head(tmp_path, heads, architecture, pooler, labels_of):
    values, tensors = edited("last", {"architectures": [architecture], "problem_type": "regression"}, heads=heads)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("cls.")}
    model = genolm.load(write(tmp_path / "tuned", values, tensors))
    config = model.config
    assert (config.masked_head, config.labels, config.labels_of, config.pooler) == (False, 3, labels_of, pooler)
    assert "Fine-tuned for regression." in model.card.notes
    output = model.network(torch.tensor([[1, 5, 6, 2]]), logits=False)
    assert output.labels.shape == ((1, 3) if labels_of == "sequence" else (1, 4, 3))
    with pytest.raises(ModelError, match="no masked-language head"):
        model.network(torch.tensor([[1, 5, 6, 2]]))
    for layout in ("genolm", "huggingface"):
        again = genolm.load(genolm.save(model, tmp_path / layout, layout=layout))
        assert again.fingerprint == model.fingerprint


def test_bigbirds_pooler_is_bare(tmp_path):
    assert genolm.load(published(tmp_path, "bigbird", SENTENCE_BIRD)).config.pooler == "linear"
    tensors = load_file(tmp_path / "model.safetensors")
    assert torch.equal(genolm.load(tmp_path).network.pooler.weight, tensors["bert.pooler.weight"])


def test_the_family_does_not_come_from_the_name(tmp_path):
    """A folder called bigbird that holds DeepSpeed's pattern is that, whatever its name says."""
    folder = published(tmp_path / "gena-lm-bigbird-base-t2t", "sparse")
    sparse = genolm.load(folder).config.sparse
    assert sparse is not None and sparse.kind == "deepspeed"


def test_a_layout_is_not_cast_with_the_weights(tmp_path):
    model = genolm.load(published(tmp_path, "sparse"), device="cpu", dtype=torch.bfloat16)
    assert model.network.layers[0].attention.layout.dtype == torch.uint8
    assert model.dtype == torch.bfloat16


def test_only_what_transformers_computes_is_saved_for_it(tmp_path):
    kinds = {}
    for kind in CONFIGS:
        model = genolm.load(published(tmp_path / kind, kind))
        genolm.save(model, tmp_path / "saved" / kind)
        kinds[kind] = json.loads((tmp_path / "saved" / kind / "config.json").read_text())["model_type"]
    assert {kind for kind, found in kinds.items() if found != "genolm-encoder"} == {"post", "bigbird", "modern"}


def test_an_encoder_is_not_written_for_megatron(tmp_path):
    with pytest.raises(ModelError, match="the megatron layout holds decoders only; this is an encoder"):
        genolm.convert(published(tmp_path / "source", "last"), tmp_path / "out", to="megatron")


@pytest.mark.parametrize(("key", "value"), [("per_layer_layout", True), ("random_blocks", "seeded")])
def test_what_the_published_layout_has_no_word_for_needs_ours(tmp_path, key, value):
    kind = "sparse" if key == "per_layer_layout" else "bigbird"
    own = genolm.convert(published(tmp_path / "source", kind), tmp_path / "own", to="genolm")
    values = json.loads((own / "config.json").read_text())
    values["sparse"][key] = value
    (own / "config.json").write_text(json.dumps(values))
    assert getattr(genolm.load(own).config.sparse, key) == value
    with pytest.raises(ModelError, match=r"cannot be expressed in the huggingface layout; pass to='genolm'"):
        genolm.convert(own, tmp_path / "out")


def pickle_of(folder, name="pytorch_model.bin", wrap=lambda state: state):
    """The same folder with its weights as a pickle."""
    tensors = load_file(folder / "model.safetensors")
    torch.save(wrap(tensors), folder / name)
    (folder / "model.safetensors").unlink()
    return tensors


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickle_is_converted(tmp_path, wrapped):
    source = published(tmp_path / "source", "last")
    expected = genolm.load(source).fingerprint
    name = "model_best.pth" if wrapped else "pytorch_model.bin"
    state = (lambda found: {"model_state_dict": found, "iteration": 7}) if wrapped else (lambda found: found)
    pickle_of(source, name, state)
    torch.save({"lr": 1.0}, source / "optimizer.pt")
    torch.save({"lr": 1.0}, source / "training_args.bin")
    with pytest.raises(ModelError, match=rf"are a pickle .*genolm convert {source} OUT reads it once"):
        genolm.load(source)
    folder = genolm.convert(source, tmp_path / "out")
    model = genolm.load(folder)
    assert model.fingerprint == expected
    assert any(f"Converted from the pickle {name}, sha256" in note for note in model.card.notes)


def test_pickles_that_are_refused(tmp_path):
    source = published(tmp_path / "source", "last")
    shutil.copytree(source, tmp_path / "two")
    pickle_of(source, wrap=lambda state: {**state, "hook": Carrier()})
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: names .*exec, which is not plain data"):
        genolm.convert(source, tmp_path / "out")
    torch.save({"a": 1}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: a is a int, not a tensor"):
        genolm.convert(source, tmp_path / "out")
    torch.save({}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: contains no tensors by name"):
        genolm.convert(source, tmp_path / "out")
    for name in ("one.pth", "two.pth"):
        torch.save({}, tmp_path / "two" / name)
    (tmp_path / "two" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds several pickles \(one\.pth, two\.pth\); keep the one"):
        genolm.convert(tmp_path / "two", tmp_path / "out")


class Carrier:
    """Runs a line of Python when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def test_a_description_counts_the_heads_that_are_there(tmp_path):
    folder = published(tmp_path, "sparse rotary")
    from genolm.models.checkpoints.info import info as describe

    info = describe(folder)
    assert info["objective"] == "masked"
    assert info["parameters"] == genolm.load(folder).config.parameters
    without = read_folder(folder).network
    assert info["parameters"] > without.parameters
