"""What a type checker says of a user's program."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import genolm

model = genolm.load("genolm-nano")
genolm.embed(model, {"a": "ACGT"})
genolm.embed(model, [("a", "ACGT"), ("b", b"AC")])
genolm.score(model, genolm.Interval("chr1", 0, 5), genome="hg38.fa")
genolm.variants(model, ["chr22:1500:A>T"], genome="hg38.fa")
genolm.detect.apply("detector", ["ACGT"])
genolm.explain.tables(model)
reveal_type(genolm.info("genolm-nano")["layer"])
reveal_type(genolm.doctor()[0].status)
reveal_type(model)
reveal_type(genolm.embed(model, ["ACGT"]))
reveal_type(genolm.embed(model, ["ACGT"], "vectors.npy").table)
reveal_type(genolm.variants(model, ["chr22:1500:A>T"], genome="hg38.fa"))
reveal_type(genolm.scan(model, "hg38.fa").tracks["chr22"])
reveal_type(genolm.load("x").score(["ACGT"]))
reveal_type(model.to("cuda").explain.memory(["ACGT"]))
genolm.embed(model, 5)  # wrong
genolm.score(model, None)  # wrong
genolm.variants(model, 5, genome="hg38.fa")  # wrong
genolm.generate(model, 1.5)  # wrong
genolm.detect.train("a.fa")  # wrong
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
    ]
