"""Published and measured statistics of human DNA, the parameters of the simulation. Bases are in ACGT order.

Sources:
- `BACKGROUND`: counted for this package on both strands of GRCh38 chr2:10,001-2,333,275 (public domain).
- `DONOR`, `ACCEPTOR`, `BRANCH`, `KOZAK`: Zhang MQ (1998) Hum Mol Genet 7:919, human genes of low G+C content.
- `TATA`, `INITIATOR`: Bucher P (1990) J Mol Biol 212:563.
- `POLYADENYLATION`: the two main signals in Beaudoing E et al. (2000) Genome Res 10:1001, rescaled to one.
- `CODONS`: Nakamura Y et al. (2000) Nucleic Acids Res 28:292, Homo sapiens, per thousand.
- `ALU`: a young copy of the Alu repeat in GRCh38 (public domain).
"""

from __future__ import annotations

import numpy as np

from genolm.arrays import Float64
from genolm.genome.annotation.coding_sequences import CODES


def matrix(*rows: str) -> Float64:
    """Parse four rows of numbers (A, C, G, T) into probabilities, one row per position: ``(positions, 4)``."""
    columns = np.array([[float(number) for number in row.split()] for row in rows])
    weights = columns.T
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


# An order-3 Markov chain: AAA is followed by A 368, C 166, G 200 and T 266 times in a thousand.
# CpG depletion is visible where the context ends in C: G follows with 3 to 13 %, not 25 %.
_BACKGROUND_PER_MILLE = """
AAA 368 166 200 266  AAC 414 234 065 287  AAG 315 201 257 227  AAT 276 173 260 290
ACA 226 252 285 236  ACC 334 278 061 327  ACG 186 241 268 305  ACT 169 231 312 288
AGA 338 178 278 205  AGC 349 286 066 300  AGG 307 236 250 207  AGT 194 205 326 276
ATA 330 173 184 313  ATC 334 267 049 350  ATG 266 207 245 282  ATT 217 200 175 408
CAA 376 179 232 214  CAC 405 249 097 250  CAG 269 246 294 191  CAT 190 220 295 295
CCA 205 254 316 225  CCC 351 266 091 292  CCG 192 270 285 254  CCT 123 287 351 239
CGA 231 187 373 209  CGC 281 323 127 268  CGG 211 272 345 171  CGT 131 227 430 211
CTA 309 211 201 279  CTC 305 315 059 321  CTG 227 248 263 261  CTT 169 278 211 342
GAA 355 164 267 214  GAC 392 239 091 278  GAG 304 205 309 182  GAT 209 185 320 286
GCA 211 226 343 220  GCC 302 275 088 335  GCG 178 233 319 270  GCT 133 246 380 241
GGA 309 171 331 189  GGC 321 276 088 315  GGG 302 226 266 206  GGT 162 203 375 260
GTA 314 164 232 290  GTC 310 282 051 357  GTG 241 204 265 290  GTT 182 226 215 377
TAA 403 149 184 264  TAC 431 214 059 296  TAG 335 196 234 234  TAT 261 164 217 358
TCA 223 240 283 253  TCC 306 292 054 347  TCG 196 234 297 273  TCT 164 263 299 273
TGA 311 174 296 219  TGC 362 262 062 313  TGG 273 214 302 212  TGT 189 192 353 266
TTA 324 176 190 310  TTC 307 283 035 375  TTG 252 215 241 292  TTT 216 216 200 368
"""

