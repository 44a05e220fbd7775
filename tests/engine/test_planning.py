"""The input is validated once, however many processes take part."""

import threading
import time

import pytest
from engine_toys import Summed, ToyModel

from genolm.engine import resumable
from genolm.engine.executors.device_workers import DeviceWorkers
from genolm.engine.parts import PartsFolder
from genolm.engine.plan import make_plan
from genolm.engine.run import Options, run
from genolm.errors import InputError, ResourceError, RunError
from genolm.files.locks import locked


class Limited(ToyModel):
    """Fails after three parts."""

    def sums(self, sequences):
        if len(self.shapes) == 3:
            raise ResourceError("enough")
        return super().sums(sequences)


@pytest.fixture
def plans(monkeypatch):
    """The number of validations, each of which takes a moment."""
    made = []

    def counted(*arguments):
        made.append(threading.get_ident())
        time.sleep(0.2)
        return make_plan(*arguments)

    monkeypatch.setattr(resumable, "make_plan", counted)
    return made


def test_a_second_shard_does_not_validate_again(source, out, plans):
    for number in (1, 2, 3):
        run(Summed(source), ToyModel(), out, Options(shard=(number, 3)))
    assert len(plans) == 1


def test_a_resumed_run_does_not_validate_again(source, out, plans):
    with pytest.raises(ResourceError):
        run(Summed(source), Limited(), out)
    run(Summed(source), ToyModel(), out, Options(resume=True))
    assert len(plans) == 1


def test_shards_started_together_validate_once(source, out, plans):
    results = []
    threads = [
        threading.Thread(
            target=lambda number=number: results.append(
                run(Summed(source), ToyModel(), out, Options(shard=(number, 3)))
            )
        )
        for number in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 1
    assert sum(result.computed for result in results) == results[0].parts


def test_workers_do_not_validate(source, out, plans):
    run(Summed(source), ToyModel(), out, Options(executor=DeviceWorkers(("cpu",), 1)))
    assert len(plans) == 1


def test_a_shard_that_fails_keeps_the_lock_of_another(source, out):
    """The folder of a shard that waits must not be removed: its lock would protect nothing any more."""
    source.write_text("ACXT\n")
    folder = PartsFolder.of(out).path
    with locked(folder, "2/2"):
        with pytest.raises(InputError):
            run(Summed(source), ToyModel(), out, Options(shard="1/2"))
        with pytest.raises(RunError, match="another run is using this folder"), locked(folder):
            pass
    with pytest.raises(InputError):
        run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    assert [path.name for path in out.parent.iterdir()] == ["in.txt"]
