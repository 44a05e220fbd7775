"""Study run: two small microbial models on species that were not in training.

    GENOLM_DATA=folder python -m studies.microbes.run ENCODER DECODER
    python -m studies.microbes.report                  # tables of docs/studies/microbes.md

ENCODER and DECODER are the model folders of ``genolm pretrain genolm-mini-bert`` and ``genolm-mini-ocean``. Each part
is saved in ``runs/`` with the machine and commit, and is not repeated; results.json is written when all parts are
complete.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import torch
from benchmarks.record import machine

import genolm
from studies.microbes.genomes import (
    FURTHER_STRAINS,
    HELD_OUT,
    RECORDS,
    TRAINED,
    check_split,
    corpus,
    folder,
    paths,
    trained_bases,
)
from studies.microbes.likelihood import LENGTH, PIECES, RESULTS, SEED, contigs, markov, pieces

TRAINING_GENOMES = {"clusters": TRAINED, "detection": TRAINED, "checks": {**TRAINED, **FURTHER_STRAINS}}
"""Training genomes that parts use to choose a layer, to train a detector and to search for copies."""
RUNS = Path(__file__).parent / "runs"
ENCODER, DECODER = "genolm-mini-bert", "genolm-mini-ocean"
PROMPT, NEW, PER_GENOME = 500, 1000, 24
DECODINGS = {"temperature 1": {"temperature": 1.0}, "temperature 0.8, top-p 0.95": {"temperature": 0.8, "top_p": 0.95}}
FRAGMENT, FRAGMENTS = 5000, 40
SCANNED = "Escherichia coli"
SCANNED_BASES = 1_000_000
GENES, COMPLETIONS = 40, 4


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder")
    parser.add_argument("decoder")
    parser.add_argument("--only", nargs="+", help="parts to run; default all")
    words = parser.parse_args()
    torch.set_num_threads(1)
    check_split(trained_bases(corpus()))
    RUNS.mkdir(exist_ok=True)
    models = {ENCODER: genolm.load(words.encoder), DECODER: genolm.load(words.decoder)}
    for name, part in PARTS.items():
        if (words.only is None or name in words.only) and not _file(name).exists():
            print(name, flush=True)
            _write(_file(name), {"machine": machine(), "told": part(models)})
    if all(_file(name).exists() for name in PARTS):
        made = {name: json.loads(_file(name).read_text()) for name in PARTS}
        machines = {name: part["machine"] for name, part in made.items()}
        told = {name: part["told"] for name, part in made.items()}
        cards = {
            name: {"metrics": dict(model.card.metrics), "fingerprint": model.fingerprint}
            for name, model in models.items()
        }
        genomes = {part: sorted(files.values()) for part, files in TRAINING_GENOMES.items()}
        _write(RESULTS, {"machines": machines, "models": cards, "training_genomes": genomes, "parts": told})


def likelihood(models: dict[str, Any]) -> dict[str, Any]:
    """Return bits per base of pieces of held-out species, each scored on the strand that it was sampled from."""
    rows = {}
    for species, path in paths(HELD_OUT).items():
        drawn = pieces(path, LENGTH, PIECES)
        scored = genolm.score(models[DECODER], drawn)
        bits = -scored["log_likelihood_sum_nats"].sum() / scored["scored_bases"].sum() / math.log(2)
        masked = genolm.score(models[ENCODER], drawn[:10])
        pseudo = -masked["pseudo_log_likelihood_sum_nats"].sum() / masked["scored_bases"].sum() / math.log(2)
        rows[species] = {"decoder": bits, "encoder_pseudo": pseudo}
    return rows


def clusters(models: dict[str, Any]) -> dict[str, Any]:
    """Cluster held-out species by embeddings of the layer that is best on training species.

    The layer is chosen on the forward strand, which halves the passes; results use the mean of both strands.
    """
    found: dict[str, Any] = {}
    for name, model in models.items():
        chosen = {}
        for layer in range(1, model.config.num_layers + 1):
            told = genolm.cluster(
                model, _named(TRAINED), layer=layer, twin=False, repeats=1, per_genome=20, length=FRAGMENT
            )
            chosen[layer] = _ari(told["agreement"])["model"]["kmeans"]
        layer = max(chosen, key=lambda one: chosen[one])
        out = RUNS / f"cluster-{name}"
        genolm.cluster(
            model, _named(HELD_OUT), out, layer=layer, rc=True, length=FRAGMENT, per_genome=FRAGMENTS, overwrite=True
        )
        report = json.loads((out / "cluster.json").read_text())
        found[name] = {
            "layer": layer,
            "ari_on_training_species": chosen,
            "summary": report["summary"],
            "drawn": report["drawn"],
        }
    return found


def scans(models: dict[str, Any]) -> dict[str, Any]:
    """Separate coding from intergenic windows, for published genes and for predicted genes of a long region."""
    found = {}
    for name, model in models.items():
        for record in RECORDS:
            out = RUNS / f"scan-{name}-{record.split('.gbk')[0]}"
            genbank, fasta = _unpacked(record)
            genolm.scan(model, fasta, out, genes=genbank, call="none", overwrite=True)
            found[f"{name} {record}"] = json.loads(Path(f"{out}.json").read_text())["genes"]
    out = RUNS / f"scan-{DECODER}-{SCANNED.replace(' ', '_')}"
    fasta, genes = _predicted_genes()
    genolm.scan(models[DECODER], fasta, out, genes=genes, overwrite=True)
    found[f"{DECODER} {SCANNED}"] = json.loads(Path(f"{out}.json").read_text())["genes"]
    return found


def detection(models: dict[str, Any]) -> dict[str, Any]:
    """Train a detector of the decoder's sequences on training species and test it on held-out species."""
    table, files = [], []
    for species, path in {**paths(TRAINED), **paths(HELD_OUT)}.items():
        for number, (decoding, settings) in enumerate(DECODINGS.items()):
            out = _generated(models[DECODER], species, path, number, settings)
            files.append(out)
            table.append({"file": out.name, "generator": DECODER, "decoding": decoding, "genome": _stem(path)})
    provenance, taxa = RUNS / "provenance.tsv", RUNS / "taxa.tsv"
    pl.DataFrame(table).write_csv(provenance, separator="\t")
    sides = [(TRAINED, "training species"), (HELD_OUT, "held-out species")]
    rows = [{"genome": _stem(path), "taxon": taxon} for files_, taxon in sides for path in paths(files_).values()]
    pl.DataFrame(rows).write_csv(taxa, separator="\t")
    natural = list({**paths(TRAINED), **paths(HELD_OUT)}.values())
    found = {}
    for features in ("handmade", "both"):
        detector = genolm.detect.train(
            natural=natural, generated=files, model=models[ENCODER] if features == "both" else None,
            features=features, genomes=taxa,
            provenance=provenance, hold_out_taxon=["held-out species"], crop=(500, 1000), seed=SEED,
        )  # fmt: skip
        found[features] = detector.report
    return found


