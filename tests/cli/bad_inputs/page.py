"""The table of ``docs/bad-input.md``; ``python -m tests.cli.bad_inputs.page`` writes it anew."""

from pathlib import Path

from tests.cli.bad_inputs import CASES
from tests.cli.bad_inputs.case import Case

PAGE = Path(__file__).resolve().parents[3] / "docs" / "bad-input.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def with_table(page: str) -> str:
    """The page with the table between its markers made anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def table() -> str:
    """One row for each kind."""
    rows = ["| kind | command | message | exit code |", "|---|---|---|---|", *(_row(case) for case in CASES)]
    return "".join(f"{row}\n" for row in rows)


def _row(case: Case) -> str:
    return f"| {plain_text(case.kind)} | {code(f'genolm {case.command}')} | {code(case.message)} | {case.code} |"


def plain_text(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")


def code(text: str) -> str:
    """A command or a message as code; bytes that are not UTF-8 are written as ``\\udce9``."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    marks = "``" if "`" in text else "`"
    return f"{marks}{text.replace('|', chr(92) + '|')}{marks}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
