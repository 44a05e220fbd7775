"""What a type checker says of a user's program."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from pathlib import Path

import numpy as np
import pandas  # type: ignore[import-untyped]
import polars as pl

import genolm


class Exported:
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return requested_schema


model = genolm.load("genolm-nano")
genolm.embed(model, {"a": "ACGT"})
genolm.embed(model, [("a", "ACGT"), ("b", b"AC")])
genolm.score(model, genolm.Interval("chr1", 0, 5), genome="hg38.fa")
genolm.variants(model, ["chr22:1500:A>T"], genome="hg38.fa")
genolm.detect.apply("detector", ["ACGT"])
genolm.explain.tables(model)
reveal_type(genolm.info("genolm-nano")["layer"])
reveal_type(genolm.doctor()[0].status)
genolm.embed(model, "ACGT")
genolm.embed("genos-1.2b@v1.0", Path("a.fa"))
genolm.embed(model, pl.DataFrame({"sequence": ["ACGT"]}))
genolm.embed(model, pl.Series(["ACGT"]))
genolm.embed(model, np.array(["ACGT"]))
genolm.embed(model, Exported())
genolm.embed(model, pandas.DataFrame({"sequence": ["ACGT"]}))
genolm.embed(model, {"a": "ACGT", "b": genolm.Interval("chr1", 0, 5)}, genome=Path("hg38.fa"))
genolm.embed(model, (text for text in ["ACGT"]))
genolm.variants(model, "chr22:1500:A>T", genome="hg38.fa")
genolm.variants(model, {"rs1": "chr22:1500:A>T"}, genome="hg38.fa")
genolm.variants(model, [("chr22", 1500, "A", "T")], genome="hg38.fa")
genolm.variants(model, pl.DataFrame({"variant": ["chr22:1500:A>T"]}), genome="hg38.fa")
genolm.load("lab/model", revision="v1.0", offline=True)
reveal_type(model)
reveal_type(genolm.embed(model, ["ACGT"]))
reveal_type(genolm.embed(model, ["ACGT"], "vectors.npy").table)
reveal_type(genolm.variants(model, ["chr22:1500:A>T"], genome="hg38.fa"))
reveal_type(genolm.scan(model, "hg38.fa").tracks["chr22"])
reveal_type(genolm.load("x").score(["ACGT"]))
reveal_type(model.to("cuda").explain.memory(["ACGT"]))
reveal_type(genolm.Genome("hg38.fa")["chr1:1-10"])
genolm.load("lab/model", revision=1)  # wrong
genolm.embed(model, [5])  # wrong
genolm.embed(model, {"a": 5})  # wrong
genolm.embed(model, {"ACGT"})  # wrong
genolm.embed(model, b"ACGT")  # wrong
genolm.embed(model, np.eye(4))  # wrong
genolm.variants(model, 3.5, genome="hg38.fa")  # wrong
genolm.variants(model, [5], genome="hg38.fa")  # wrong
genolm.embed(model, 5)  # wrong
genolm.score(model, None)  # wrong
genolm.variants(model, 5, genome="hg38.fa")  # wrong
genolm.generate(model, 1.5)  # wrong
genolm.detect.train("detector", natural=5)  # wrong
genolm.embed(model, ["ACGT"], pooling=5)  # wrong
model.embed(5)  # wrong
model.score(["ACGT"], lenght=5)  # wrong
"""


def test_a_type_checker_knows_what_functions_take(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", "--config-file="]
    paths = {**os.environ, "MYPYPATH": str(Path(__file__).parents[1] / "src")}
    done = subprocess.run(
        [*command, "program.py"], cwd=tmp_path, env=paths, capture_output=True, text=True, timeout=280
    )
    text = done.stdout
    errors = {int(line.split(":")[1]) for line in text.splitlines() if ": error:" in line}
    assert errors == {number for number, line in enumerate(PROGRAM.splitlines(), start=1) if "# wrong" in line}, text
    assert 'Revealed type is "int | None"' in text
    assert "Literal['ok']" in text
    revealed = re.findall(r'Revealed type is "([^"]*)"', text)
    assert revealed[2:] == [
        "genolm.model_api.Model",
        "genolm.tasks.writing.embeddings.Embeddings",
        "polars.dataframe.frame.DataFrame",
        "genolm.tasks.variants.variant_scores.VariantScores",
        "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.floating[numpy._typing._nbit_base._32Bit]]]",
        "genolm.tasks.writing.scores.Scores",
        "genolm.tasks.explain.explain_folder.Explanation",
        "str",
    ]
