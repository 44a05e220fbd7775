"""Figures on documentation pages are those of benchmarks/results; missing results are marked as such."""

import json

import pytest
from benchmarks.page import LOG, PAGES, RESULTS, TABLES, filled

MACHINE = {
    "processor": "Some CPU",
    "bf16_instructions": True,
    "threads": 2,
    "memory_gib": 25.3,
    "versions": {"genolm": "0.1.0", "torch": "2.13.0"},
    "commit": "0123456789abcdef",
    "uncommitted_changes": False,
}
TIMED = {
    "bases": 8192,
    "sides": {"genolm": {"median_seconds": 2.0}, "eager": {"median_seconds": 3.2}},
    "fastest_transformers_setting": "eager",
    "speedup": 1.6,
    "pooled_vector_correlation": 0.99991,
}
PEAK = {"bases": 32768, "weights_bytes": 2_490_000_000, "peak_bytes": 3_590_000_000, "above_weights": 1_100_000_000}
RATE = {"variants": 1000, "per_second": 41.26, "speedup": 210.4, "correlation_with_plain": 0.412}
MODEL = {"bits_per_base": 1.70123, "interval_95": [1.6991, 1.7042]}
DIFFERENCE = {"bits_per_base": -0.1, "interval_95": [-0.11, -0.09]}
SPLIT = {
    "predicted_bases": 6_000_128,
    "genolm-nano": MODEL,
    "best_markov": {"order": 11, "bits_per_base": 1.80123, "interval_95": [1.79, 1.81]},
    "difference": DIFFERENCE,
    "untrained": {"bits_per_base": 2.0, "interval_95": [2.0, 2.0]},
    "markov": {"0": 1.98, "11": 1.80123},
}
MEASURED = {
    "embedding": {"timed": [TIMED], "memory": [PEAK]},
    "variants": {
        "rates": {"plain": {"variants": 6, "per_second": 0.19}, "conditional": RATE, "full": RATE},
        "trained_weights": {"conditional_correlation_with_plain": 0.5, "full_correlation_with_plain": 0.9},
    },
    "tokenizing": {
        "megabytes_per_second": {"1000": 90, "10000000": 1234},
        "embedding_profile_seconds": {"total": 2.0, "encode": 0.01},
    },
    "generation": {
        "timed": [
            {
                "size": "tiny",
                "precision": "float32",
                "drawing": "greedy",
                "sides": {"genolm": {"bases_per_second": 7500.4}, "dynamic cache": {"bases_per_second": 5000.0}},
                "fastest_of_transformers": "dynamic cache",
                "speedup": 1.50008,
                "new_tokens": 64,
                "same_greedy_tokens": 0.4268,
            }
        ],
        "single_bases": [
            {
                "size": "tiny",
                "precision": "float32",
                "parameters": {"byte pairs": 655_680, "single bases": 655_000},
                "sides": {"byte pairs": {"bases_per_second": 7500.4}, "single bases": {"bases_per_second": 1500.0}},
                "advantage": 5.0003,
                "new_bases": 320,
            }
        ],
    },
    "startup": {"commands": {"genolm --help": {"median_seconds": 0.1234}}},
    "gengram": {
        "inference": {
            "bases": 8192,
            "sides": {
                name: {"median_seconds": s}
                for name, s in (("without", 10.0), ("genolm", 10.2), ("released form", 11.5))
            },
            "added": {"genolm": 0.02, "released form": 0.15},
            "alone_over_plain_pass": {"genolm": 0.018, "released form": 0.14},
        },
        "training": {
            "bases": 4096,
            "sides": {"without": {"median_seconds": 30.0}, "genolm": {"median_seconds": 31.5}},
            "added": {"genolm": 0.05},
        },
    },
    "encoder": {
        "batches": {
            "rows of 512 tokens": {
                "tokens_per_second": {
                    "genolm fp32": 1000,
                    "transformers fp32": 800,
                    "genolm bf16": 3200,
                    "transformers bf16": 2000,
                },
                "speedup_at_equal_precision": {"fp32": 1.25, "bf16": 1.6},
            }
        }
    },
    "bigbird": {
        "precisions": {
            "bfloat16": {
                "timed": [
                    {
                        "tokens": 16384,
                        "sides": {"genolm": {"median_seconds": 10.0}, "dense": {"median_seconds": 45.0}},
                        "times_as_long": {"dense": 4.5},
                        "rounds_to_warm_up": 0,
                    }
                ],
                "memory": [{"above_weights": 480_000_000}],
                "growth": {"tokens": 8.0, "seconds": 8.13, "peak_memory_above_weights": 7.9},
            }
        }
    },
    "pretraining": {
        "tokens_per_second": {"genolm": 9000.4, "transformers, AdamW": 4500.0},
        "speedup": {"genolm": 2.0001, "transformers, AdamW": 1.0},
        "loader_share_of_a_step": 0.001,
    },
    "nano": {
        "every": 4,
        "bases": {"train": 29_000_000},
        "dropped": 257_000,
        "splits": {"validation": SPLIT, "test": SPLIT},
    },
}
AREA = {"value": 0.5123, "LP": 800, "LB": 4000, "interval_variants": [0.5, 0.52], "interval_loci": [0.4512, 0.5649]}
GROUP = {
    "LP": 850,
    "LB": 4100,
    "loci": 120,
    "most_pathogenic_loci": {"BRCA2": 300, "BRCA1": 200},
    "auroc": {
        "genolm-nano full, one strand": AREA,
        "genolm-nano full": {"value": None, "LP": 0, "LB": 3},
        "frameshift": {**AREA, "value": 0.8, "interval_loci": [0.75, 0.86]},
        "region": {**AREA, "value": 0.7, "interval_loci": [0.6, 0.8]},
    },
    "differences": [
        {"of": "genolm-nano full", "minus": "region", **AREA, "value": -0.2, "interval_loci": [-0.3, -0.1]}
    ],
}
MEASURED["variant_effects"] = {
    "groups": {kind: {"all": GROUP, "held out": GROUP} for kind in ("SNV", "indel", "insertion", "deletion")},
    "median_score_nats": {"SNV": {"genolm-nano full": {"LP": -0.25, "LB": 0.1}}},
    "benign_snvs_of_full": None,
}
MEASURED["encoder-xeon"] = MEASURED["encoder"]
MEASURED["kernels"] = {
    "timings": [
        {
            "network": "nano",
            "case": "linear float32",
            "chosen": "onednn",
            "milliseconds": {"torch": 0.8512, "onednn": 0.42},
        }
    ]
}
RATES = {
    "rates": {"before": [100.0, 90.0, 110.0], "now": [250.0, 260.0, 240.0]},
    "ratios": [2.5, 2.9, 2.2],
    "speedup": 2.5,
}
MEASURED["nano_speed"] = {
    "before": "0123456789abcdef",
    **dict.fromkeys(("score_rate", "variant_rate", "training_rate"), RATES),
}
DEVIATION = {
    "values": 1000,
    "standard_deviation": 1.2,
    "mean_difference": 0.01,
    "largest_difference": 0.09,
    "pearson": 0.9999,
    "spearman": 0.9998,
    "same_sign": 0.995,
}
VECTORS = {"vectors": 500, "largest_relative_distance": 0.0012, "same_nearest_neighbour": 0.95}
MEASURED["nano_precision"] = {
    "deviation": {"bits per base": DEVIATION, "variants, full": DEVIATION, "embeddings": VECTORS}
}
MEASURED["generation-short"] = MEASURED["generation-xeon"] = MEASURED["generation"]
LINES = {
    "embedding": "| 8,192 | 2.00 | 3.20 | eager | 1.60 | 0.9999 |",
    "memory": "| 32,768 | 2.49 | 3.59 | 1.10 |",
    "variants": "| `conditional` | 1,000 | 41.3 | 210 | 0.412 | 0.500 |",
    "tokenizing": "| 10,000,000 | 1,234 |",
    "generation": "| tiny | float32 | greedy | 7,500 | 5,000 | dynamic cache | 1.50 | 43% |",
    "generation short": "| tiny | float32 | greedy | 7,500 | 5,000 | dynamic cache | 1.50 | 43% |",
    "generation xeon": "| tiny | float32 | greedy | 7,500 | 5,000 | dynamic cache | 1.50 | 43% |",
    "single bases": "| tiny | float32 | 655,680 | 655,000 | 7,500 | 1,500 | 5.00 |",
    "startup": "| `genolm --help` | 0.12 |",
    "gengram": "| training step | genolm | 4,096 | 30.00 | 31.50 | +5.0% | - |",
    "encoder": "| rows of 512 tokens | bf16 | 3,200 | 2,000 | 1.60 | 4.00 |",
    "encoder xeon": "| rows of 512 tokens | bf16 | 3,200 | 2,000 | 1.60 | 4.00 |",
    "kernels": "| nano | linear float32 | torch 0.851, onednn 0.42 | **onednn** |",
    "nano speed": "| training, bases per second | 100 | 250 | 2.50 (2.20 to 2.90) |",
    "nano precision": "| variants, full | 1000 | 1.2 | 0.01 | 0.09 | 0.9999 | 0.9998 | 99.50% |",
    "bigbird": "| bfloat16 | 16,384 | 10.00 | 45.00 | - | 4.50 | - | 0.48 |",
    "pretraining": "| genolm | 9,000 | 2.00 |",
    "nano": "| best Markov model | 1.8012 (1.7900 to 1.8100), order 11 | 1.8012 (1.7900 to 1.8100), order 11 |",
    "nano orders": "| 11 | 1.8012 | 1.8012 |",
    "nano bases": "| dropped by the leak filter | 257,000 |",
    "nano training": "| 100 | 1.9 | 1.83 |",
    "effects": "| genolm-nano `full` (the default) |" + " 0.51 (0.45 to 0.56) |" * 4,
    "effects all": "| genolm-nano `full --rc` − region of the gene | −0.20 (−0.30 to −0.10) | −0.20 (−0.30 to −0.10) |",
    "effects line": (
        "`genolm-nano`'s scores are **no better than chance at separating pathogenic from benign SNVs**:"
        " AUROC 0.51 (0.45 to 0.56) on 4,800 clinically classified SNVs"
        " (0.5 is chance; the gene region alone: 0.70 (0.60 to 0.80))."
        " The AUROC is 0.51 (0.45 to 0.56) on 4,800 insertions and 0.51 (0.45 to 0.56) on 4,800 deletions"
        " (whether the length change is a multiple of three: 0.80 (0.75 to 0.86))."
    ),
    "effects line zh": (
        "在区分致病与良性 SNV 时，`genolm-nano` 的分数**不优于随机猜测**：在 4,800 个有临床分类的 SNV 上 AUROC 为"
        " 0.51（0.45 至 0.56），0.5 即随机；只看基因区域的规则为 0.70（0.60 至 0.80）。在 4,800 个插入上为"
        " 0.51（0.45 至 0.56），在 4,800 个缺失上为 0.51（0.45 至 0.56）；"
        "只看其长度是否为 3 的倍数为 0.80（0.75 至 0.86）。"
    ),
    "summary": (
        "| 1,000 SNVs within 100 kb, `conditional` | 41.3 per second; 210 × as fast as two full passes"
        " | `variants.json` |"
    ),
    "summary zh": "| genolm-nano，留出的 chr22 | 每碱基 1.701 比特；最佳马尔可夫模型 1.801 | `nano.json` |",
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / RESULTS).mkdir(parents=True)
    for name, values in MEASURED.items():
        (tmp_path / RESULTS / f"{name}.json").write_text(json.dumps({"machine": MACHINE, **values}))
    log = [
        {"step": 100, "bits_per_base": 1.9, "gradient_norm": 1.0},
        {"step": 100, "held_out_bits_per_base": {"test": 1.83}},
    ]
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).write_text("".join(f"{json.dumps(line)}\n" for line in log))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_what_was_measured(page):
    text = page.read_text(encoding="utf-8")
    assert text == filled(text), "regenerate the tables: python -m benchmarks.page"


