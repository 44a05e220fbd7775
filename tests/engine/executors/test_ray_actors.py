"""Ray: the bytes of one process, also if nodes are lost during the run."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_toys import Summed, ToyModel, expected
from executor_toys import Fragile, workers

import genolm
from genolm.engine import plan
from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.events import Advanced, PartDone, Started
from genolm.engine.executors.in_process import InProcess
from genolm.engine.executors.ray_actors import RayActors
from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, run, start
from genolm.errors import GenolmError, InputError, NonFiniteError, RunError
from genolm.tasks.variants.variant_task import VariantTask

RECORDS = 2000
TOYS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ray():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    return pytest.importorskip("ray")


class Nodes:
    """A head without CPUs, and nodes with one CPU each."""

    def __init__(self, ray):
        from ray.cluster_utils import Cluster

        memory = {"object_store_memory": 80_000_000, "include_dashboard": False}
        self._memory = {"object_store_memory": 80_000_000}
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
        self.nodes = [self.add(), self.add()]

    def add(self):
        return self.cluster.add_node(num_cpus=1, **self._memory)

    def kill(self, node):
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)

    def executor(self, **settings):
        return RayActors(self.cluster.address, **settings)


@pytest.fixture(scope="module")
def nodes(ray):
    handler = signal.getsignal(signal.SIGTERM)
    made = Nodes(ray)
    signal.signal(signal.SIGTERM, handler)  # a cluster in the process of the tests installs its own
    yield made
    made.cluster.shutdown()


@pytest.fixture(autouse=True)
def own_handler():
    """Restore the handler of SIGTERM, which a cluster in the process of the tests replaces."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def mark(tmp_path):
    folder = tmp_path / "mark"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """A genome and 2,000 variants."""
    folder = tmp_path_factory.mktemp("calls")
    choose = random.Random(1)
    sequence = "".join(choose.choices("ACGT", k=40_000))
    (folder / "g.fa").write_text(f">c\n{sequence}\n")
    sites = sorted(choose.sample(range(500, 39_500), RECORDS))
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=c,length=40000>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    lines += [f"c\t{site + 1}\t.\t{sequence[site]}\t{'CGTA'['ACGT'.index(sequence[site])]}\t.\t.\t." for site in sites]
    (folder / "v.vcf").write_text("\n".join(lines) + "\n")
    return folder


def score(calls, out, executor, progress=None):
    """Score the variants with a tiny model, in about 20 parts."""
    model = genolm.load("tiny-random-dense", device="cpu")
    task = VariantTask.fit(
        model, 64, 32, source=calls / "v.vcf", genome=calls / "g.fa", method="full", rc=False, on_mismatch="raise",
        genome_iupac="N", further=(),
    )  # fmt: skip
    run(task, model, out, Options(executor=executor), progress=progress)
    return out.read_bytes()


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "PART_TOKENS", 7_000)


@pytest.fixture
def one_process(calls, small_parts, tmp_path):
    return score(calls, tmp_path / "one.vcf", InProcess(1))


def test_two_nodes_give_the_bytes_of_one_process(nodes, calls, one_process, tmp_path):
    events = []
    assert score(calls, tmp_path / "two.vcf", nodes.executor(), events.append) == one_process
    done = [event for event in events if isinstance(event, PartDone)]
    assert len(done) > 10
    assert {part.worker for part in done} == {"ray 1", "ray 2"}
    (total,) = [event.bases for event in events if isinstance(event, Started)]
    assert sum(event.bases for event in events if isinstance(event, Advanced)) == total


def test_a_node_killed_during_the_run_changes_nothing(nodes, calls, one_process, tmp_path):
    done = []

    def kill(event):
        if isinstance(event, PartDone):
            done.append(event.number)
            if len(done) == 4:
                nodes.kill(nodes.nodes[0])

    assert score(calls, tmp_path / "two.vcf", nodes.executor(), kill) == one_process
    assert sorted(done) == list(range(len(done)))
    nodes.nodes.append(nodes.add())


def test_a_killed_worker_changes_nothing(nodes, source, out, lines, mark):
    task = Fragile(source, trouble="killed", bait=lines[30], mark=mark, once=True)
    result = run(task, ToyModel(), out, Options(executor=nodes.executor()))
    assert out.read_text() == expected(lines)
    assert any("its part is computed again" in text for text in result.notes)


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        ("input", InputError, r"^g.fa:7: bad genome \(value 'x'\)"),
        ("not finite", NonFiniteError, r"^toy gives numbers .* for item '[ACGTN]*': be careful"),
    ],
)
def test_errors_of_a_worker_reach_the_caller(nodes, source, out, mark, trouble, kind, message):
    with pytest.raises(kind, match=message):
        run(Fragile(source, trouble=trouble, mark=mark), ToyModel(), out, Options(executor=nodes.executor()))
    assert not PartsFolder.of(out).path.exists()


def test_cancelled_promptly_and_resumed_in_one_process(nodes, source, out, lines, mark):
    task = Fragile(source, trouble="endless", bait=lines[-1], mark=mark)
    handle = start(task, ToyModel(), out, Options(executor=nodes.executor()))
    end = time.monotonic() + 60
    while not workers(mark):
        assert time.monotonic() < end
        time.sleep(0.05)
    handle.cancel()
    with pytest.raises(RunError, match=r"^cancelled with .* parts finished"):
        handle.result(timeout=15)
    end = time.monotonic() + 10
    while workers(mark):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert PartsFolder.of(out).manifest().compute == ComputeSettings.here("cpu", 1)
    (mark / "done").touch()
    assert PartsFolder.of(out).has_parts


@pytest.mark.parametrize(
    ("settings", "message"), [({"threads": 8}, "8 CPUs"), ({"device": "cuda"}, "1 CPUs and a GPU")]
)
def test_workers_that_fit_on_no_node(nodes, source, out, settings, message):
    with pytest.raises(RunError, match=f"no node of the Ray cluster has {message}, which a worker needs"):
        run(Summed(source), ToyModel(), out, Options(executor=nodes.executor(**settings)))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_no_cluster_at_the_address(ray, source, out, address):
    begun = time.monotonic()
    with pytest.raises(RunError, match=f"cannot connect to Ray at {address}: nothing answers"):
        run(Summed(source), ToyModel(), out, Options(executor=RayActors(address)))
    assert time.monotonic() - begun < 10
    assert not PartsFolder.of(out).path.exists()


def test_a_lost_head_ends_the_run_and_the_parts_are_kept(ray, source, out, mark):
    lines = ["ACGT"] * 360  # enough parts that the loss is noticed before the run ends
    source.write_text("\n".join(lines) + "\n")
    words = [sys.executable, str(TOYS / "lost_cluster.py"), str(source), str(out), str(mark)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert re.search(
        r"after \d+ s: lost the Ray cluster at .*: its head does not answer; finished parts are kept", done.stdout
    )
    assert len(list(PartsFolder.of(out).path.glob("part-*.parquet"))) >= 3
    task = Fragile(source, trouble="slow", mark=mark)
    resumed = run(task, ToyModel(), out, Options(resume=True))
    assert 0 < resumed.computed < resumed.parts
    assert out.read_text() == expected(lines)


def test_an_invalid_address(ray, source, out):
    with pytest.raises(RunError, match="cannot connect to Ray at nonsense"):
        run(Summed(source), ToyModel(), out, Options(executor=RayActors("nonsense")))


def test_without_ray(source, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        GenolmError, match=r"executor='ray' requires ray, which is not installed; pip install 'genolm\[ray"
    ):
        run(Summed(source), ToyModel(), out, Options(executor=RayActors()))