# Last 3 bases of the exon, first 6 of the intron.
DONOR = matrix(
    ".38 .62 .12 0 0 .71 .73 .11 .21",
    ".31 .10 .04 0 0 .02 .06 .06 .10",
    ".18 .12 .77 1 0 .24 .08 .75 .14",
    ".13 .16 .07 0 1 .03 .13 .08 .55",
)
# Last 15 bases of the intron, first 2 of the exon.
ACCEPTOR = matrix(
    ".15 .14 .13 .11 .10 .10 .11 .12 .13 .11 .10 .26 .07 1 0 .26 .24",
    ".24 .21 .20 .22 .21 .22 .25 .28 .28 .25 .22 .25 .55 0 0 .11 .15",
    ".10 .12 .10 .09 .10 .09 .10 .10 .08 .05 .05 .15 .01 0 1 .50 .20",
    ".51 .53 .57 .58 .59 .59 .54 .50 .51 .59 .63 .33 .37 0 0 .13 .41",
)
# The branch point A is the sixth of seven.
BRANCH = matrix(
    ".25 .25 0 0 .39 1 .18",
    ".19 .22 .60 .02 .24 0 .33",
    ".15 .17 0 0 .32 0 .03",
    ".41 .36 .40 .98 .05 0 .46",
)
# Nine bases before the start codon, the start codon, one base after it.
KOZAK = matrix(
    ".21 .15 .21 .21 .18 .24 .57 .31 .15 1 0 0 .26",
    ".28 .38 .38 .24 .35 .49 .05 .43 .53 0 0 0 .20",
    ".31 .27 .22 .42 .27 .22 .36 .17 .27 0 0 1 .41",
    ".19 .20 .19 .13 .20 .05 .02 .10 .04 0 1 0 .10",
)
# TATAAA starts at the second of fifteen positions.
TATA = matrix(
    ".12 .06 .69 .02 .70 .57 .69 .42 .24 .13 .20 .18 .19 .18 .15",
    ".39 .22 .04 .15 .06 .06 .09 .05 .18 .35 .36 .31 .32 .30 .30",
    ".35 .15 .07 .11 .12 .05 .16 .26 .46 .41 .34 .34 .31 .35 .36",
    ".14 .57 .20 .72 .12 .32 .07 .27 .12 .12 .11 .17 .17 .18 .19",
)
# The transcription start is the third of eight positions (counts of 303 promoters).
INITIATOR = matrix(
    "49 0 288 26 77 67 45 50",
    "48 303 0 81 95 118 85 96",
    "69 0 0 116 0 46 73 56",
    "137 0 15 80 131 72 100 101",
)

POLYADENYLATION = {"AATAAA": 0.8, "ATTAAA": 0.2}

# Per thousand codons, in the order of the letters TCAG as textbooks print them.
_CODONS_PER_MILLE = """
17.6 15.2 12.2 10.6  20.3 17.7 15.3 12.6  7.7 12.2 1.0 1.6  12.9 4.4 0.8 13.2
13.2 17.5 10.9 4.5  19.6 19.8 15.1 10.4  7.2 16.9 12.3 6.2  39.6 6.9 34.2 11.4
16.0 13.1 17.0 12.1  20.8 18.9 19.1 19.5  7.5 15.1 24.4 12.2  22.0 6.1 31.9 12.0
11.0 18.4 21.8 10.8  14.5 27.7 25.1 22.2  7.1 15.8 29.0 16.5  28.1 7.4 39.6 16.5
"""
_TEXTBOOK_ORDER = [first + second + third for first in "TCAG" for third in "TCAG" for second in "TCAG"]

CODONS: dict[str, float] = dict(zip(_TEXTBOOK_ORDER, map(float, _CODONS_PER_MILLE.split())))
GENETIC_CODE: dict[str, str] = {codon: CODES[1][codon] for codon in _TEXTBOOK_ORDER}

ALU = (
    "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCCAGCACTTTGGGAGGCCGAGGCGGGCGGATCACGAGGTCAGGAGATCGAGACCATCCCGGCTAAAACGGTGAAACCC"
    "CGTCTCTACTAAAAATACAAAAAATTAGCCGGGCGTAGTGGCGGGTGCCTGTAGTCCCAGCTACTCGGGAGGCTGAGGCAGGAGAATGGCGTGAACCCGGGAGGCGGA"
    "GCTTGCAGTGAGCCGAGATCCCGCCACTGCACTCCAGCCTGGGCGACAGAGCGAGACTCCGTCTCA"
)


def background() -> Float64:
    """Return transition probabilities of the order-3 chain, ``(64, 4)``; row ``16 a + 4 b + c`` is context ``abc``."""
    words = _BACKGROUND_PER_MILLE.split()
    rows = np.array([float(word) for word in words if word.isdigit()]).reshape(64, 4)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))
