"""Tables of benchmark results in the documentation, generated from results/*.json and genolm-nano's training log.

    python -m benchmarks.page

rewrites the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->`` on each page. Missing results
are marked as not measured. A test compares the pages with the results.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import effects_page, nano_tables
from benchmarks.tables import markdown_table, replace_tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results"
LOG = "src/genolm/models/zoo/weights/genolm-nano/training-log.jsonl"
PAGES = (
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "docs" / "performance.md",
    ROOT / "docs" / "quickstart.zh.md",
    ROOT / "docs" / "concepts" / "reading-scores.md",
    ROOT / "docs" / "verbs" / "variants.md",
    ROOT / "docs" / "models" / "genolm-nano.md",
)
ABSENT = "not measured yet"

Measured = dict[str, Any]
Row = tuple[object, ...]


def filled(page: str, root: Path = ROOT) -> str:
    """Return the text of a page with all marked tables regenerated from the results in a repository."""
    return replace_tables(page, lambda name: TABLES[name](root))


def read(root: Path, name: str) -> Measured | None:
    """Return the contents of the result file ``NAME.json``; None if it does not exist."""
    path = root / RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _effects_line(language: str) -> Callable[[Path], str]:
    def line(root: Path) -> str:
        measured = read(root, "variant_effects")
        absent = _WORDS[language]["absent"]
        return f"{absent if measured is None else effects_page.line(measured, language)}\n"

    return line


def _effects(measured: Measured) -> str:
    subset = effects_page.subset(measured).strip()
    return markdown_table(*effects_page.brief(measured)) + (f"\n{subset}\n" if subset else "")


def _effects_all(measured: Measured) -> str:
    parts = [f"{title}:\n\n{markdown_table(head, rows)}" for title, head, rows in effects_page.everything(measured)]
    return "\n".join((*parts, effects_page.notes(measured)))


def _from(name: str, make: Callable[[Measured], str]) -> Callable[[Path], str]:
    """Return a function that makes a table from one result file, followed by the machine it was measured on."""

    def table(root: Path) -> str:
        measured = read(root, name)
        if measured is None:
            return f"{ABSENT.capitalize()}.\n"
        return f"{make(measured)}\n{_machine(name, measured['machine'])}\n"

    return table


def _machine(name: str, machine: Measured) -> str:
    about = [machine["processor"], f"{machine['threads']} threads", f"{machine['memory_gib']} GiB"]
    if machine["bf16_instructions"]:
        about.insert(1, "bf16 instructions")
    versions = ", ".join(f"{key} {value}" for key, value in machine["versions"].items() if key != "genolm")
    changed = " with uncommitted changes" if machine["uncommitted_changes"] else ""
    return f"`{RESULTS}/{name}.json`: {', '.join(about)}; {versions}; commit {machine['commit'][:9]}{changed}."


def _embedding(measured: Measured) -> str:
    head = ("bases", "genolm, seconds", "transformers, seconds", "setting of transformers", "speedup", "correlation")
    return markdown_table(head, map(_embedding_row, measured["timed"]))


def _embedding_row(one: Measured) -> Row:
    best = one["fastest_transformers_setting"]
    ours, theirs = (one["sides"][side]["median_seconds"] for side in ("genolm", best))
    return (
        f"{one['bases']:,}",
        f"{ours:.2f}",
        f"{theirs:.2f}",
        best,
        f"{one['speedup']:.2f}",
        f"{one['pooled_vector_correlation']:.4f}",
    )


def _memory(measured: Measured) -> str:
    rows = [
        (f"{one['bases']:,}", *(f"{one[name] / 1e9:.2f}" for name in ("weights_bytes", "peak_bytes", "above_weights")))
        for one in measured["memory"]
    ]
    return markdown_table(("bases", "weights, GB", "peak memory, GB", "peak minus weights, GB"), rows)


def _variants(measured: Measured) -> str:
    rates, plain = measured["rates"], measured["rates"]["plain"]
    rows: list[Row] = [("two full passes, transformers", plain["variants"], _rate(plain["per_second"]), 1, "-", 1)]
    for name, shown in (("conditional", "`conditional`"), ("full", "`full --horizon 512`")):
        one, trained = rates[name], measured["trained_weights"][f"{name}_correlation_with_plain"]
        speedup, same = f"{one['speedup']:,.0f}", f"{one['correlation_with_plain']:.3f}"
        rows.append((shown, f"{one['variants']:,}", _rate(one["per_second"]), speedup, same, f"{trained:.3f}"))
    head = ("method", "variants timed", "variants per second", "speedup", "correlation, random weights")
    return markdown_table((*head, "correlation, trained weights"), rows)


def _rate(per_second: float) -> str:
    return f"{per_second:.3g}"


def _tokenizing(measured: Measured) -> str:
    rows = [(f"{int(bases):,}", f"{speed:,}") for bases, speed in measured["megabytes_per_second"].items()]
    profile = dict(measured["embedding_profile_seconds"])
    total = profile.pop("total")
    shares = [(f"`{name}`", f"{seconds:.3f}", f"{seconds / total:.2%}") for name, seconds in profile.items()]
    speeds = markdown_table(("sequence length, bases", "MB/s on one core"), rows)
    return f"{speeds}\n{markdown_table(('step of an embedding', 'seconds', f'fraction of {total:.2f} s'), shares)}"


def _generation(measured: Measured) -> str:
    head = (
        "model",
        "precision",
        "decoding",
        "genolm, bases/s",
        "transformers, bases/s",
        "cache of transformers",
        "speedup",
        "identical tokens",
    )
    rows = []
    for one in measured["timed"]:
        best = one["fastest_of_transformers"]
        speeds = (f"{one['sides'][side]['bases_per_second']:,.0f}" for side in ("genolm", best))
        same = "-" if one["same_greedy_tokens"] is None else f"{one['same_greedy_tokens']:.0%}"
        rows.append((one["size"], one["precision"], one["drawing"], *speeds, best, f"{one['speedup']:.2f}", same))
    tokens = _each(one["new_tokens"] for one in measured["timed"])
    return f"{markdown_table(head, rows)}\n{tokens} new tokens per prompt.\n"


def _single_bases(measured: Measured) -> str:
    rows = [
        (
            one["size"],
            one["precision"],
            *(f"{one['parameters'][side]:,}" for side in ("byte pairs", "single bases")),
            *(f"{one['sides'][side]['bases_per_second']:,.0f}" for side in ("byte pairs", "single bases")),
            f"{one['advantage']:.2f}",
        )
        for one in measured["single_bases"]
    ]
    parameters = ("parameters, BPE", "parameters, single bases")
    table = markdown_table(("shape", "precision", *parameters, "BPE, bases/s", "single bases, bases/s", "ratio"), rows)
    return f"{table}\n{_each(one['new_bases'] for one in measured['single_bases'])} new bases per prompt.\n"


def _each(numbers: Iterable[int]) -> str:
    """Return the distinct numbers as text."""
    return " and ".join(f"{number:,}" for number in sorted(set(numbers)))


def _startup(measured: Measured) -> str:
    commands = measured["commands"].items()
    return markdown_table(
        ("command", "seconds"), [(f"`{name}`", f"{one['median_seconds']:.2f}") for name, one in commands]
    )


_NANO_ROWS = {
    "genolm-nano": "genolm-nano",
    "best_markov": "best Markov model",
    "difference": "genolm-nano − best Markov model",
    "predecessor": "previous genolm-nano",
    "difference_to_predecessor": "genolm-nano − previous genolm-nano",
    "untrained": "untrained model",
}


def _nano(measured: Measured) -> str:
    splits = measured["splits"]
    rows: list[Row] = [
        (f"predicted bases{_windows(measured['every'])}", *(f"{one['predicted_bases']:,}" for one in splits.values()))
    ]
    for name, shown in _NANO_ROWS.items():
        if all(name in one for one in splits.values()):
            rows.append((shown, *(_interval(one[name]) for one in splits.values())))
    return markdown_table(("bits per base", *splits), rows)


def _windows(every: int) -> str:
    return "" if every == 1 else f" (1 in {every} windows)"


def _interval(one: Measured) -> str:
    low, high = (_signed(value) for value in one["interval_95"])
    order = f", order {one['order']}" if "order" in one else ""
    return f"{_signed(one['bits_per_base'])} ({low} to {high}){order}"


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


def _orders(measured: Measured) -> str:
    splits = measured["splits"]
    orders = next(iter(splits.values()))["markov"]
    return markdown_table(
        ("order", *splits), [(k, *(f"{one['markov'][k]:.4f}" for one in splits.values())) for k in orders]
    )


def _bases(measured: Measured) -> str:
    rows = [(name, f"{count:,}") for name, count in measured["bases"].items()]
    return markdown_table(("split", "bases"), [*rows, ("dropped by the leak filter", f"{measured['dropped']:,}")])


def _gengram(measured: Measured) -> str:
    rows: list[Row] = []
    for work, shown in (("inference", "forward pass"), ("training", "training step")):
        one = measured[work]
        for form in ("genolm", "released form"):
            if form not in one["sides"]:
                continue
            alone = one.get("alone_over_plain_pass", {}).get(form)
            seconds = [f"{one['sides'][side]['median_seconds']:.2f}" for side in ("without", form)]
            share = "-" if alone is None else f"{alone:.1%}"
            rows.append((shown, form, f"{one['bases']:,}", *seconds, f"{one['added'][form]:+.1%}", share))
    head = ("task", "memory", "bases", "without, seconds", "with, seconds", "increase", "memories alone")
    return markdown_table(head, rows)


def _encoder(measured: Measured) -> str:
    head = (
        "batch",
        "precision",
        "genolm, tokens/s",
        "transformers, tokens/s",
        "speedup, same precision",
        "speedup over fp32 transformers",
    )
    rows = []
    for name, batch in measured["batches"].items():
        speeds = batch["tokens_per_second"]
        for precision, equal in batch["speedup_at_equal_precision"].items():
            ours, theirs = (speeds[f"{side} {precision}"] for side in ("genolm", "transformers"))
            over = ours / speeds["transformers fp32"]
            rows.append((name, precision, f"{ours:,}", f"{theirs:,}", f"{equal:.2f}", f"{over:.2f}"))
    return markdown_table(head, rows)


def _bigbird(measured: Measured) -> str:
    head = ("precision", "tokens", "genolm, seconds", "dense, seconds", "transformers, seconds", "dense / genolm")
    rows = [
        _bigbird_row(precision, one, memory)
        for precision, part in measured["precisions"].items()
        for one, memory in zip(part["timed"], part["memory"], strict=True)
    ]
    table = markdown_table((*head, "transformers / genolm", "peak minus weights, GB"), rows)
    return "\n".join((table, *(_growth(precision, part) for precision, part in measured["precisions"].items())))


def _bigbird_row(precision: str, one: Measured, memory: Measured) -> Row:
    seconds = [one["sides"].get(side, {}).get("median_seconds") for side in ("genolm", "dense", "transformers")]
    times = [one["times_as_long"].get(side) for side in ("dense", "transformers")]
    shown = ["-" if value is None else f"{value:.2f}" for value in (*seconds, *times)]
    return precision, f"{one['tokens']:,}", *shown, f"{memory['above_weights'] / 1e9:.2f}"


def _growth(precision: str, part: Measured) -> str:
    growth = part["growth"]
    return (
        f"{precision}: with {growth['tokens']:g} times as many tokens, time increases {growth['seconds']:.1f}-fold and"
        f" memory beyond the weights {growth['peak_memory_above_weights']:.1f}-fold.{_cold(part['timed'])}\n"
    )


def _cold(timed: list[Measured]) -> str:
    """Return a note on the lengths that were timed without a warm-up round."""
    cold = [f"{one['tokens']:,}" for one in timed if not one["rounds_to_warm_up"]]
    return (
        f" {' and '.join(cold)} tokens were timed without a warm-up round and may be slower for that reason."
        if cold
        else ""
    )


def _pretraining(measured: Measured) -> str:
    rates, speedups = measured["tokens_per_second"], measured["speedup"]
    rows = [(side, f"{rate:,.0f}", f"{speedups[side]:.2f}") for side, rate in rates.items()]
    share = f"Data loading takes {measured['loader_share_of_a_step']:.2%} of a step, in a separate thread."
    return f"{markdown_table(('implementation', 'tokens per second', 'relative to transformers'), rows)}\n{share}\n"


def _training(root: Path) -> str:
    path = root / LOG
    if not path.is_file():
        return f"{ABSENT.capitalize()}.\n"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    learned = {line["step"]: line["bits_per_base"] for line in lines if "bits_per_base" in line}
    held_out = [(line["step"], line["held_out_bits_per_base"]) for line in lines if "held_out_bits_per_base" in line]
    splits = list(held_out[-1][1]) if held_out else []
    rows = [(f"{step:,}", learned.get(step, "-"), *(bits[name] for name in splits)) for step, bits in held_out]
    return f"{markdown_table(('step', 'training batch', *splits), rows)}\n`{LOG}`.\n"


_WORDS = {
    "en": {
        "head": ("benchmark", "result", "file"),
        "processors": "Processor: {names}. On another one the ratios may differ.",
        "embed": "embedding {bases} bases, genos-1.2b shape, bf16, CPU",
        "times": "{ours} s; {speedup} × as fast as transformers in its fastest setting",
        "peak": "peak memory for {bases} bases",
        "above": "weights + {above} GB",
        "conditional": "1,000 SNVs within 100 kb, `conditional`",
        "full": "SNVs at the same density, `full --horizon 512`",
        "rate": "{rate} per second; {speedup} × as fast as two full passes",
        "tokens": "tokenization, one core",
        "start": "`genolm --help`",
        "nano": "genolm-nano on held-out chr22",
        "bits": "{ours} bits per base; best Markov model {markov}",
        "absent": ABSENT,
    },
    "zh": {
        "head": ("项目", "实测", "数据文件"),
        "processors": "处理器：{names}。在其他处理器上，倍数可能不同。",
        "embed": "嵌入 {bases} 个碱基，genos-1.2b 结构，bf16，CPU",
        "times": "{ours} 秒；是 transformers 最快设置的 {speedup} 倍",
        "peak": "其峰值内存（{bases} 个碱基）",
        "above": "权重 + {above} GB",
        "conditional": "100 kb 内 1,000 个 SNV，`conditional`",
        "full": "同样密度的 SNV，`full --horizon 512`",
        "rate": "每秒 {rate} 个；是两次完整前向的 {speedup} 倍",
        "tokens": "分词，单核",
        "start": "`genolm --help`",
        "nano": "genolm-nano，留出的 chr22",
        "bits": "每碱基 {ours} 比特；最佳马尔可夫模型 {markov}",
        "absent": "尚未测量",
    },
}


def _summary(language: str) -> Callable[[Path], str]:
    words: dict[str, Any] = _WORDS[language]

    def table(root: Path) -> str:
        rows = [row for make in _SUMMARIES for row in make(words, root)]
        return f"{markdown_table(words['head'], rows)}\n{words['processors'].format(names=_processors(root))}\n"

    return table


def _processors(root: Path) -> str:
    """Return the processors on which the results of the summary were measured."""
    found = (read(root, name) for name in ("embedding", "variants", "tokenizing", "startup", "nano"))
    names = {measured["machine"]["processor"] for measured in found if measured is not None}
    return ", ".join(sorted(names)) or "-"


def _summary_embedding(words: Measured, root: Path) -> Iterable[Row]:
    measured = read(root, "embedding")
    if measured is None:
        yield _absent(words, words["embed"].format(bases="8,192"), "embedding")
        return
    for one in measured["timed"]:
        ours = f"{one['sides']['genolm']['median_seconds']:.2f}"
        text = words["times"].format(ours=ours, speedup=f"{one['speedup']:.2f}")
        yield words["embed"].format(bases=f"{one['bases']:,}"), text, _file("embedding")
    last = measured["memory"][-1]
    above = words["above"].format(above=f"{last['above_weights'] / 1e9:.2f}")
    yield words["peak"].format(bases=f"{last['bases']:,}"), above, _file("embedding")


def _summary_variants(words: Measured, root: Path) -> Iterable[Row]:
    measured = read(root, "variants")
    for method in ("conditional", "full"):
        if measured is None:
            yield _absent(words, words[method], "variants")
            continue
        one = measured["rates"][method]
        text = words["rate"].format(rate=_rate(one["per_second"]), speedup=f"{one['speedup']:,.0f}")
        yield words[method], text, _file("variants")


def _summary_tokenizing(words: Measured, root: Path) -> Iterable[Row]:
    measured = read(root, "tokenizing")
    if measured is None:
        yield _absent(words, words["tokens"], "tokenizing")
    else:
        speeds = measured["megabytes_per_second"].values()
        yield words["tokens"], f"{min(speeds):,} – {max(speeds):,} MB/s", _file("tokenizing")


def _summary_startup(words: Measured, root: Path) -> Iterable[Row]:
    measured = read(root, "startup")
    if measured is None:
        yield _absent(words, words["start"], "startup")
    else:
        seconds = measured["commands"]["genolm --help"]["median_seconds"]
        yield words["start"], f"{seconds:.2f} s", _file("startup")


def _summary_nano(words: Measured, root: Path) -> Iterable[Row]:
    measured = read(root, "nano")
    if measured is None:
        yield _absent(words, words["nano"], "nano")
        return
    test = measured["splits"]["test"]
    ours, markov = (f"{test[name]['bits_per_base']:.3f}" for name in ("genolm-nano", "best_markov"))
    yield words["nano"], words["bits"].format(ours=ours, markov=markov), _file("nano")


def _absent(words: Measured, benchmark: str, name: str) -> Row:
    return benchmark, words["absent"], _file(name)


def _file(name: str) -> str:
    return f"`{name}.json`"


_SUMMARIES = (_summary_embedding, _summary_variants, _summary_tokenizing, _summary_startup, _summary_nano)
TABLES: dict[str, Callable[[Path], str]] = {
    "embedding": _from("embedding", _embedding),
    "memory": _from("embedding", _memory),
    "variants": _from("variants", _variants),
    "tokenizing": _from("tokenizing", _tokenizing),
    "generation": _from("generation", _generation),
    "generation short": _from("generation-short", _generation),
    "generation xeon": _from("generation-xeon", _generation),
    "single bases": _from("generation", _single_bases),
    "startup": _from("startup", _startup),
    "gengram": _from("gengram", _gengram),
    "encoder": _from("encoder", _encoder),
    "encoder xeon": _from("encoder-xeon", _encoder),
    "kernels": _from("kernels", nano_tables.kernels),
    "nano speed": _from("nano_speed", nano_tables.speed),
    "nano precision": _from("nano_precision", nano_tables.precision),
    "bigbird": _from("bigbird", _bigbird),
    "pretraining": _from("pretraining", _pretraining),
    "nano": _from("nano", _nano),
    "nano orders": _from("nano", _orders),
    "nano bases": _from("nano", _bases),
    "nano training": _training,
    "effects": _from("variant_effects", _effects),
    "effects all": _from("variant_effects", _effects_all),
    "effects line": _effects_line("en"),
    "effects line zh": _effects_line("zh"),
    "summary": _summary("en"),
    "summary zh": _summary("zh"),
}


def main() -> None:
    """Regenerate the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
