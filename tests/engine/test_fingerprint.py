"""What decides the bytes of a run."""

import pytest
from engine_toys import Summed, ToyModel

from genolm.engine import fingerprint as fingerprints
from genolm.engine.fingerprint import changes, content_digest, fingerprint
from genolm.errors import InputError


def test_equal_runs_have_equal_fingerprints(source):
    assert changes(fingerprint(Summed(source), ToyModel()), fingerprint(Summed(source), ToyModel())) == []


def test_content_of_a_small_file_is_its_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert content_digest(path) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("change", ["first", "last", "size"])
def test_a_large_file_is_sampled(tmp_path, monkeypatch, change):
    monkeypatch.setattr(fingerprints, "FULL_DIGEST_LIMIT", 1000)
    monkeypatch.setattr(fingerprints, "_BLOCK", 10)
    path = tmp_path / "a"
    path.write_bytes(bytes(5000))
    before = content_digest(path)
    assert before.startswith("sampled:")
    with path.open("r+b") as file:
        file.seek({"first": 0, "last": 4999, "size": 5000}[change])
        file.write(b"\x01" if change != "size" else b"\x00")
    assert content_digest(path) != before


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.fa: no such file"):
        content_digest(tmp_path / "nowhere.fa")


def test_a_changed_number_of_inputs_is_told(source):
    before = fingerprint(Summed(source), ToyModel())
    assert changes(before, {**before, "inputs": []}) == ["number of input files (was 1, now 0)"]


def test_of_a_value_with_fields_those_that_differ_are_told():
    def model(name):
        return {
            "settings": {
                "model": {"$value": {"type": "model", "version": 1, "fields": {"name": name, "family": "genos"}}}
            }
        }

    assert changes(model("one"), model("two")) == ["setting model.name (was 'one', now 'two')"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"),
        ({"$path": "/a/b.fa"}, "/a/b.fa"),
        ({"$tuple": [1, {"$tuple": []}]}, "[1, []]"),
        ({"$value": {"type": "pooling", "version": 1, "fields": {"name": "mean"}}}, "pooling(name='mean')"),
        ("y" * 99, "'" + "y" * 38 + "…"),
    ],
)
def test_settings_are_shown_as_people_write_them(value, text):
    assert changes({"settings": {"a": value}}, {"settings": {"a": 5}}) == [f"setting a (was {text}, now 5)"]
