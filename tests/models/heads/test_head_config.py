"""Configs of heads: what they refuse, and their form in a card."""

import json

import pytest

from genolm.errors import ModelError
from genolm.models.heads.head_config import (
    LabelHeadConfig,
    ProjectionHeadConfig,
    TrackHeadConfig,
    check_head_name,
    head_from_json,
    head_to_json,
)

HEADS = [
    LabelHeadConfig(("donor", "acceptor", "neither"), of="token", hidden=8, both_sides=False),
    LabelHeadConfig(("expression",), task="regression", units=("log2 TPM",), means=(1.5,), deviations=(2.0,)),
    LabelHeadConfig(("a", "b"), task="multilabel", pooling="last", bias=False),
    TrackHeadConfig(("+", "-"), units=("reads", "reads"), means=(2.0, 3.0), squashed=(True, False), scale_of=(0, 0)),
    ProjectionHeadConfig(12, of="sequence", dropout=0.1),
]


@pytest.mark.parametrize("config", HEADS)
def test_a_config_survives_json(config):
    assert head_from_json(json.loads(json.dumps(head_to_json(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "head must be a mapping"),
        ({"kind": "unet"}, "head: kind must be one of labels, tracks, projection, not 'unet'"),
        ({"kind": "tracks", "track": ["a"]}, "unknown head keys: track"),
        ({"kind": "tracks"}, "missing head key: tracks"),
        ({"kind": "labels", "labels": "ab"}, "labels must be a tuple of names, not 'ab'"),
        ({"kind": "labels", "labels": ["a"]}, "labels must have at least 2 names, not 1"),
        ({"kind": "labels", "labels": ["a", "a"]}, "labels must differ: 'a' is repeated"),
        ({"kind": "labels", "labels": ["a", "b"], "hidden": "wide"}, "not supported between"),
        ({"kind": "labels", "labels": ["a", "b"], "dropout": 1}, "dropout must be in 0..1"),
        ({"kind": "labels", "labels": ["a", "b"], "of": "base"}, "of must be one of sequence, token, not 'base'"),
        ({"kind": "labels", "labels": ["a", "b"], "means": [1, 2]}, "belong to task regression"),
        ({"kind": "labels", "labels": ["a", "b"], "pooling": "last", "both_sides": True}, "requires pooling mean"),
        ({"kind": "tracks", "tracks": ["a"], "means": [0.0]}, "means must be positive and finite"),
        ({"kind": "tracks", "tracks": ["a"], "means": [1.0, 2.0]}, "one value for each of the 1 outputs, not 2"),
        ({"kind": "tracks", "tracks": ["a"], "squashed": [True]}, "squashed requires the means"),
        ({"kind": "tracks", "tracks": ["a", "b"], "scale_of": [0, 2]}, "without gaps"),
        ({"kind": "projection", "width": 0}, "width must be at least 1"),
    ],
)
def test_an_invalid_config_is_refused(values, message):
    with pytest.raises(ModelError, match=message):
        head_from_json(values)


def test_per_token_heads_read_both_sides_by_default():
    assert LabelHeadConfig(("a", "b"), of="token").reads_both_sides
    assert not LabelHeadConfig(("a", "b")).reads_both_sides
    assert TrackHeadConfig(("a",)).reads_both_sides


@pytest.mark.parametrize("name", ["", "a/b", "..", "ä", "a.b"])
def test_a_name_must_be_fit_for_a_file(name):
    with pytest.raises(ModelError, match="must consist of letters"):
        check_head_name(name)
