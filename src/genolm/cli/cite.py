"""BibTeX entries of genolm and of the papers of its model families."""

from __future__ import annotations

from typing import Annotated

from genolm.errors import ModelError
from genolm.files.version import __version__
from genolm.parameters import Completed
from genolm.verbs import verb

_GENOLM = """@software{{genolm,
  author  = {{{{The genolm developers}}}},
  title   = {{genolm: genome language models in one typed package}},
  version = {{{version}}},
  license = {{Apache-2.0}}
}}"""

_GENOS = """@article{genos,
  author  = {{Genos Team}},
  title   = {Genos: a human-centric genomic foundation model},
  journal = {GigaScience},
  year    = {2025},
  pages   = {giaf132},
  doi     = {10.1093/gigascience/giaf132}
}"""

_GENGRAM = """@misc{gengram,
  author        = {Xu, H. and others},
  title         = {Gengram: Retrieval-Augmented Genomic Foundation Models},
  year          = {2026},
  eprint        = {2601.22203},
  archivePrefix = {arXiv}
}"""

_GENA_LM = """@article{gena_lm,
  author  = {Fishman, Veniamin and Kuratov, Yuri and Shmelev, Aleksei and Petrov, Maxim and Penzar, Dmitry and
             Shepelin, Denis and Chekanov, Nikolay and Kardymon, Olga and Burtsev, Mikhail},
  title   = {GENA-LM: a family of open-source foundational DNA language models for long sequences},
  journal = {Nucleic Acids Research},
  volume  = {53},
  number  = {2},
  pages   = {gkae1310},
  year    = {2025},
  doi     = {10.1093/nar/gkae1310}
}"""

_MODERNGENA = """@misc{moderngena,
  title        = {ModernGENA},
  howpublished = {OpenReview},
  url          = {https://openreview.net/forum?id=8QsSDzYK97}
}"""

_GENOMEOCEAN = """@article{genomeocean,
  author  = {Zhou, Zhihan and Riley, Robert and others},
  title   = {GenomeOcean: An Efficient Genome Foundation Model Trained on Large-Scale Metagenomic Assemblies},
  journal = {bioRxiv},
  year    = {2025},
  doi     = {10.1101/2025.01.30.635558}
}"""

FAMILIES: dict[str, str] = {
    "genos": _GENOS,
    "gengram": _GENGRAM,
    "gena-lm": _GENA_LM,
    "moderngena": _MODERNGENA,
    "genomeocean": _GENOMEOCEAN,
}


@verb(example="genolm cite genos-1.2b")
def cite(model: Annotated[str | None, Completed("model")] = None) -> str:
    """Print BibTeX entries for genolm and for a model.

    Args:
        model: Model or family whose paper to cite.

    Returns:
        BibTeX entries, separated by empty lines.

    Raises:
        ModelError: the model belongs to no family with a known paper.
    """
    entries = [_GENOLM.format(version=__version__)]
    if model is not None and not model.startswith(("genolm", "tiny-random")):
        entries.append(FAMILIES[_family(model)])
    return "\n\n".join(entries)


def _family(model: str) -> str:
    name = model.rpartition("/")[2].lower().replace("_", "-")
    for family in FAMILIES:
        if name.startswith(family):
            return family
    raise ModelError(f"no known paper for {model!r}; expected a model of one of the families {', '.join(FAMILIES)}")
