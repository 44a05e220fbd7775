"""The table of ``docs/unusual-input.md``; ``python -m tests.cli.unusual_inputs.page`` writes it anew."""

from pathlib import Path

from tests.cli.bad_inputs.page import BEGIN, END, code, plain_text
from tests.cli.unusual_inputs import CASES
from tests.cli.unusual_inputs.case import Unusual

PAGE = Path(__file__).resolve().parents[3] / "docs" / "unusual-input.md"


def with_table(page: str) -> str:
    """The page with the table between its markers made anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def table() -> str:
    """One row for each kind."""
    rows = ["| kind | command | outcome |", "|---|---|---|", *(_row(case) for case in CASES)]
    return "".join(f"{row}\n" for row in rows)


def _row(case: Unusual) -> str:
    return f"| {plain_text(case.kind)} | {code(f'genolm {case.command}')} | {plain_text(case.outcome)} |"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
