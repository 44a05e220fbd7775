"""Users without a home, without an entry in passwd, in folders that they may not write."""

import os
import tempfile
from pathlib import Path

import pytest
from tests.cli.bad_inputs import kitchen
from tests.cli.bad_inputs.kitchen import run, without_rights

MODEL = "tiny-random-dense"
CACHES = ("HOME", "XDG_CACHE_HOME", "GENOLM_CACHE", "HF_HOME", "HF_HUB_CACHE")
GENOME = ">chr1\nACGTACGTACGTACGTACGTACGT\n"
VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=24>
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
chr1	6	.	C	A	.	.	.
"""

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without an entry in passwd")


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """An empty folder to stand in, as a user whom passwd does not know and who has no home."""
    _imported(tmp_path, monkeypatch)
    for name in CACHES:
        monkeypatch.delenv(name, raising=False)
    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0 and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(0o711)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(kitchen, "NOBODY", 54321)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def _imported(folder, monkeypatch):
    """Runs the commands once as root: nobody may be unable to read the folders that Python's modules lie in."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Path("g.fa").write_text(GENOME)
    Path("a.vcf").write_text(VCF)
    run(f"variants {MODEL} a.vcf out.vcf --genome g.fa --quiet")
    run(f"score {MODEL} g.fa out.tsv --quiet")
    run("score genos-1.2b g.fa other.tsv --quiet")
    run("doctor")
    monkeypatch.delenv("HF_HUB_OFFLINE")


@root_only
def test_variants_of_a_genome_in_a_read_only_folder_without_a_home(nobody):
    (nobody / "ro").mkdir()
    (nobody / "ro" / "g.fa").write_text(GENOME)
    (nobody / "ro").chmod(0o555)
    (nobody / "a.vcf").write_text(VCF)
    with without_rights(nobody):
        assert run(f"variants {MODEL} a.vcf out.vcf --genome ro/g.fa --quiet") == 0
    assert "GENOLM_LLR_SUM=" in (nobody / "out.vcf").read_text()
    assert [path.name for path in (nobody / "ro").iterdir()] == ["g.fa"]
    private = nobody.parent / "temporary" / "genolm-54321"
    assert private.stat().st_mode & 0o777 == 0o700 and list((private / "genolm" / "fasta").glob("g.fa.*.fai"))


@root_only
def test_a_model_of_the_hub_without_a_home_is_looked_for_in_the_temporary_folder(nobody, monkeypatch, capfd):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (nobody / "s.fa").write_text(">a\nACGT\n")
    with without_rights(nobody):
        assert run("score genos-1.2b s.fa out.tsv --quiet") == 7
    assert "is not in the cache" in capfd.readouterr().err


@root_only
def test_the_doctor_works_without_a_home(nobody, capfd):
    with without_rights(nobody):
        assert run("doctor") == 0
    assert "genolm-54321/huggingface/hub is writable" in capfd.readouterr().out.replace("\n", "")


@root_only
def test_a_cache_that_cannot_be_written_is_a_note_of_the_doctor(nobody, monkeypatch, capfd):
    (nobody / "cache").mkdir(mode=0o555)
    monkeypatch.setenv("GENOLM_CACHE", str(nobody / "cache"))
    with without_rights(nobody):
        assert run("doctor") == 0
    assert "is not writable; models in it can be used" in " ".join(capfd.readouterr().out.split())


@root_only
def test_a_current_folder_that_cannot_be_written_is_named(nobody, capfd):
    (nobody / "s.fa").write_text(">a\nACGT\n")
    nobody.chmod(0o555)
    os.setresuid(54321, 54321, 0)
    try:
        assert run(f"score {MODEL} s.fa out.tsv --quiet") == 5
    finally:
        os.setresuid(0, 0, 0)
    assert capfd.readouterr().err == "error: out.tsv: the folder . cannot be written\n"


@root_only
def test_a_folder_that_cannot_be_entered_is_named_and_is_no_bug(nobody, capfd):
    (nobody / "s.fa").write_text(">a\nACGT\n")
    (nobody / "closed").mkdir(mode=0o700)
    for command in (
        f"score {MODEL} s.fa closed/in/out.tsv",
        f"score {MODEL} closed/in/s.fa o.tsv",
        "score ./closed/in s.fa o.tsv",
    ):
        with without_rights(nobody):
            assert run(f"{command} --quiet") in (3, 4, 5)
        err = capfd.readouterr().err
        assert "closed/in" in err and "bug" not in err


def test_no_temporary_folder_at_all_names_what_to_set(monkeypatch):
    from genolm.errors import ResourceError
    from genolm.files.caches import temporary_cache

    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(ResourceError, match="set TMPDIR or XDG_CACHE_HOME"):
        temporary_cache()
