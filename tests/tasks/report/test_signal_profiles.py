from pathlib import Path

import numpy as np
import pytest

from genolm.genome.annotation.genes import Transcript
from genolm.genome.bigwig import BigWig, write_bigwig
from genolm.genome.interval import Interval
from genolm.tasks.report.signal_profiles import REACH, average_profiles


def transcripts(strand: str, count: int) -> list[Transcript]:
    made = []
    for number in range(count):
        start = 1000 * (number + 1)
        exons = tuple(Interval("c", start + left, start + right, strand) for left, right in ((0, 100), (200, 400)))
        made.append(Transcript(f"T{number}", "G", exons, Interval("c", start + 50, start + 350, strand)))
    return made


@pytest.mark.parametrize(
    ("strand", "places"),
    [
        ("+", {"Transcription start": 0, "Start codon": 50, "Splice donor": 100, "Splice acceptor": 200}),
        ("-", {"Transcription start": 399, "Start codon": 349, "Splice donor": 199, "Splice acceptor": 99}),
    ],
)
def test_the_signals_first_base_is_in_the_middle(tmp_path: Path, strand: str, places: dict[str, int]) -> None:
    values = np.zeros(8000, np.float32)
    for number in range(6):
        for weight, place in enumerate(places.values(), start=1):
            values[1000 * (number + 1) + place] = weight
    path = write_bigwig(tmp_path / "x.bw", {"c": 8000}, [("c", 0, values)])
    with BigWig(path) as track:
        profiles = {profile.name: profile for profile in average_profiles(track, transcripts(strand, 6))}
    assert list(profiles) == list(places)
    for weight, name in enumerate(places, start=1):
        profile = profiles[name]
        assert profile.sites == 6 and profile.mean.shape == profile.error.shape == (2 * REACH,)
        assert profile.mean[REACH] == weight and not profile.error.any()


def test_mean_and_standard_error(tmp_path: Path) -> None:
    values = np.zeros(8000, np.float32)
    values[[1000, 2000, 3000, 4000, 5000]] = [1, 2, 3, 4, 5]
    path = write_bigwig(tmp_path / "x.bw", {"c": 8000}, [("c", 0, values)])
    with BigWig(path) as track:
        start = average_profiles(track, transcripts("+", 5))[0]
    assert start.mean[REACH] == 3 and start.error[REACH] == pytest.approx(np.sqrt(2.5 / 5))


def test_sites_without_data_and_doubles_are_left_out(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "x.bw", {"c": 8000}, [("c", 0, np.ones(5200, np.float32))])
    made = transcripts("+", 6)
    with BigWig(path) as track:
        sites = {profile.name: profile.sites for profile in average_profiles(track, [*made, *made])}
        assert sites == {"Transcription start": 5, "Start codon": 5, "Splice donor": 5}  # acceptor 5: half without data
        assert average_profiles(track, made[:4]) == []
        elsewhere = [Transcript("T", "G", (Interval("other", 5, 50),))] * 9
        assert average_profiles(track, elsewhere) == []
