"""Options shared by all bulk verbs, and the execution of their tasks. Torch is imported when a model is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, Union

from genolm.engine.analysis import analyse
from genolm.engine.events import Finished, Listener, current_observer, observed
from genolm.engine.executors.choose_executor import ExecutorName, choose_executor
from genolm.engine.executors.executor import Executor
from genolm.engine.parts import PartsFolder
from genolm.engine.progress import as_listener
from genolm.engine.run import Options, Result, dry_run, run
from genolm.engine.summary import Summary, Tally, note_missing_results
from genolm.engine.target import check_side_files, check_target, refuse_inputs, write
from genolm.errors import ModelError
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Sequences, Variants
from genolm.models.precision import Device, Precision, parse_device, parse_dtype, same_device
from genolm.notes import collected
from genolm.parameters import Completed, Count, PythonOnly, Shown, Single
from genolm.tasks.writing.provenance import provenance_files

if TYPE_CHECKING:
    import polars as pl
    import torch

    from genolm.engine.task import AnyTask
    from genolm.models.model import Model


AnyModel = Annotated[Union["Model", str, Path], Completed("model")]
Dtype = Union["torch.dtype", Precision]
Reference = Annotated[Genome | str | Path, Shown("FASTA")]
SequenceInput = Annotated[Sequences, Single(), Shown("INPUT")]
VariantInput = Annotated[Variants, Single(), Shown("INPUT")]


class RunOptions(TypedDict, total=False):
    """Options of every bulk run.

    Keys:
        device: Device: cpu, cuda, cuda:1 or mps; or several, for worker processes: cuda:0,cuda:1 or cpu,cpu. Default:
            the first CUDA device, or else the CPU.
        dtype: Numerical precision. Default: chosen from the model card and the device.
        batch_tokens: Maximum tokens per batch. Default: 16,384 on a CPU, 131,072 on a GPU; halved until a batch fits
            into memory.
        resume: Resume an interrupted run; finished parts are kept.
        overwrite: Overwrite existing output.
        shard: Run shard I of N, e.g. 2/8; join all shards with `genolm merge`.
        keep_parts: Keep the parts when the output is complete, to analyse them again with other settings.
        executor: Where the parts are computed: local, or ray for a Ray cluster (extra: ray).
        workers: Number of worker processes. Default: one per device; with ray, as many as the cluster can run.
        address: Address of a Ray cluster, such as auto or ray://head:10001. Default: start Ray on this machine.
        threads: CPU threads per worker. Default: all, divided by the number of workers; with ray, 1.
        progress: True for a progress bar on standard error, or a function that receives each event of the run.
        dry_run: Write nothing: check the input, time a few batches, and estimate the size, memory and time of the run.
    """

    device: Device | None
    dtype: Dtype | None
    batch_tokens: Count | None
    resume: bool
    overwrite: bool
    shard: Annotated[str | tuple[int, int] | None, Shown("I/N")]
    keep_parts: bool
    executor: Executor | ExecutorName
    workers: Count | None
    address: Annotated[str | None, Shown("HOST:PORT")]
    threads: Count | None
    progress: Annotated[Listener | bool | None, PythonOnly()]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Bulk:
    """Options of a bulk run, as in `RunOptions`.

    Raises:
        InputError: the options do not suit each other.
        ModelError: this machine has no such device.
    """

    device: torch.device | str | None = None
    dtype: torch.dtype | str | None = None
    batch_tokens: int | None = None
    resume: bool = False
    overwrite: bool = False
    shard: str | tuple[int, int] | None = None
    progress: Listener | bool | None = None
    dry_run: bool = False
    keep_parts: bool = False
    executor: Executor | ExecutorName = "local"
    workers: int | None = None
    address: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        self.chosen_executor()

    @classmethod
    def of(cls, options: RunOptions) -> Bulk:
        """Return the options of a run with the defaults of those that are not given."""
        return cls(**options)

    def chosen_executor(self) -> Executor:
        """Return what computes the parts."""
        return choose_executor(self.executor, self.device, self.workers, self.address, self.threads)

    def check_output(self, out: Path) -> None:
        """Raise `RunError` if the output or its provenance file cannot be written."""
        check_target(out, overwrite=self.overwrite, resume=self.resume)
        check_side_files(out, provenance_files(out), overwrite=self.overwrite, resume=self.resume)

    def open(self, model: Model | str | Path, out: Path | None = None) -> Model:
        """Return the model, loading it if necessary.

        Args:
            model: a model, or a name or path for :func:`genolm.load`.
            out: output to check first, because loading can take minutes.

        Raises:
            ModelError: if the model is unknown, or already loaded on another device or in another precision.
            RunError: if the output exists, or its folder does not.
        """
        if out is not None:
            self.check_output(out)
        import torch

        from genolm.models.checkpoints.load import load, load_for
        from genolm.models.model import Model

        if isinstance(model, Model):
            self._check_loaded(model)
            return model
        kind = self.chosen_executor().kind
        if kind is None:
            return load(model, device=self.device, dtype=self.dtype)
        if self.dry_run:  # measured in this process
            return load(model, device=kind, dtype=self.dtype)
        return load_for(torch.device(kind), model, device=torch.device("cpu"), dtype=self.dtype)

    def run(self, task: AnyTask, model: Model, out: Path | None) -> Result:
        """Run the task, or with ``dry_run`` estimate its duration; without ``out`` the result holds its table."""
        options = Options(
            self.resume, self.overwrite, self.shard, self.keep_parts, self.batch_tokens, self.chosen_executor()
        )
        if self.dry_run:
            found = dry_run(task, model, out, options, progress=self.progress)
            return Result(None, None, found.items, found.parts, 0, token_budget=found.token_budget, estimate=found)
        result = run(task, model, out, options, progress=self.progress)
        return result if out is None or self.shard is None else replace(result, folder=PartsFolder.of(out).path)

    def analyse(self, parts: Path, task: AnyTask, out: Path | None, given: Collection[Path] = ()) -> Result:
        """Analyse kept parts as in :func:`genolm.engine.analysis.analyse`."""
        if out is not None:
            check_side_files(out, provenance_files(out), overwrite=self.overwrite)
        observer = current_observer().also(as_listener(self.progress))
        with observed(observer), collected() as notes:
            result = analyse(parts, task, out, given=given, overwrite=self.overwrite).with_notes(notes)
            observer.emit(Finished(result))
        return result

    def run_without_engine(self, task: AnyTask, frames: Iterator[pl.DataFrame], out: Path | None) -> Result:
        """Write or collect rows that were not computed by the engine; return the same as :meth:`run`.

        Raises:
            RunError: if the output is also an input.
        """
        if out is not None:
            refuse_inputs(task, out)
            return self.concluded(write(task, frames, out, 0), None, out)
        tally = Tally(task, 0)
        table = task.collect(tally.counted(frames))
        return self.concluded(tally.summary(table), table, None)

    def concluded(self, summary: Summary, table: object, out: Path | None) -> Result:
        """Report work that was done without the engine; return its result, with the table if there is no ``out``."""
        note_missing_results(summary)
        items = next(iter(summary.inputs.values()))
        result = Result(out, table if out is None else None, items, 1, 1, summary=summary)
        current_observer().also(as_listener(self.progress)).emit(Finished(result))
        return result

    def _check_loaded(self, model: Model) -> None:

        if self.dtype is not None and parse_dtype(self.dtype) != model.dtype:
            raise ModelError(f"the model is loaded in {model.dtype}; load it with dtype={self.dtype!r} instead")
        workers = self.chosen_executor().kind is not None  # which load or receive the model on their own devices
        if self.device is not None and not workers and not same_device(parse_device(self.device), model.device):
            raise ModelError(f"the model is loaded on {model.device}; load it with device={self.device!r} instead")
