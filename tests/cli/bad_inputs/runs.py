"""Runs that cannot go on, merges that lack something, recipes and simulations that are wrong."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from pathlib import Path

from tests.cli.bad_inputs.case import MODEL, Case

SCORE = f"score {MODEL} good.fa out.parquet --quiet"
SHARDS = (f"{SCORE} --shard 1/3", f"{SCORE} --shard 2/3", f"{SCORE} --shard 3/3")
RECIPE = """name: small
model: {vocab_size: 32, hidden_size: 16, num_layers: 1, num_heads: 2, num_kv_heads: 1, head_dim: 8, ffn_size: 16}
corpus:
  fasta: [genome.fa]
  held_out: {test: [chr2]}
context: 32
batch_rows: 2
steps: 1
"""
FREE = "a resumed run may change only name, card, trackers, compile, report_every, evaluate_every, evaluate_windows, checkpoint_every, release"


def torn(folder: Path) -> None:
    """The first part with a byte changed."""
    part = folder / "out.parquet.parts/part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")


def other_settings(folder: Path) -> None:
    """A manifest that was written by hand."""
    (folder / "out.parquet.parts/manifest.json").write_text("{")


def recipe(kind: str, text: str | bytes, message: str, **more) -> Case:
    """A recipe that cannot be used."""
    return Case(kind, "pretrain bad.yaml run", message, 3, {"bad.yaml": text}, **more)


CASES = (
    Case(
        "run: parts of an earlier run",
        SCORE,
        "out.parquet.parts holds parts of an earlier run; pass --resume to continue it, or --overwrite to start over",
        5,
        before=SHARDS[:1],
    ),
    Case(
        "resume: with another setting",
        f"{SCORE} --rc --resume",
        "out.parquet.parts belongs to another run (changed: setting rc (was False, now True)); restore the previous settings, choose another output, or pass --overwrite to start over",
        5,
        before=SHARDS[:1],
    ),
    Case(
        "resume: with another model",
        SCORE.replace(MODEL, "tiny-random") + " --resume",
        "out.parquet.parts belongs to another run (changed: setting context (was 32768, now 1048576); setting provenance.fingerprint (was '<digest>…, now '<digest>…); setting provenance.model (was 'tiny-random-dense', now 'tiny-random'); model weights); restore the previous settings, choose another output, or pass --overwrite to start over",
        5,
        before=SHARDS[:1],
    ),
    Case(
        "resume: the input has changed",
        f"{SCORE} --resume",
        "out.parquet.parts belongs to another run (changed: content of input file 1); restore the previous settings, choose another output, or pass --overwrite to start over",
        5,
        before=SHARDS[:1],
        make=lambda folder: (folder / "good.fa").write_text(">chr1\nACGT\n"),
    ),
    Case(
        "resume: the output exists",
        f"{SCORE} --resume",
        "out.parquet exists; pass --overwrite to replace it",
        5,
        {"out.parquet": "mine"},
    ),
    Case(
        "resume: the manifest is damaged",
        f"{SCORE} --resume",
        "out.parquet.parts/manifest.json: not a manifest of genolm (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); pass --overwrite to start over",
        5,
        before=SHARDS[:1],
        make=other_settings,
    ),
    Case(
        "merge: nothing to merge",
        "merge out.parquet",
        "out.parquet.parts holds no parts of a run; run the shards first",
        5,
    ),
    Case(
        "merge: a folder without parts",
        "merge out.parquet --parts elsewhere",
        "elsewhere holds no parts of a run",
        5,
        {"elsewhere": None},
    ),
    Case(
        "merge: a part is missing",
        "merge out.parquet",
        "1 of 3 parts are missing (1); run their shards again, or pass --resume to complete the run in one process",
        5,
        before=SHARDS[::2],
    ),
    Case(
        "merge: a part is damaged",
        "merge out.parquet",
        "1 of 3 parts are damaged (part-00000.parquet); run their shards again, or pass --resume to complete the run in one process",
        5,
        before=SHARDS,
        make=torn,
    ),
    Case(
        "merge: the output exists",
        "merge out.parquet",
        "out.parquet exists; pass --overwrite to replace it",
        5,
        before=SHARDS,
        make=lambda folder: (folder / "out.parquet").write_text("mine"),
    ),
    Case(
        "merge: parts of two runs",
        "merge out.parquet --parts other.parquet.parts",
        "out.parquet.parts and other.parquet.parts belong to different runs; changed: setting rc (was False, now True)",
        5,
        before=(*SHARDS, SHARDS[0].replace("out.parquet", "other.parquet") + " --rc"),
    ),
    Case(
        "executor: not one of them",
        f"{SCORE} --executor slurm",
        "Invalid value for '--executor': 'slurm' is not one of 'local', 'ray'.",
        2,
    ),
    Case(
        "executor: an address without Ray",
        f"{SCORE} --address auto",
        "address cannot be used here: an address needs executor='ray' (value 'auto')",
        3,
    ),
    Case(
        "executor: no workers",
        f"{SCORE} --workers 0",
        "Invalid value for '--workers': must be at least 1, not 0",
        2,
    ),
    Case(
        "executor: devices of two kinds",
        f"{SCORE} --device cpu,cuda",
        "several devices must be of one kind (value 'cpu,cuda')",
        3,
    ),
    Case(
        "executor: no Ray at the address",
        f"{SCORE} --executor ray --address 127.0.0.1:1",
        "cannot connect to Ray at 127.0.0.1:1: nothing answers",
        5,
    ),
    Case(
        "recipe: no such recipe",
        "pretrain nanoo run",
        "no such recipe file, and not one of the shipped recipes: gena-bert-base, gena-bert-large, gena-bigbird-base, gengram-10b, genolm-mini, genolm-mini-bert, genolm-mini-ocean, genolm-nano, genomeocean-100m, genomeocean-4b, genomeocean-500m, genos-1.2b, genos-10b, moderngena-base (value 'nanoo')",
        3,
    ),
    recipe("recipe: not YAML", "name: [\n", "bad.yaml:2: not valid YAML"),
    recipe("recipe: not text", b"name: caf\xe9\n", "bad.yaml:1: not UTF-8 text (value b'\\xe9')"),
    recipe("recipe: a list", "- name\n", "bad.yaml: a recipe must be a YAML mapping (value ['name'])"),
    recipe(
        "recipe: an unknown key",
        RECIPE + "learning_rte: 1\n",
        "bad.yaml: unknown key in recipe; known keys are batch_rows, best, card, checkpoint_every, compile, context, context_parallel, corpus, evaluate_every, evaluate_windows, haplotypes, masking, micro_rows, model, name, objective, optimizer, patience, precision, recompute, release, report_every, seed, sharding, stages, start, steps, tokenizer, trackers (value 'learning_rte')",
    ),
    recipe(
        "recipe: an unknown key of the model",
        RECIPE.replace("num_layers", "layers"),
        "bad.yaml: unknown key in model; known keys are experts_per_token, ffn_size, gengram, head_dim, hidden_size, initial_std, kmer_dims, kmer_orders, kmer_rows, max_positions, norm_eps, num_experts, num_heads, num_kv_heads, num_layers, pad_id, rope_theta, router_aux_coef, router_z_coef, tied, vocab_size (value 'layers')",
    ),
    recipe("recipe: a key is missing", RECIPE.replace("name: small\n", ""), "bad.yaml: recipe lacks the key name"),
    recipe("recipe: an empty corpus", RECIPE + "corpus: null\n", "bad.yaml: corpus must be a mapping"),
    recipe("recipe: an empty optimizer", RECIPE + "optimizer: null\n", "bad.yaml: optimizer must be a mapping"),
    recipe(
        "recipe: a number below 1",
        RECIPE.replace("steps: 1", "steps: 0"),
        "bad.yaml: steps must be at least 1 (value 0)",
    ),
    recipe(
        "recipe: text for a number",
        RECIPE.replace("steps: 1", "steps: many"),
        "bad.yaml: steps in recipe must be of type int (value 'many')",
    ),
    recipe(
        "recipe: a model that cannot be",
        RECIPE.replace("num_kv_heads: 1", "num_kv_heads: 3"),
        "bad.yaml: model: num_heads (2) must be a multiple of num_kv_heads (3)",
    ),
    recipe(
        "recipe: stages and a context beside them",
        RECIPE + "stages: [{context: 32, batch_rows: 2, steps: 1}]\n",
        "bad.yaml: a recipe with stages must set this in each stage (value 'context')",
    ),
    recipe(
        "recipe: an unknown tracker",
        RECIPE + "trackers: [weights-and-biases]\n",
        "bad.yaml: tracker must be tensorboard or wandb (value 'weights-and-biases')",
    ),
    recipe(
        "recipe: muon on sharded weights",
        RECIPE + "sharding: fsdp\noptimizer: {name: muon}\n",
        "bad.yaml: muon needs complete matrices, but fsdp shards them: choose adamw or sharding none",
    ),
    recipe(
        "recipe: sharding without a launcher",
        RECIPE + "sharding: fsdp\n",
        "sharding fsdp needs several processes: start the run with torchrun (value 'fsdp')",
    ),
    recipe(
        "recipe: a row over more processes than there are",
        RECIPE + "context_parallel: 2\n",
        "context_parallel must divide the 1 processes (value 2)",
    ),
    recipe(
        "recipe: the FASTA is missing",
        RECIPE.replace("genome.fa", "hg38.fa"),
        "hg38.fa: the recipe's FASTA file does not exist",
    ),
    recipe(
        "recipe: a held-out split without bases",
        RECIPE.replace("chr2", "chr22").replace("genome.fa", "small.fa"),
        "no base of the corpus falls into the split 'test'",
        make=lambda folder: (folder / "small.fa").write_text(f">chr1\n{'ACGTTGCAAC' * 100}\n"),
    ),
    Case(
        "pretrain: the folder holds a run",
        "pretrain good.yaml run",
        "run already contains a run; pass --resume to continue it, or choose another folder",
        5,
        {"good.yaml": RECIPE, "run": None, "run/recipe.json": "{}"},
    ),
    Case(
        "pretrain: the folder contains the run of another recipe",
        "pretrain good.yaml run --resume",
        f"run contains the run of another recipe; {FREE}; choose another folder",
        5,
        {"good.yaml": RECIPE, "run": None, "run/recipe.json": '{"fingerprint": "other"}'},
    ),
    Case(
        "pretrain: a file in the place of the folder",
        "pretrain good.yaml run",
        "run is a file: choose another folder",
        5,
        {"good.yaml": RECIPE, "run": "mine"},
    ),
    Case(
        "simulate: the files exist",
        "simulate .",
        ".: genome.fa exists; choose another folder, or pass --overwrite to replace it",
        5,
        make=lambda folder: (folder / "genome.fa").write_text("mine"),
    ),
    Case(
        "simulate: too few bases", "simulate here --length 100", "4 contigs require at least 60900 bases (value 100)", 3
    ),
    Case(
        "simulate: a file in the place of the folder",
        "simulate here",
        "here: expected a folder, found a file",
        3,
        {"here": "mine"},
    ),
)
