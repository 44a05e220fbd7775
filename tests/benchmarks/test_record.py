"""What a measurement says about where it was made."""

from benchmarks.record import machine, versions


def test_a_package_that_is_absent_is_left_out():
    assert "numpy" in versions("numpy", "no-such-package-of-genolm")
    assert "no-such-package-of-genolm" not in versions("numpy", "no-such-package-of-genolm")


def test_a_machine_without_transformers_is_described(monkeypatch):
    from importlib import metadata

    real = metadata.version

    def without(name):
        if name == "transformers":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("benchmarks.record.version", without)
    assert set(machine()["versions"]) == {"genolm", "torch", "numpy"}