def test_every_table_stands_on_a_page():
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in TABLES if f"<!-- {name} table: begin -->" not in pages] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_the_figures(name, root):
    marked = f"before\n<!-- {name} table: begin -->\nstale\n<!-- {name} table: end -->\nafter\n"
    made = filled(marked, root)
    assert f"\n{LINES[name]}\n" in made
    assert made.startswith("before\n") and made.endswith("after\n") and "stale" not in made
    assert filled(made, root) == made


def test_lengths_that_were_timed_cold_are_named(root):
    assert "16,384 tokens were timed without a warm-up round" in TABLES["bigbird"](root)
    warm = json.loads((root / RESULTS / "bigbird.json").read_text())
    warm["precisions"]["bfloat16"]["timed"][0]["rounds_to_warm_up"] = 1
    (root / RESULTS / "bigbird.json").write_text(json.dumps(warm))
    assert "warm-up" not in TABLES["bigbird"](root)


def test_how_much_is_generated_is_said(root):
    assert "\n64 new tokens per prompt.\n" in TABLES["generation"](root)
    assert "\n320 new bases per prompt.\n" in TABLES["single bases"](root)


def test_a_difference_keeps_its_sign_and_a_table_its_origin(root):
    made = TABLES["nano"](root)
    assert "| genolm-nano − best Markov model | −0.1000 (−0.1100 to −0.0900) |" in made
    assert "| predicted bases (1 in 4 windows) | 6,000,128 |" in made
    assert "`benchmarks/results/nano.json`: Some CPU, bf16 instructions, 2 threads" in made and "012345678." in made


