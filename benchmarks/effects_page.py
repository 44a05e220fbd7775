"""Tables and sentences about clinically classified variants, generated from results/variant_effects.json."""

from __future__ import annotations

from typing import Any

Measured = dict[str, Any]
Row = tuple[object, ...]
DEFAULT = "genolm-nano full, one strand"  # what `genolm variants` computes without options
SHOWN = {
    DEFAULT: "genolm-nano `full` (the default)",
    "genolm-nano full": "genolm-nano `full --rc`",
    "genolm-nano conditional, one strand": "genolm-nano `conditional`",
    "genolm-nano conditional": "genolm-nano `conditional --rc`",
    "Markov full": "Markov model, as `full --rc`",
    "Markov conditional": "Markov model, as `conditional --rc`",
    "random weights full": "untrained model, `full --rc`",
    "random weights conditional": "untrained model, `conditional --rc`",
    "CpG transition": "C to T in CpG",
    "transversion": "transversion",
    "frameshift": "length change not a multiple of 3",
    "length change": "length change in bases",
    "region": "region of the gene",
}
KINDS = {"SNV": "SNVs", "indel": "indels", "insertion": "insertions", "deletion": "deletions"}
BRIEF = (("SNV", "all"), ("SNV", "held out"), ("insertion", "all"), ("deletion", "all"))
LINES = {
    "en": (
        "`genolm-nano`'s scores are **{snv} at separating pathogenic from benign SNVs**: AUROC {snv_figure} on {snvs}"
        " clinically classified SNVs (0.5 is chance; the gene region alone: {region}). The AUROC is {insertion} on"
        " {insertions} insertions and {deletion} on {deletions} deletions (whether the length change is a multiple of"
        " three: {frameshift}).",
        {"none": "no better than chance", "above": "better than chance", "below": "worse than chance"},
        "{value} ({low} to {high})",
    ),
    "zh": (
        "在区分致病与良性 SNV 时，`genolm-nano` 的分数**{snv}**："
        "在 {snvs} 个有临床分类的 SNV 上 AUROC 为 {snv_figure}，"
        "0.5 即随机；只看基因区域的规则为 {region}。在 {insertions} 个插入上为 {insertion}，"
        "在 {deletions} 个缺失上为 {deletion}；只看其长度是否为 3 的倍数为 {frameshift}。",
        {"none": "不优于随机猜测", "above": "优于随机猜测", "below": "差于随机猜测"},
        "{value}（{low} 至 {high}）",
    ),
}


def line(measured: Measured, language: str) -> str:
    """Return a summary of how well the default score separates the classes."""
    text, verdicts, figure = LINES[language]
    snv, indel = (measured["groups"][kind]["all"]["auroc"] for kind in ("SNV", "indel"))
    shown = {
        "snv_figure": snv[DEFAULT],
        "region": snv["region"],
        **{kind: measured["groups"][kind]["all"]["auroc"][DEFAULT] for kind in ("insertion", "deletion")},
        "frameshift": indel["frameshift"],
    }
    return text.format(
        snv=verdicts[_verdict(snv[DEFAULT])],
        snvs=f"{snv[DEFAULT]['LP'] + snv[DEFAULT]['LB']:,}",
        **{f"{kind}s": f"{shown[kind]['LP'] + shown[kind]['LB']:,}" for kind in ("insertion", "deletion")},
        **{name: _figure(one, figure) for name, one in shown.items()},
    )


def _verdict(one: Measured) -> str:
    low, high = one["interval_loci"]
    if low > 0.5:
        return "above"
    return "below" if high < 0.5 else "none"


def _figure(one: Measured | None, form: str = "{value} ({low} to {high})", signed: bool = False) -> str:
    if one is None or one["value"] is None:
        return "-"
    spell = (lambda number: f"{number:+.2f}".replace("-", "−")) if signed else "{:.2f}".format
    low, high = map(spell, one["interval_loci"])
    return form.format(value=spell(one["value"]), low=low, high=high)


def brief(measured: Measured) -> tuple[Row, list[Row]]:
    """Return head and rows of the table of the main groups' AUROCs."""
    groups = [measured["groups"][kind][part] for kind, part in BRIEF]
    counts = [f"{group['LP']:,} pathogenic, {group['LB']:,} benign" for group in groups]
    head = ("", *(f"{KINDS[kind]}{', held-out sequence' if part != 'all' else ''}" for kind, part in BRIEF))
    rows: list[Row] = [("variants", *counts)]
    names = [name for name in SHOWN if any(name in group["auroc"] for group in groups)]
    rows += [(SHOWN[name], *(_figure(group["auroc"].get(name)) for group in groups)) for name in names]
    return head, rows


def everything(measured: Measured) -> list[tuple[str, Row, list[Row]]]:
    """Return title, head and rows for each kind of variant: all measures in all parts, then paired differences."""
    tables = []
    for kind, parts in measured["groups"].items():
        counts = [f"{group['LP']:,} / {group['LB']:,} in {group['loci']:,} loci" for group in parts.values()]
        rows: list[Row] = [("pathogenic / benign", *counts)]
        names = [name for name in SHOWN if name in parts["all"]["auroc"]]
        rows += [(SHOWN[name], *(_figure(group["auroc"][name]) for group in parts.values())) for name in names]
        for index, pair in enumerate(parts["all"]["differences"]):
            shown = f"{SHOWN[pair['of']]} − {SHOWN[pair['minus']]}"
            rows.append((shown, *(_figure(group["differences"][index], signed=True) for group in parts.values())))
        tables.append((KINDS[kind].capitalize().replace("Snvs", "SNVs"), ("AUROC", *parts), rows))
    return tables


def notes(measured: Measured) -> str:
    """Return notes on the tables: the genes of the pathogenic variants, and median scores."""
    middle, snvs = measured["median_score_nats"]["SNV"]["genolm-nano full"], measured["groups"]["SNV"]["all"]
    genes = " and ".join(f"{name} ({count})" for name, count in snvs["most_pathogenic_loci"].items())
    medians = " and ".join(f"{middle[cls]:.2f}".replace("-", "−") for cls in ("LP", "LB"))
    return (
        f"The pathogenic variants are in few genes ({snvs['LP']:,} SNVs, most of them in {genes}), so confidence"
        f" intervals are computed by resampling genes (outside genes: 100 kb bins). {subset(measured)}Median scores of"
        f" pathogenic and benign SNVs (`full --rc`): {medians} nats.\n"
    )


def subset(measured: Measured) -> str:
    """Return a note if the slow methods scored only a subset of the benign SNVs."""
    count = measured["benign_snvs_of_full"]
    return f"`full` and the untrained model scored a fixed random sample of {count:,} benign SNVs. " if count else ""