def checks(models: dict[str, Any]) -> dict[str, Any]:
    """Compare the decoder's continuations of held-out genomes with natural and Markov sequence."""
    found = {}
    for number, (decoding, settings) in enumerate(DECODINGS.items()):
        files = [
            _generated(models[DECODER], species, path, number, settings) for species, path in paths(HELD_OUT).items()
        ]
        out = RUNS / f"check-{number}"
        training = _named(TRAINING_GENOMES["checks"])
        genolm.check(files, out, reference=_named(HELD_OUT), training=training, order=5, overwrite=True)
        report = json.loads((out / "check.json").read_text())
        found[decoding] = {"figures": report["figures"], "passed": report["passed"]}
    return found


def completion(models: dict[str, Any]) -> dict[str, Any]:
    """Complete published genes of genera that are not in training from their beginning."""
    found = {}
    for record in RECORDS:
        genbank, _ = _unpacked(record)
        out = RUNS / f"complete-{record.split('.gbk')[0]}.tsv"
        genolm.complete(
            models[DECODER],
            genbank,
            out,
            draw=GENES // len(RECORDS),
            n=COMPLETIONS,
            longest=1800,
            seed=SEED,
            overwrite=True,
        )
        found[record] = pl.read_csv(out.with_name(f"{out.name}.summary.tsv"), separator="\t").to_dicts()
    return found


PARTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "likelihood": likelihood,
    "markov": markov,
    "clusters": clusters,
    "detection": detection,
    "checks": checks,
    "scans": scans,
    "completion": completion,
}


def _generated(model: Any, species: str, path: Path, number: int, settings: dict[str, float]) -> Path:
    """Write continuations of pieces of a genome, half of them from the reverse strand."""
    out = RUNS / f"generated-{_stem(path)}-{number}.fa"
    if out.exists():
        return out
    prompts = RUNS / f"prompts-{_stem(path)}.fa"
    lines = [f">{_stem(path)}_{place}\n{piece}\n" for place, piece in enumerate(pieces(path, PROMPT, PER_GENOME))]
    prompts.write_text("".join(lines))
    return Path(genolm.generate(model, prompts, out, length=NEW, min_length=NEW, seed=SEED + number, **settings))


def _named(files: dict[str, str]) -> list[Path]:
    return list(paths(files).values())


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _ari(agreement: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return the mean ARI by features and method."""
    means = agreement.group_by("features", "method").agg(pl.col("ari").mean())
    found: dict[str, dict[str, float]] = {}
    for features, method, value in means.iter_rows():
        found.setdefault(features, {})[method] = value
    return found


def _unpacked(record: str) -> tuple[Path, Path]:
    """Write a GenBank record as plain text, and its sequence as FASTA."""
    from Bio import SeqIO

    genbank, fasta = RUNS / record.removesuffix(".gz"), RUNS / f"{record.split('.gbk')[0]}.fa"
    with gzip.open(folder() / "bgc" / record, "rt") as file:
        genbank.write_text(file.read())
    records = list(SeqIO.parse(genbank, "genbank"))
    fasta.write_text("".join(f">{one.id}\n{one.seq}\n" for one in records))
    return genbank, fasta


def _predicted_genes() -> tuple[Path, Path]:
    """Write the first bases of a held-out genome and the genes that pyrodigal predicts."""
    import pyrodigal

    fasta, gff = RUNS / "scanned.fa", RUNS / "scanned.gff3"
    sequence = next(contigs(paths(HELD_OUT)[SCANNED]))[:SCANNED_BASES]
    fasta.write_text(f">contig\n{sequence}\n")
    finder = pyrodigal.GeneFinder()
    finder.train(sequence.encode())
    with gff.open("w") as file:
        finder.find_genes(sequence.encode()).write_gff(file, "contig")
    return fasta, gff


def _file(name: str) -> Path:
    return RUNS / f"{name}.json"


def _write(path: Path, values: Any) -> None:
    staging = path.with_suffix(".tmp")
    staging.write_text(json.dumps(values, indent=1, default=float) + "\n", encoding="utf-8")
    staging.replace(path)


if __name__ == "__main__":
    main()