@pytest.mark.parametrize(
    ("interval", "said"),
    [([0.41, 0.49], "worse than chance"), ([0.41, 0.51], "no better than chance"), ([0.51, 0.6], "better than chance")],
)
def test_the_sentence_about_scores_follows_the_interval(interval, said, root):
    path = root / RESULTS / "variant_effects.json"
    measured = json.loads(path.read_text("utf-8"))
    measured["groups"]["SNV"]["all"]["auroc"]["genolm-nano full, one strand"]["interval_loci"] = interval
    path.write_text(json.dumps(measured), "utf-8")
    assert f"are **{said} at separating" in TABLES["effects line"](root)


def test_a_subset_is_named(root):
    assert "random sample of 250 benign" not in TABLES["effects"](root)
    measured = json.loads((root / RESULTS / "variant_effects.json").read_text("utf-8"))
    (root / RESULTS / "variant_effects.json").write_text(json.dumps({**measured, "benign_snvs_of_full": 250}), "utf-8")
    assert all("random sample of 250 benign SNVs" in TABLES[name](root) for name in ("effects", "effects all"))


def test_a_group_without_a_class_has_no_figure(root):
    assert "| genolm-nano `full --rc` | - | - |" in TABLES["effects all"](root)


@pytest.mark.parametrize("name", TABLES)
def test_what_was_not_measured_says_so(name, tmp_path):
    made = TABLES[name](tmp_path)
    assert ("尚未测量" if name.endswith(" zh") else "not measured yet") in made.lower()
