"""Messages and exit codes of failing commands."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.reporter import printed_notes
from genolm.errors import GenolmError, InputError, ModelError, NetworkError, ResourceError, RunError
from genolm.notes import note
from genolm.remedies import Notice, Remedy


def code_of(error: BaseException, *, resumable: bool = False) -> int:
    def verb() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        with_error_messages(verb, resumable=resumable)()
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GenolmError("x"), 1),
        (InputError("x"), 3),
        (ModelError("x"), 4),
        (RunError("x"), 5),
        (ResourceError("x"), 6),
        (NetworkError("x"), 7),
    ],
)
def test_each_error_has_its_exit_code_and_one_line(error, code, capsys):
    assert code_of(error) == code
    assert capsys.readouterr() == ("", "error: x\n")


def test_an_input_error_names_file_line_and_value(capsys):
    code_of(InputError("POS is not a number", file="a.vcf", line=7, value="12x"))
    assert capsys.readouterr().err == "error: a.vcf:7: POS is not a number (value '12x')\n"


def test_running_out_of_memory_is_a_resource_error(capsys):
    assert code_of(MemoryError()) == 6
    assert "--batch-tokens" in capsys.readouterr().err


def test_a_full_disk_is_a_resource_error(capsys):
    assert code_of(OSError(28, "No space left on device", "out.parts/run.lock")) == 6
    shown = capsys.readouterr().err
    assert shown == "error: the disk is full: [Errno 28] No space left on device: 'out.parts/run.lock'\n"


def test_interrupt_exits_130(capsys):
    assert code_of(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_interrupt_of_a_bulk_command_mentions_resume(capsys):
    assert code_of(KeyboardInterrupt(), resumable=True) == 130
    assert capsys.readouterr().err == "interrupted: to continue, run the same command with --resume\n"


def test_a_run_that_says_how_to_go_on_is_quoted(capsys):
    stop = KeyboardInterrupt(Notice("3 of 9 parts finished", (Remedy("resume", True, "continue"),)))
    assert code_of(stop, resumable=True) == 130
    assert capsys.readouterr().err == "interrupted: 3 of 9 parts finished; pass --resume to continue\n"


def test_a_remedy_is_an_option(capsys):
    assert code_of(RunError("out exists", remedy=("choose another", Remedy("overwrite", True, "replace it")))) == 5
    assert capsys.readouterr().err == "error: out exists; choose another, or pass --overwrite to replace it\n"


def test_the_remedy_of_a_note_is_an_option(capsys):
    with printed_notes(quiet=False):
        note(Notice("no score", (Remedy("rc", False),)))
    assert capsys.readouterr().err == "warning: no score; pass --no-rc\n"


def test_an_unforeseen_error_asks_for_a_report_without_a_traceback(capsys):
    assert code_of(ZeroDivisionError("by zero")) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: unexpected ZeroDivisionError") and "by zero" in text
    assert "genolm doctor" in text and "GENOLM_DEBUG=1" in text and "Traceback" not in text


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_debug_shows_the_traceback(monkeypatch, capsys, value, shown):
    monkeypatch.setenv("GENOLM_DEBUG", value)
    assert code_of(InputError("bad")) == 3
    assert ("Traceback" in capsys.readouterr().err) is shown


def test_usage_errors_pass_through():
    def verb() -> None:
        raise typer.BadParameter("no")

    with pytest.raises(typer.BadParameter, match="no"):
        with_error_messages(verb)()


def test_a_broken_pipe_is_quiet():
    script = "import typer\nfrom genolm.cli.failures import with_error_messages\n"
    script += "@with_error_messages\ndef verb():\n    print('x\\n' * 100000)\n"
    script += "try:\n    verb()\nexcept typer.Exit as e:\n    raise SystemExit(e.exit_code)"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.read(2)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 141


def test_the_place_of_an_unforeseen_error_is_in_genolm(capsys, monkeypatch):
    import genolm.cli.text

    def verb() -> None:
        genolm.cli.text.print_table(3)  # type: ignore[arg-type]

    with pytest.raises(typer.Exit):
        with_error_messages(verb)()
    assert f"({Path(genolm.cli.text.__file__).name}:" in capsys.readouterr().err


def test_a_warning_is_one_line_without_a_place_in_the_code(capsys):
    def verb() -> None:
        warnings.warn("longer ones go through in windows", stacklevel=1)

    with_error_messages(verb)()
    assert capsys.readouterr() == ("", "warning: longer ones go through in windows\n")
