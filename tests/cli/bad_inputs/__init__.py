"""The kinds of bad input that the tests run and ``docs/bad-input.md`` lists, in the order of that page."""

from tests.cli.bad_inputs import (
    corpora,
    explained,
    first_hour,
    folders,
    generation,
    genomic,
    models,
    options,
    runs,
    scans,
    sequences,
    token_recipes,
    tokenizers,
    variant_files,
    variants,
)
from tests.cli.bad_inputs.case import Case

CASES: tuple[Case, ...] = (
    *sequences.CASES,
    *variants.CASES,
    *variant_files.CASES,
    *models.CASES,
    *options.CASES,
    *generation.CASES,
    *runs.CASES,
    *token_recipes.CASES,
    *scans.CASES,
    *corpora.CASES,
    *tokenizers.CASES,
    *explained.CASES,
    *genomic.CASES,
    *first_hour.CASES,
    *folders.CASES,
)
