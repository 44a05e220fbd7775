"""Bad input of ``genolm complete``, and of the options of ``genolm generate`` for tokens of several bases."""

from tests.cli.bad_inputs.case import MODEL, Case

GENES = ">gene1\n" + "ATG" + "GCAGAAAAC" * 12 + "TAA\n"
OCEAN = "generate tiny-random-ocean ACGT out.fa"
COMPLETE = f"complete {MODEL}"
GENBANK = """LOCUS       TOY  30 bp DNA
FEATURES             Location/Qualifiers
     CDS             1..40
                     /gene="a"
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac
//
"""

CASES = (
    Case(
        "generate: options of byte-pair tokens for a model of single bases",
        f"generate {MODEL} ACGT out.fa --max-tokens 9 --slide",
        "tiny-random-dense has one token per base, but max_tokens, slide require a model with multi-base tokens",
        4,
    ),
    Case(
        "generate: a preset for a model of single bases",
        f"generate {MODEL} ACGT out.fa --preset creative",
        "tiny-random-dense has one token per base, but preset requires a model with multi-base tokens",
        4,
    ),
    Case(
        "generate: a minimum above its maximum",
        f"{OCEAN} --min-tokens 9 --max-tokens 3",
        "the minimum of 9 new tokens exceeds the maximum of 3",
        3,
    ),
    Case(
        "generate: more tokens than the context holds",
        f"{OCEAN} --max-tokens 40000",
        "prompt sequence1 (3 tokens) and 40,000 new tokens exceed the context of tiny-random-ocean (32,768 tokens):"
        " shorten the request or enable slide, which drops the older half of the context",
        4,
    ),
    Case(
        "backend vllm: a name instead of a folder",
        f"{OCEAN} --max-tokens 9 --backend vllm",
        "tiny-random-ocean: vllm requires a folder in Hugging Face layout; create one with `genolm convert MODEL"
        " FOLDER --to huggingface`",
        4,
    ),
    Case(
        "backend vllm: a minimum in bases",
        f"{OCEAN} --max-tokens 9 --min-length 5 --backend vllm",
        "the vllm backend counts tokens: a minimum of bases is not supported (value 5); pass --min-tokens",
        3,
    ),
    Case(
        "backend vllm: --resume",
        f"{OCEAN} --max-tokens 9 --resume --backend vllm",
        "the vllm backend does not support resume (value True)",
        3,
    ),
    Case(
        "complete: annotation without its genome",
        f"{COMPLETE} genes.gff out.tsv",
        "genes.gff: gene coordinates require the genome; pass --genome",
        3,
        {"genes.gff": "chr1\tx\tCDS\t1\t90\t.\t+\t0\tID=a\n"},
    ),
    Case(
        "complete: no gene that can be completed",
        f"{COMPLETE} genes.fa out.tsv",
        "genes.fa: no coding sequence can be completed: 1 shorter than 300 bases",
        3,
        {"genes.fa": GENES},
    ),
    Case(
        "complete: a prompt that is the whole gene",
        f"{COMPLETE} genes.fa out.tsv --prompt-fraction 1",
        "the prompt fraction must be between 0 and 1, exclusive (value 1.0)",
        3,
        {"genes.fa": GENES},
    ),
    Case(
        "complete: a negative seed",
        f"{COMPLETE} genes.fa out.tsv --seed -1",
        "Invalid value for '--seed': must be between 0 and 4294967295, not -1",
        2,
        {"genes.fa": GENES},
    ),
    Case(
        "complete: a genetic code that genolm does not have",
        f"{COMPLETE} genes.fa out.tsv --code 2",
        "unknown genetic code; expected one of 1, 4, 11, 25 (value 2)",
        3,
        {"genes.fa": GENES},
    ),
    Case(
        "complete: a GenBank feature beyond the sequence",
        f"{COMPLETE} genes.gbk out.tsv",
        "genes.gbk:3: the only feature cannot be used: an end beyond the bases of the record (value '1..40')",
        3,
        {"genes.gbk": GENBANK},
    ),
    Case(
        "complete: a GenBank location that genolm does not read",
        f"{COMPLETE} genes.gbk out.tsv",
        "genes.gbk:3: the only feature cannot be used: an unsupported location (value 'J00194.1:1..9')",
        3,
        {"genes.gbk": GENBANK.replace("1..40", "J00194.1:1..9")},
    ),
    Case(
        "complete: a GenBank file that is cut off",
        f"{COMPLETE} genes.gbk out.tsv",
        "genes.gbk:6: the last record is truncated: it has no line //",
        3,
        {"genes.gbk": GENBANK.removesuffix("//\n")},
    ),
    Case(
        "complete: GenBank without Biopython",
        f"{COMPLETE} genes.gbk out.tsv",
        "reading GenBank and EMBL files requires biopython, which is not installed; pip install 'genolm[genbank]'",
        1,
        {"genes.gbk": GENBANK},
        hidden=("Bio",),
    ),
    Case(
        "complete: no edlib",
        f"{COMPLETE} genes.fa out.tsv",
        "gene completion requires edlib, which is not installed; pip install 'genolm[check]'",
        1,
        {"genes.fa": GENES},
        hidden=("edlib",),
    ),
)
