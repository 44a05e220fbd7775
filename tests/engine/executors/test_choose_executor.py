"""The options of a run choose its executor, or are refused."""

import pytest
import torch

from genolm.engine.executors.choose_executor import choose_executor
from genolm.engine.executors.device_workers import DeviceWorkers
from genolm.engine.executors.in_process import InProcess
from genolm.engine.executors.ray_actors import RayActors
from genolm.errors import InputError, ModelError


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize(
    ("options", "executor"),
    [
        ({}, InProcess()),
        ({"device": "cpu", "threads": 3}, InProcess(3)),
        ({"device": "cpu,cpu"}, DeviceWorkers(("cpu", "cpu"))),
        ({"device": "cpu", "workers": 2, "threads": 1}, DeviceWorkers(("cpu", "cpu"), 1)),
        ({"device": "cpu", "workers": 1}, DeviceWorkers(("cpu",))),
        ({"device": "cpu , cpu", "workers": 2}, DeviceWorkers(("cpu", "cpu"))),
        ({"executor": "ray", "device": "cpu"}, RayActors()),
        ({"executor": "ray", "device": "cuda", "workers": 4}, RayActors(None, 4, None, "cuda")),
        ({"executor": "ray", "device": "cpu", "address": "auto", "threads": 2}, RayActors("auto", None, 2)),
        ({"executor": InProcess(2), "device": "cpu"}, InProcess(2)),
    ],
)
def test_chosen(options, executor):
    assert choose_executor(**options) == executor


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        ({"device": "cuda:0,cuda:1"}, ("cuda:0", "cuda:1")),
        ({"device": "cuda", "workers": 2}, ("cuda:0", "cuda:1")),
        ({"workers": 2}, ("cuda:0", "cuda:1")),
        ({"device": "cuda:1", "workers": 1}, ("cuda:1",)),
    ],
)
def test_gpus(two_gpus, options, devices):
    assert choose_executor(**options) == DeviceWorkers(devices)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"executor": "slurm"}, InputError, r"executor must be local, ray, or an executor \(value 'slurm'\)"),
        ({"workers": 0}, InputError, r"workers must be at least 1 \(value 0\)"),
        ({"threads": 0}, InputError, r"threads must be at least 1 \(value 0\)"),
        ({"address": "auto"}, InputError, "an address needs executor='ray'"),
        ({"executor": InProcess(), "workers": 2}, InputError, "workers cannot be used here: an executor has its own"),
        ({"device": "cpu,cuda:0"}, InputError, "several devices must be of one kind"),
        ({"device": "cpu,cpu", "workers": 3}, InputError, r"workers must be the number of devices, 2 \(value 3\)"),
        ({"device": "cpu,"}, InputError, "several devices must be of one kind"),
        ({"device": "cuda:0,cuda:0"}, InputError, r"a device can have one worker only \(value 'cuda:0'\)"),
        ({"device": "cuda,cuda:0"}, InputError, r"a device can have one worker only \(value 'cuda:0'\)"),
        ({"device": "cuda:0", "workers": 2}, InputError, "a device can have one worker only"),
        ({"device": "cuda:0,cuda:7"}, ModelError, "device cuda:7 is not available"),
        ({"device": "cuda", "workers": 3}, ModelError, "device cuda:2 is not available"),
        ({"device": "gpu,gpu"}, ModelError, "invalid device 'gpu'"),
        ({"executor": "ray", "device": "cuda:1"}, InputError, "Ray assigns the devices"),
        ({"executor": "ray", "device": "cpu,cpu"}, InputError, "Ray assigns the devices"),
    ],
)
def test_refused(two_gpus, options, kind, message):
    with pytest.raises(kind, match=message):
        choose_executor(**options)
