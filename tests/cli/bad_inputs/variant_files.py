"""What BCF cannot hold, tables with missing values and odd quotes, pipes that cannot be read twice."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from tests.cli.bad_inputs.case import MODEL, Case
from tests.cli.bad_inputs.variants import COLUMNS, FORMAT, HEADER, TOY, VARIANTS, record, table

INFO = '##INFO=<ID=AC,Number=A,Type=Integer,Description="count">\n##INFO=<ID=P,Number=1,Type=Float,Description="p">\n'
AMBIGUOUS = ">chr1\nACGTARGTACGTACGTACGT\n"


def bcf(kind: str, content: str, message: str) -> Case:
    """A VCF that is to become BCF."""
    command = f"{VARIANTS} calls.vcf out.bcf --genome toy.fa"
    return Case(kind, command, message, 3, {"calls.vcf": content, "toy.fa": TOY})


def with_info(info: str) -> str:
    return FORMAT + INFO + COLUMNS + "\n" + record() + record().replace("PASS\t.", f"PASS\t{info}")


CASES = (
    bcf(
        "BCF output: a number beyond 32 bits",
        with_info("AC=3000000000"),
        "calls.vcf:6: INFO AC would become 'AC=.': BCF cannot hold it, .vcf.gz can (value 'AC=3000000000')",
    ),
    bcf(
        "BCF output: a p-value below 1e-45",
        with_info("P=2e-310"),
        "calls.vcf:6: INFO P would become 'P=0': BCF cannot hold it, .vcf.gz can (value 'P=2e-310')",
    ),
    bcf(
        "BCF output: text in a field of numbers",
        with_info("AC=few"),
        "calls.vcf:6: INFO AC would become 'AC=.': BCF cannot hold it, .vcf.gz can (value 'AC=few')",
    ),
    bcf(
        "BCF output: QUAL is a word",
        HEADER + record().replace("\t.\tPASS", "\thigh\tPASS"),
        "calls.vcf:3: QUAL would become '0': BCF cannot hold it, .vcf.gz can (value 'high')",
    ),
    bcf(
        "BCF output: a contig name with a comma",
        HEADER + record(chrom="ctg,1"),
        "calls.vcf:3: 'ctg,1' is not a valid contig name in VCF: BCF cannot hold it, .vcf.gz can (value 'ctg,1\\t6\\t.\\tC\\tT\\t.\\tPASS\\t.')",
    ),
    bcf(
        "BCF output: two samples of one name",
        f"{FORMAT}{COLUMNS}\tFORMAT\tS1\tS1\n",
        "calls.vcf:2: duplicate sample name: BCF cannot hold it, .vcf.gz can (value 'S1')",
    ),
    bcf(
        "BCF output: a sample without a name",
        f"{FORMAT}{COLUMNS}\tFORMAT\tS1\t\n",
        "calls.vcf:2: empty sample name: BCF cannot hold it, .vcf.gz can",
    ),
    bcf(
        "BCF output: FORMAT and no samples",
        f"{FORMAT}{COLUMNS}\tFORMAT\n",
        "calls.vcf:2: the #CHROM line has a FORMAT column but no samples: BCF cannot hold it, .vcf.gz can",
    ),
    bcf(
        "BCF output: a description without quotes",
        f"{FORMAT}##INFO=<ID=AC,Number=A,Type=Integer,Description=allele, count>\n{COLUMNS}\n",
        "calls.vcf:2: htslib cannot parse this header line (text must be in double quotes): BCF cannot hold it, .vcf.gz can (value '##INFO=<ID=AC,Number=A,Type=Integer,Description=allele, co…)",
    ),
    bcf(
        "BCF output: a sample with more values than keys",
        f"{FORMAT}{COLUMNS}\tFORMAT\tS1\n{record()[:-1]}\tGT\t0/1:3\n",
        "calls.vcf:3: a sample has more values than there are FORMAT keys (1): BCF cannot hold it, .vcf.gz can (value 'chr1\\t6\\t.\\tC\\tT\\t.\\tPASS\\t.\\tGT\\t0/1:3')",
    ),
    Case(
        "VCF: REF is not the base that VCF has for an ambiguous letter",
        f"{VARIANTS} calls.vcf out.vcf --genome iupac.fa",
        "calls.vcf:3: REF is G, but the genome has R (A in VCF) (value 'chr1:6:G>C'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
        3,
        {"calls.vcf": HEADER + record(6, "G", "C"), "iupac.fa": AMBIGUOUS},
    ),
    table(
        "table: NA as REF",
        "chrom\tpos\tref\talt\nchr1\t6\tNA\tT\n",
        "calls.tsv:2: column ref is empty here",
    ),
    table(
        "table: a missing contig",
        "chrom,pos,ref,alt\nNaN,6,C,T\n",
        "calls.csv:2: column chrom is empty here",
        "calls.csv",
    ),
    table(
        "table: one of two ALT is missing",
        "chrom\tpos\tref\talt\nchr1\t6\tC\tT,NA\n",
        "calls.tsv:2: missing ALT allele in a list (value 'T,NA')",
    ),
    table(
        "table: text after a closing quote",
        'chrom\tpos\tref\talt\tnote\nchr1\t6\tC\tT\t"5 prime" end\n',
        "calls.tsv:2: invalid quotes: '\t' expected after '\"' (value 'chr1\\t6\\tC\\tT\\t\"5 prime\" end')",
    ),
    Case(
        "table of sequences: NA as a sequence",
        f"score {MODEL} dna.csv out.tsv",
        "dna.csv:3: the sequence is empty (value 'b')",
        3,
        {"dna.csv": "id,sequence\na,ACGT\nb,NA\n"},
    ),
    Case(
        "a list of sequences named .csv",
        f"score {MODEL} dna.csv out.tsv",
        "dna.csv:1: the first line must name the columns; a list of sequences without a header must be named .txt (value 'ACGTTGCA')",
        3,
        {"dna.csv": "ACGTTGCA\nTTGACATT\n"},
    ),
    Case(
        "a list of sequences below a word that could be a sequence",
        f"score {MODEL} reads.txt out.tsv",
        "reads.txt:1: ambiguous first line: header or sequence? add the header line 'sequence' (value 'tag')",
        3,
        {"reads.txt": "tag\nACGTTGCA\nTTGACATT\n"},
    ),
    Case(
        "a genome that is not a file",
        f"{VARIANTS} calls.vcf out.vcf --genome /dev/null",
        "/dev/null: a pipe can be read only once; save the data to a file first",
        3,
        {"calls.vcf": HEADER + record()},
    ),
    Case(
        "standard output of a verb that writes files",
        f"score {MODEL} reads.fa -",
        "standard output is not supported; name a file that ends in .parquet, .tsv, .csv, .bw, .bigwig, .bedgraph, .bedgraph.gz",
        3,
        {"reads.fa": ">a\nACGT\n"},
    ),
    Case(
        "variants from standard input, which is empty",
        f"{VARIANTS} - out.vcf --genome toy.fa",
        "standard input: the file is empty",
        3,
        {"toy.fa": TOY},
    ),
    Case(
        "standard output, and --resume",
        f"{VARIANTS} calls.vcf - --genome toy.fa --resume",
        "resume and shard need an output file; this run writes to standard output",
        5,
        {"calls.vcf": HEADER + record(), "toy.fa": TOY},
    ),
    Case(
        "standard input, and a shard",
        f"{VARIANTS} - out.vcf --genome toy.fa --shard 1/2",
        "resume and shard need an input file; save the input from the pipe to a file first",
        5,
        {"toy.fa": TOY},
    ),
    Case(
        "--format beside the name of a file",
        f"{VARIANTS} calls.vcf out.vcf --genome toy.fa --format bcf",
        "out.vcf: a format can be chosen only for standard output (-): that of a file follows from its ending",
        3,
        {"calls.vcf": HEADER + record(), "toy.fa": TOY},
    ),
)
