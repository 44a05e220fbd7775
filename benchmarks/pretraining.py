"""Training speed of the genolm-nano recipe and of the same model with transformers' Trainer, on one CPU.

    python -m benchmarks.pretraining

Both train the recipe's network, including its k-mer tables, on random bases in bf16 autocast, with the recipe's context
and rows per step; transformers uses a MistralForCausalLM of the same shape with fused AdamW, genolm the recipe's Muon
and, in a second run, AdamW. Runs alternate; the first steps of each are not counted. Writes results/pretraining.json,
including the fraction of a step that data loading takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import write
from genolm.genome.interval import Interval
from genolm.models.adapters.huggingface.huggingface_config import write_config
from genolm.models.gengram.kmer_stream import KmerTables, digits_of, read_kmers
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, RowOrder
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe

TOKENIZER = NucleotideTokenizer(iupac="N")
UNCOUNTED = 4


def trainable(model: DecoderConfig) -> Any:
    """MistralForCausalLM of the same shape, with the k-mer tables of genolm at its input."""
    from transformers import MistralConfig, MistralForCausalLM

    class WithTables(MistralForCausalLM):
        """Run the model on embeddings plus the rows of the k-mer tables."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.kmer = KmerTables(model.kmer_orders, model.kmer_dims, model.hidden_size, model.kmer_rows)
            self.digits = torch.tensor(digits_of(model.vocab_size, TOKENIZER.base_ids, TOKENIZER.n_id))

        def forward(self, input_ids: Tensor, labels: Tensor | None = None, **_: Any) -> Any:
            stream = read_kmers(self.digits[input_ids])
            embedded = self.model.embed_tokens(input_ids) + self.kmer(stream)
            return super().forward(inputs_embeds=embedded, labels=labels)

    plain = replace(model, kmer_orders=(), kmer_dims=(), kmer_rows=0)
    values = {key: value for key, value in write_config(plain).items() if key not in ("model_type", "architectures")}
    return WithTables(MistralConfig(**values, attn_implementation="sdpa", use_cache=False))


def trainer_rate(recipe: Recipe, steps: int, folder: Path) -> float:
    """Return tokens per second with Trainer, median over the counted steps."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    moments: list[float] = []

    class Watch(TrainerCallback):
        """Record the end time of each step."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            moments.append(time.perf_counter())

    ids = np.random.default_rng(0).integers(5, 9, (recipe.batch_rows * steps, recipe.context + 1))
    rows = [{"input_ids": torch.from_numpy(row), "labels": torch.from_numpy(row)} for row in ids]
    words = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch_rows,
        max_steps=steps,
        learning_rate=recipe.optimizer.learning_rate,
        weight_decay=recipe.optimizer.weight_decay,
        max_grad_norm=recipe.optimizer.clip,
        optim="adamw_torch_fused",
        bf16=True,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    Trainer(model=trainable(recipe.model), args=words, train_dataset=rows, callbacks=[Watch()]).train()
    return _rate(recipe, np.diff(moments[UNCOUNTED:]).tolist())


def our_rate(recipe: Recipe, steps: int, folder: Path, fasta: Path) -> float:
    """Return tokens per second of ``genolm pretrain``, median over the counted steps, including loader and log."""
    moments: list[float] = []

    def watch(report: Any) -> None:
        if "bits_per_base" in report:
            moments.append(time.perf_counter())

    corpus = replace(recipe.corpus, fasta=(str(fasta),), held_out={}, skip=())
    plan = replace(recipe, corpus=corpus, steps=steps, report_every=1, evaluate_every=10**9, checkpoint_every=10**9)
    pretrain(plan, folder, log=watch)
    # The model folder is written after the last report, so this time is not counted.
    return _rate(recipe, np.diff(moments[UNCOUNTED:]).tolist())


def _rate(recipe: Recipe, seconds: list[float]) -> float:
    return recipe.batch_rows * recipe.context / median(seconds)


def loader_seconds(recipe: Recipe, bases: int, batches: int = 50) -> float:
    """Return the mean seconds to cut a batch of rows from a contig."""
    ids = TOKENIZER.encode("".join(np.random.default_rng(1).choice(list("ACGT"), bases)))
    order = RowOrder((DocumentSpan(Interval("chr1", 0, bases), ids),), recipe.context, recipe.batch_rows, 0, TOKENIZER)
    order.batch(0)
    started = time.perf_counter()
    for step in range(1, batches + 1):
        order.batch(step)
    return (time.perf_counter() - started) / batches


def compare(steps: int, rounds: int) -> dict[str, Any]:
    """Time all variants, alternating."""
    recipe = Recipe.load("genolm-nano")
    adam = replace(recipe, optimizer=replace(recipe.optimizer, name="adamw"))
    rates: dict[str, list[float]] = {"genolm, the recipe": [], "genolm, AdamW": [], "transformers, AdamW": []}
    with tempfile.TemporaryDirectory() as name:
        fasta = Path(name) / "random.fa"
        bases = "".join(np.random.default_rng(0).choice(list("ACGT"), 2_000_000))
        fasta.write_text(f">chr1\n{bases}\n")
        for round_ in range(rounds):
            for side, plan in (("genolm, the recipe", recipe), ("genolm, AdamW", adam)):
                rates[side].append(our_rate(plan, steps, Path(name) / f"{side}{round_}", fasta))
            rates["transformers, AdamW"].append(trainer_rate(recipe, steps, Path(name) / "trainer"))
            print({side: round(values[-1]) for side, values in rates.items()}, flush=True)
    told = {side: round(median(values), 1) for side, values in rates.items()}
    plain = told["transformers, AdamW"]
    step = recipe.batch_rows * recipe.context / told["genolm, the recipe"]
    return {
        "tokens_per_second": told,
        "rounds": {side: [round(value, 1) for value in values] for side, values in rates.items()},
        "speedup": {side: round(rate / plain, 3) for side, rate in told.items()},
        "loader_share_of_a_step": round(loader_seconds(recipe, 2_000_000) / step, 5),
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    write("pretraining", {"recipe": "genolm-nano", "steps": words.steps, **compare(words.steps, words.rounds)})


if __name__ == "__main__":
    main()
