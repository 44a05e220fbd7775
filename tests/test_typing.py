"""What a type checker says of a user's program."""

import os
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
genolm.embed(model, 5)  # wrong
genolm.score(model, None)  # wrong
genolm.variants(model, 5, genome="hg38.fa")  # wrong
genolm.generate(model, 1.5)  # wrong
genolm.detect.train("a.fa")  # wrong
genolm.embed(model, ["ACGT"], as_="torch")  # wrong
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
