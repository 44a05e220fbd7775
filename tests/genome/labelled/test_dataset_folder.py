"""Dataset folders: what is written is read, equal rows give equal bytes, and all damage is reported."""

import json
from pathlib import Path

import pytest

from genolm.errors import InputError
from genolm.genome.labelled.dataset_folder import Description, LabelledRow, is_dataset, read_dataset, write_dataset

DESCRIPTION = Description(
    kind="splice", of="base", task="classes", labels=("none", "acceptor", "donor"),
    inputs=({"role": "genome", "file": "genome.fa", "sha256": "0" * 64},),
    split_by="chromosome", settings={"window": 2}, counts={"genes": 2},
)  # fmt: skip
SPLITS = {
    "train": [LabelledRow("a:1", "chr1", -1, 3, "-", "a", "NACG", ".02.")],
    "test": [LabelledRow("b:1", "chr2", 7, 9, "+", "b", "AC", "10")],
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", DESCRIPTION, SPLITS)
    found = read_dataset(tmp_path / "data")
    assert is_dataset(tmp_path / "data") and not is_dataset(tmp_path)
    assert list(found.description.splits) == ["train", "test"] and found.description.labels == DESCRIPTION.labels
    assert {name: list(found.rows(name)) for name in SPLITS} == SPLITS
    with pytest.raises(InputError, match=r"no such split; it has train, test .*'valid'"):
        found.path("valid")


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_dataset(tmp_path / name, DESCRIPTION, SPLITS)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no example falls into this split .*'test'"):
        write_dataset(tmp_path / "data", DESCRIPTION, {**SPLITS, "test": []})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("label", "message"), [("0", "1 labels for 2 bases"), ("03", "not the index of a label")])
def test_labels_of_bases_fit_their_sequence(label: str, message: str, tmp_path: Path) -> None:
    row = SPLITS["test"][0]._replace(label=label)
    with pytest.raises(InputError, match=message):
        write_dataset(tmp_path / "data", DESCRIPTION, {"test": [row]})


def test_damage_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_dataset(folder, DESCRIPTION, SPLITS)
    table, description = folder / "test.parquet", folder / "dataset.json"
    content, text = table.read_bytes(), description.read_text()
    table.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(InputError, match=r"test\.parquet: damaged or changed"):
        read_dataset(folder)
    table.unlink()
    with pytest.raises(InputError, match=r"test\.parquet: the table of the split test is missing"):
        read_dataset(folder)
    table.write_bytes(content)
    changes = {
        "its sha256 does not match": {"kind": "other"},
        "expected 1": {"version": 2},
        "not the desc": {"format": ""},
    }
    for message, change in changes.items():
        description.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(InputError, match=message):
            read_dataset(folder)
    description.write_text(text[:-5])
    with pytest.raises(InputError, match="not valid JSON"):
        read_dataset(folder)
    description.unlink()
    with pytest.raises(InputError, match=r"not a dataset: dataset\.json is missing"):
        read_dataset(folder)
