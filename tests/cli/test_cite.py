"""BibTeX for genolm and its models."""

import re

import pytest
from typer.testing import CliRunner

from genolm.cli.cite import FAMILIES, cite
from genolm.cli.main import app
from genolm.errors import ModelError
from genolm.models.zoo.zoo import ZOO


def keys(text: str) -> list[str]:
    return re.findall(r"^@\w+\{([^,]+),", text, flags=re.MULTILINE)


def test_without_a_model_only_genolm():
    assert keys(cite()) == ["genolm"]


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("genos-1.2b", "genos"),
        ("BGI-HangzhouAI/Genos-10B-v2", "genos"),
        ("gengram", "gengram"),
        ("gena-lm", "gena_lm"),
        ("gena_lm_bert_base", "gena_lm"),
        ("moderngena-large", "moderngena"),
        ("genomeocean", "genomeocean"),
    ],
)
def test_a_model_brings_the_paper_of_its_family(model, key):
    assert keys(cite(model)) == ["genolm", key]


@pytest.mark.parametrize("model", ["genolm-nano", "tiny-random"])
def test_our_own_models_are_genolm(model):
    assert keys(cite(model)) == ["genolm"]


def test_every_published_model_of_the_zoo_has_a_paper():
    for name, entry in ZOO.items():
        assert len(keys(cite(name))) == (2 if entry.hub_id or entry.megatron_only else 1)


def test_genos_has_its_doi():
    assert "10.1093/gigascience/giaf132" in cite("genos-1.2b")


def test_braces_balance():
    for text in (cite(), *FAMILIES.values()):
        assert text.count("{") == text.count("}")


def test_an_unknown_model_is_an_error():
    with pytest.raises(ModelError, match="no known paper for 'evo'"):
        cite("evo")


def test_the_verb_prints_it():
    assert CliRunner().invoke(app, ["cite", "genos-10b"]).output == cite("genos-10b") + "\n"
