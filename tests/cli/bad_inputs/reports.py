"""Pages of scored variants, further columns, and GenBank as sequence: what is refused."""

from tests.cli.bad_inputs.case import MODEL, Case

_HEAD = """\
##fileformat=VCFv4.2
##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="score">
##INFO=<ID=CLS,Number=1,Type=String,Description="class">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
_GENOME = {"g.fa": ">c\nACGTACGTACGTACGTACGT\n"}
_SCORED = _HEAD + "c\t5\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=-1;CLS=LP\n"
_REPORT = "report s.vcf p.html --genome g.fa"
_GENBANK = """\
LOCUS       A1 8 bp DNA linear BCT 01-JAN-2020
VERSION     A1.1
FEATURES             Location/Qualifiers
ORIGIN
        1 acgtacgt
//
"""

CASES = (
    Case(
        "report: a VCF that genolm has not scored",
        _REPORT,
        "s.vcf: no INFO field GENOLM_LLR_SUM or GENOLM_LLR_SITE or GENOLM_LLR_MASKED_SUM (present: DP); score the file "
        "with 'genolm variants' first",
        3,
        {
            **_GENOME,
            "s.vcf": '##fileformat=VCFv4.2\n##INFO=<ID=DP,Number=1,Type=Integer,Description="d">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t5\t.\tA\tC\t.\t.\tDP=3\n",
        },
    ),
    Case(
        "report: variants of another genome build",
        _REPORT,
        "s.vcf:5: REF is G, the genome has A: the variants were scored with a genome other than g.fa (value 'c:5:G>C')",
        3,
        {**_GENOME, "s.vcf": _SCORED.replace("A\tC", "G\tC")},
    ),
    Case(
        "report: a scored contig that the genome does not have",
        _REPORT,
        "s.vcf:5: the genome has no contig d: the variants were scored with a genome other than g.fa (value 'd:5:A>C')",
        3,
        {**_GENOME, "s.vcf": _SCORED.replace("c\t5", "d\t5")},
    ),
    Case(
        "report: a score that is infinite",
        _REPORT,
        "s.vcf:5: a score must be a finite number or missing (value '-inf')",
        3,
        {**_GENOME, "s.vcf": _SCORED.replace("=-1", "=-inf")},
    ),
    Case(
        "report: one side of a label only",
        f"{_REPORT} --label CLS=LP",
        "invalid label: expected FIELD or FIELD=POSITIVE:NEGATIVE, such as CLS=LP:LB (value 'CLS=LP')",
        3,
        {**_GENOME, "s.vcf": _SCORED},
    ),
    Case(
        "report: a label value that no variant has",
        f"{_REPORT} --label CLS=LP:LB",
        "s.vcf: no variant has this value of CLS (values: LP) (value 'LB')",
        3,
        {**_GENOME, "s.vcf": _SCORED},
    ),
    Case(
        "report: a page that is no HTML",
        "report s.vcf p.pdf --genome g.fa",
        "p.pdf: unsupported output format; use one of .html, .htm",
        3,
        {**_GENOME, "s.vcf": _SCORED},
    ),
    Case(
        "report: a track that is no bigWig",
        f"{_REPORT} --tracks t.bw",
        "t.bw: not a bigWig file",
        3,
        {**_GENOME, "s.vcf": _SCORED, "t.bw": "chr1 0 10 1\n"},
    ),
    Case(
        "report: a table without a score",
        "report s.tsv p.html --genome g.fa",
        "s.tsv: no column llr_alt_minus_ref_sum_nats or llr_alt_minus_ref_site_nats or "
        "llr_alt_minus_ref_masked_sum_nats (present: alt, chrom, pos, ref); "
        "score the file with 'genolm variants' first",
        3,
        {**_GENOME, "s.tsv": "chrom\tpos\tref\talt\nc\t5\tA\tC\n"},
    ),
    Case(
        "GenBank: a record without its sequence",
        f"score {MODEL} a.gbk out.tsv",
        "a.gbk:1: the record has annotation but no sequence; download it with its sequence (value 'A1.1')",
        3,
        {"a.gbk": _GENBANK.replace("ORIGIN\n        1 acgtacgt\n", "")},
    ),
    Case(
        "GenBank: an invalid letter",
        f"score {MODEL} a.gbk out.tsv",
        "a.gbk:5: not a base at position 3 of the sequence (value 'Z')",
        3,
        {"a.gbk": _GENBANK.replace("acgtacgt", "aczgacgt")},
    ),
    Case(
        "GenBank: given as the reference genome",
        f"score {MODEL} r.bed out.tsv --genome a.gbk",
        "a.gbk: a reference genome must be FASTA (plain or bgzip), not GenBank or EMBL",
        3,
        {"a.gbk": _GENBANK, "r.bed": "A1.1\t0\t4\n"},
    ),
    Case(
        "variants: an unknown kind of input",
        f"variants {MODEL} calls.xlsx out.tsv --genome g.fa",
        "calls.xlsx: unknown file format; expected .vcf, .bcf, .tsv, .csv, .txt, .parquet, or one of these with .gz",
        3,
        {**_GENOME, "calls.xlsx": "no"},
    ),
    Case(
        "complete: no gene fits into the model",
        "complete genolm-nano long.fa out.tsv",
        "long.fa: no coding sequence can be completed: 1 too long for the model's context",
        3,
        {"long.fa": f">g\nATG{'GCA' * 500}TAA\n"},
    ),
    Case(
        "mutate: a plot of more bases than it can show",
        f"mutate {MODEL} c:1-3004 out.tsv --genome big.fa --plot p.png",
        "a plot is limited to 3,000 bases, not 3,004; plot a shorter interval, or omit the plot",
        3,
        {"big.fa": f">c\n{'ACGT' * 751}\n", "big.fa.fai": "c\t3004\t3\t3004\t3005\n"},
    ),
)
