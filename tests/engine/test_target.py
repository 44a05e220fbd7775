"""What may be an output, and what is refused before anything is computed."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine_toys import Summed, ToyModel, expected

from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, merge, run
from genolm.engine.target import check_target
from genolm.errors import RunError
from genolm.files import locks as lock
from genolm.files.output_paths import refuse_replacing


@dataclass(frozen=True, slots=True)
class Annotated(Summed):
    """Also writes a file beside the output."""

    def side_files(self, out):
        return (out.with_name(f"{out.name}.about"),)

    def assemble(self, frames, out):
        Summed.assemble(self, frames, out)
        out.with_name(f"{out.name}.about").write_text("about")


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_an_input_under_another_name_is_never_replaced(source, out, link):
    before = source.read_bytes()
    link(out, source)
    with pytest.raises(RunError, match=rf"{out} is an input of this run too \({source}\); choose another output"):
        run(Summed(source), ToyModel(), out, Options(overwrite=True))
    assert source.read_bytes() == before == out.read_bytes()
    assert not PartsFolder.of(out).path.exists()


def test_a_merge_does_not_replace_an_input_either(source, out):
    run(Summed(source), ToyModel(), out, Options(shard="1/1"))
    out.hardlink_to(source)
    with pytest.raises(RunError, match="is an input of this run too"):
        merge(out, task=Summed(source), overwrite=True)


def test_a_symbolic_link_is_written_through(source, out, lines, tmp_path):
    place = tmp_path / "scratch"
    place.mkdir()
    out.symlink_to(place / "big.tsv")
    run(Summed(source), ToyModel(), out)
    assert out.is_symlink() and (place / "big.tsv").read_text() == expected(lines)
    with pytest.raises(RunError, match="exists; pass overwrite=True"):
        run(Summed(source), ToyModel(), out)
    run(Summed(source, factor=2), ToyModel(), out, Options(overwrite=True))
    assert out.is_symlink() and [path.name for path in place.iterdir()] == ["big.tsv"]


def test_a_link_into_a_folder_that_is_not_there_is_refused(source, out, tmp_path):
    out.symlink_to(tmp_path / "nowhere" / "big.tsv")
    with pytest.raises(RunError, match=rf"there is no folder {tmp_path}/nowhere"):
        run(Summed(source), ToyModel(), out)


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_device_is_not_replaced_by_a_file(name):
    with pytest.raises(RunError, match=f"{name} is a device, not a file|{name}: the folder .* cannot be written"):
        check_target(Path(name), overwrite=True)


def test_a_pipe_is_not_replaced_by_a_file(out):
    os.mkfifo(out)
    with pytest.raises(RunError, match="is a pipe or device, not a file"):
        check_target(out, overwrite=True)


def test_a_file_as_folder_is_named(source):
    with pytest.raises(RunError, match=rf"{source} is a file, not a folder"):
        check_target(source / "out.tsv", overwrite=False)


@pytest.mark.parametrize(("length", "fits"), [(249, True), (250, False), (256, False)])
def test_a_name_without_room_for_the_parts_is_refused(tmp_path, source, lines, length, fits):
    out = tmp_path / ("n" * (length - 4) + ".tsv")
    if fits:
        run(Summed(source), ToyModel(), out)
        assert [path.name for path in tmp_path.iterdir() if path != source] == [out.name]
        assert out.read_text() == expected(lines)
    else:
        with pytest.raises(RunError, match=rf"with \.parts, which a run adds, has {length + 6} bytes, .* allows 255"):
            run(Summed(source), ToyModel(), out)


def test_what_is_half_written_under_a_long_name_is_swept(tmp_path, source):
    out = tmp_path / ("n" * 245 + ".tsv")
    for place in (out, tmp_path / "short.tsv"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("genolm.files.atomic.remove", lambda path: None)
            patch.setattr("genolm.files.atomic._replace", _killed)
            with pytest.raises(KeyboardInterrupt):
                run(Summed(source), ToyModel(), place)
        run(Summed(source), ToyModel(), place, Options(resume=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, out.name, "short.tsv"])


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(RunError, match="the name is not valid UTF-8; choose another output"):
        check_target(tmp_path / os.fsdecode(b"caf\xe9.tsv"), overwrite=False)


def test_a_foreign_file_beside_the_output_is_kept(source, out, lines):
    side_files = Path(f"{out}.about")
    side_files.write_text("precious")
    for settings in ({}, {"resume": True}, {"shard": "1/1"}):
        with pytest.raises(RunError, match=r"about exists; pass overwrite=True"):
            run(Annotated(source), ToyModel(), out, Options(**settings))
        assert side_files.read_text() == "precious"
    run(Annotated(source), ToyModel(), out, Options(overwrite=True))
    assert (side_files.read_text(), out.read_text()) == ("about", expected(lines))


def test_parts_on_a_file_system_that_keeps_open_files_are_removed(source, out, lines, monkeypatch):
    """NFS renames an open file that is removed to .nfs… in its folder until it is closed."""
    remove, opened = Path.unlink, lock._locked_file

    class Held:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self.file

        def __exit__(self, *_):
            place = Path(self.file.name)
            self.file.close()
            remove(place.with_name(f".nfs{place.name}"), missing_ok=True)

    def unlink(path, missing_ok=False):
        if path.suffix == ".lock":
            path.replace(path.with_name(f".nfs{path.name}"))
        elif not path.name.startswith(".nfs"):
            remove(path, missing_ok=missing_ok)
        else:
            raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(lock, "_locked_file", lambda *given: Held(opened(*given)))
    monkeypatch.setattr(Path, "unlink", unlink)
    run(Summed(source), ToyModel(), out)
    assert out.read_text() == expected(lines)
    assert not PartsFolder.of(out).path.exists()


def _killed(*_):
    raise KeyboardInterrupt


def test_a_folder_that_holds_an_input_is_not_replaced(tmp_path):
    deep, link = tmp_path / "out" / "deep" / "in.fa", tmp_path / "link"
    deep.parent.mkdir(parents=True)
    deep.touch()
    link.symlink_to(tmp_path / "out")
    for out in (tmp_path / "out", link):
        with pytest.raises(RunError, match=rf"{out} holds an input of this run \({deep}\); choose another output"):
            refuse_replacing((None, deep), out)
    refuse_replacing((deep,), tmp_path / "out2", tmp_path / "out" / "deep" / "other.tsv")


def test_standard_output_is_no_place_for_a_folder():
    with pytest.raises(RunError, match="cannot write to standard output here; name a file or folder"):
        check_target(Path("-"), overwrite=True)
