"""The bulk run: known answers, order, refusals, nothing left behind."""

from engine_toys import Summed, ToyModel, expected

from genolm.engine.run import run


def test_known_answer_in_input_order(source, out, lines):
    result = run(Summed(source), ToyModel(), out)
    assert out.read_text() == expected(lines)
    assert (result.out, result.items, result.missing) == (out, 60, ())
    assert result.parts == result.computed > 10


def test_only_the_artefact_is_left(source, out, tmp_path):
    run(Summed(source), ToyModel(), out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.tsv"]


def test_in_memory_returns_the_table_and_touches_no_disk(source, tmp_path, lines):
    result = run(Summed(source), ToyModel())
    text = "".join(f"{sequence}\t{total}\n" for sequence, total in result.table.iter_rows())
    assert text == expected(lines)
    assert result.out is None
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
