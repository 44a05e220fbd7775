"""Computing settings: imposed, restored, compared, and followed by every later process of a run."""

import json
from dataclasses import replace

import pytest
import torch
from engine_toys import Summed, ToyModel, expected

from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.executors.in_process import InProcess
from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, merge, run
from genolm.errors import RunError
from genolm.models.kernels.kernels import Kernels, current_kernels
from genolm.models.networks.attention.attention import ATTENTION
from genolm.notes import collected

KERNELS = (("attention bfloat16 4/2x64 whole 1024", "fused"), ("linear float32", "onednn"))
HERE = ComputeSettings("cpu", 2, "highest", "AVX2", "2.9")


@pytest.fixture(autouse=True)
def restored():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


class Threads(ToyModel):
    """Records the threads of each pass."""

    def sums(self, sequences):
        self.shapes.append(torch.get_num_threads())
        return super().sums(sequences)


def threads_of(source, out, **options):
    model = Threads()
    run(Summed(source), model, out, Options(**options))
    return {shape for shape in model.shapes if isinstance(shape, int)}


def test_those_of_this_process():
    now = ComputeSettings.here("cpu")
    assert (now.device, now.threads, now.torch_version) == ("cpu", torch.get_num_threads(), torch.__version__)
    assert now.processor.startswith(torch.backends.cpu.get_cpu_capability())
    assert ComputeSettings.here(torch.device("cpu"), 7) == replace(now, threads=7)


def test_imposed_and_restored():
    with replace(HERE, threads=3, matmul="high").imposed():
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (3, "high")


def test_restored_after_an_error():
    with pytest.raises(KeyError), replace(HERE, threads=3).imposed():
        raise KeyError


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"device": "cuda"}, "kind of device (was cpu, now cuda)"),
        ({"threads": 1}, "CPU threads per worker (was 2, now 1)"),
        ({"matmul": "medium"}, "precision of fp32 products (was highest, now medium)"),
        ({"processor": "AVX512"}, "processor (was AVX2, now AVX512)"),
        ({"torch_version": "2.10"}, "version of torch (was 2.9, now 2.10)"),
    ],
)
def test_differences_are_named(change, text):
    assert HERE.changes(replace(HERE, **change)) == [text]
    assert HERE.changes(HERE) == []


def test_only_what_can_be_set_is_followed():
    other = ComputeSettings("cuda", 8, "high", "compute capability 9.0", "2.10")
    planned = replace(HERE, kernels=KERNELS)
    assert other.following(planned) == replace(other, threads=2, matmul="highest", kernels=KERNELS)
    assert other.following(None) == other


def test_a_run_uses_the_threads_that_are_requested(source, out):
    assert threads_of(source, out, executor=InProcess(3)) == {3}
    assert run(Summed(source), ToyModel(), options=Options(executor=InProcess(3))).items == 60


def test_shards_follow_the_first(source, out, lines):
    assert threads_of(source, out, shard="1/2", executor=InProcess(3)) == {3}
    assert PartsFolder.of(out).manifest().compute == ComputeSettings.here("cpu", 3)
    with pytest.raises(RunError, match=r"changed: CPU threads per worker \(was 3, now 2\)\)"):
        run(Summed(source), ToyModel(), out, Options(shard="2/2", executor=InProcess(2)))
    assert threads_of(source, out, shard="2/2") == {3}


@pytest.mark.parametrize("name", ["processor", "torch_version", "device"])
def test_another_machine_is_refused_with_the_difference(source, out, name):
    run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    path = PartsFolder.of(out).path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"compute": manifest["compute"] | {name: "other"}}))
    with pytest.raises(RunError, match=r"belongs to another run \(changed: .* \(was other, now"):
        run(Summed(source), ToyModel(), out, Options(shard="2/2"))


def test_parts_of_different_machines_are_not_merged(source, tmp_path):
    outs = [tmp_path / name / "out.tsv" for name in "ab"]
    for number, out in enumerate(outs, start=1):
        out.parent.mkdir()
        run(Summed(source), ToyModel(), out, Options(shard=(number, 2), executor=InProcess(number)))
    with pytest.raises(RunError, match=r"belong to different runs; changed: CPU threads per worker \(was 1, now 2\)"):
        merge(tmp_path / "out.tsv", parts=[PartsFolder.of(out).path for out in outs])


def test_a_part_of_other_settings_is_computed_again(source, out, lines):
    run(Summed(source), ToyModel(), out, Options(shard="1/1"))
    path = PartsFolder.of(out).path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"compute": manifest["compute"] | {"threads": 3}}))
    result = run(Summed(source), ToyModel(), out, Options(resume=True))
    assert result.computed == result.parts
    assert out.read_text() == expected(lines)


class Kerneled(ToyModel):
    """Selects a kernel, and records those of each pass."""

    chosen = KERNELS

    def select_kernels(self, lengths, tokens):
        self.shapes.append((tuple(lengths), tokens))
        return Kernels(self.chosen)

    def sums(self, sequences):
        self.shapes.append(current_kernels().choices)
        return super().sums(sequences)


class Otherwise(Kerneled):
    chosen = ()


def test_kernels_are_selected_once_and_imposed_on_every_shard(source, out, lines, monkeypatch):
    monkeypatch.delenv("GENOLM_KERNELS")
    for shard, model in (("1/2", Kerneled()), ("2/2", Otherwise())):
        run(Summed(source), model, out, Options(shard=shard))
        passes = {shape for shape in model.shapes if shape in (KERNELS, ())}
        assert passes == {KERNELS}
    assert PartsFolder.of(out).manifest().compute.kernels == KERNELS
    merge(out, task=Summed(source))
    assert out.read_text() == expected(lines)


def test_the_kernels_of_the_manifest_are_used_after_an_interruption(source, out, monkeypatch):
    monkeypatch.delenv("GENOLM_KERNELS")
    run(Summed(source), Kerneled(), out, Options(shard="1/2"))
    model = Otherwise()
    run(Summed(source), model, out, Options(resume=True))
    assert {shape for shape in model.shapes if shape in (KERNELS, ())} == {KERNELS}


def test_pinned_kernels_are_stored(source, out, monkeypatch):
    monkeypatch.setenv("GENOLM_KERNELS", f"{ATTENTION.name}=fused")
    run(Summed(source), Kerneled(), out, Options(shard="1/2"))
    assert PartsFolder.of(out).manifest().compute.kernels == (("attention", "fused"),)


def test_shards_of_other_kernels_are_merged_with_a_note(source, tmp_path, lines, monkeypatch):
    monkeypatch.delenv("GENOLM_KERNELS")
    outs = [tmp_path / "one" / "out.tsv", tmp_path / "two" / "out.tsv"]
    for number, (model, out) in enumerate(zip((Kerneled(), Otherwise()), outs, strict=True), start=1):
        out.parent.mkdir()
        run(Summed(source), model, out, Options(shard=(number, 2)))
    with collected() as notes:
        merge(outs[0], parts=[PartsFolder.of(outs[1]).path], task=Summed(source))
    assert outs[0].read_text() == expected(lines)
    assert "selected different kernels" in str(notes)
