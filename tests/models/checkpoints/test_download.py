"""Downloads, against a small hub on the loopback interface that can be made to misbehave."""

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch
from safetensors.torch import load_file, save
from tests.models.adapters.published_encoders import CONFIGS, tensors_of, write

import genolm
from genolm.errors import ModelError, NetworkError, ResourceError, RunError
from genolm.files.caches import temporary_cache
from genolm.models.checkpoints import download as hub
from genolm.models.checkpoints import http_files
from genolm.models.checkpoints.info import info as describe
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import build_head
from genolm.models.model_files import INDEX, SINGLE
from genolm.models.zoo.zoo import ZOO, ModelSource

COMMIT = "c" * 40
ID = "lab/model"


@dataclass
class Hub:
    """What the server holds and how it misbehaves."""

    files: dict[str, bytes]
    url: str = ""
    token: str | None = None
    status: dict[str, list[int]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    ranges: bool = True
    pause: float = 0.0
    redirect: str | None = None
    stated: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def listing(self, commit: str = COMMIT) -> bytes:
        siblings = [self.sibling(name, data) for name, data in self.files_at(commit).items()]
        return json.dumps({"id": ID, "sha": commit, "siblings": siblings}).encode()

    def files_at(self, commit: str) -> dict[str, bytes]:
        """The files of ``main``, or of another commit."""
        return self.files if commit == COMMIT else self.commits.get(commit, {})

    def commit_of(self, revision: str) -> str | None:
        """The commit of a branch, a tag or itself."""
        known = {"main": COMMIT, COMMIT: COMMIT, **self.branches, **{commit: commit for commit in self.commits}}
        return known.get(revision)

    def sibling(self, name: str, data: bytes) -> dict:
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        described = {"rfilename": name, "size": len(data), "blobId": self.stated.get(name, git)}
        if name.endswith(".safetensors"):
            digest = self.stated.get(name, hashlib.sha256(data).hexdigest())
            described["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 100}
        return described

    def asked_for(self, name: str) -> list[str | None]:
        """The Range headers of the requests for a file."""
        return [ranges for path, ranges, _ in self.requests if path.endswith(name)]


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = urlsplit(self.path).path
        self.hub.requests.append((path, self.headers.get("Range"), self.headers.get("Authorization")))
        failures = self.hub.status.get(path.rsplit("/", 1)[-1])
        if failures:
            return self.answer(failures.pop(0), b"")
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self.answer(401, b"")
        asked = path.removeprefix(f"/api/models/{ID}/revision/")
        commit = self.hub.commit_of(unquote(asked)) if asked != path else None
        if commit is not None:
            return self.answer(200, self.hub.listing() if commit == COMMIT else self.hub.listing(commit))
        commit, _, name = path.removeprefix(f"/{ID}/resolve/").partition("/")
        files = self.hub.files_at(commit)
        if not path.startswith(f"/{ID}/resolve/") or name not in files:
            return self.answer(404, b"")
        if self.hub.redirect:
            return self.answer(302, b"", Location=f"{self.hub.redirect}{path}")
        return self.send_file(name, files[name])

    def send_file(self, name: str, data: bytes):
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.hub.ranges else 0
        cuts = self.hub.cuts.get(name)
        time.sleep(self.hub.pause)
        self.answer(206 if start else 200, data[start:], cut=cuts.pop(0) if cuts else None)

    def answer(self, status: int, body: bytes, cut: int | None = None, **headers: str):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = self.close_connection or cut is not None


def serve(files: dict[str, bytes]):
    state = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": state}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    return state, server


@pytest.fixture
def remote(folders, monkeypatch, tmp_path):
    """A hub with one model; the environment points to it and to an empty cache."""
    files = {
        "config.json": json.dumps(folders.mixtral).encode(),
        SINGLE: save(folders.tensors(folders.mixtral)),
        "README.md": b"the terms",
        "pytorch_model.bin": b"not wanted",
    }
    state, server = serve(files)
    for name in ("GENOLM_CACHE", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", state.url + "/")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr(http_files, "_pause", lambda attempt: None)
    yield state
    server.shutdown()
    server.server_close()


def unfinished(tmp_path: Path) -> list[Path]:
    return list(tmp_path.rglob("*.incomplete"))


def test_a_hub_id_is_loaded(remote, folders, tmp_path):
    model = genolm.load(ID)
    assert torch.equal(model.network.head.weight, folders.tensors(folders.mixtral)["lm_head.weight"])
    root = tmp_path / "home" / "hub" / "models--lab--model"
    assert (root / "refs" / "main").read_text() == COMMIT
    snapshot = root / "snapshots" / COMMIT
    assert sorted(path.name for path in snapshot.iterdir()) == ["README.md", "config.json", SINGLE]
    digest = hashlib.sha256(remote.files[SINGLE]).hexdigest()
    assert (snapshot / SINGLE).resolve() == (root / "blobs" / digest).resolve()
    assert unfinished(tmp_path) == []


def test_a_hub_id_is_converted(remote, tmp_path):
    out = genolm.convert(ID, tmp_path / "out", to="genolm")
    assert genolm.load(out).fingerprint == genolm.load(ID).fingerprint


def test_a_name_of_the_zoo_brings_its_card(remote, monkeypatch):
    entry = replace(ZOO["genos-1.2b"], hub_id=ID)
    monkeypatch.setattr("genolm.models.checkpoints.load.find_model", lambda *_: ModelSource(entry, hub_id=entry.hub_id))
    model = genolm.load("genos-1.2b")
    assert (model.card.name, model.card.licence) == ("genos-1.2b", "Apache-2.0")
    assert model.dtype == torch.float32  # so small that bf16 would gain nothing


def test_what_is_there_is_not_downloaded_again(remote):
    first = hub.download(ID)
    remote.requests.clear()
    assert hub.download(ID) == first
    assert [path for path, _, _ in remote.requests] == [f"/api/models/{ID}/revision/main"]


def test_the_cache_of_other_programs_is_shared(remote, tmp_path):
    from huggingface_hub import try_to_load_from_cache

    hub.download(ID)
    found = try_to_load_from_cache(ID, "config.json", cache_dir=tmp_path / "home" / "hub")
    assert Path(str(found)).read_bytes() == remote.files["config.json"]


def test_a_plain_folder(remote, tmp_path):
    folder = hub.download(ID, tmp_path / "here")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", SINGLE]
    assert not (folder / SINGLE).is_symlink()
    assert genolm.load(folder).card.name == "here"
    (folder / SINGLE).write_bytes(b"changed")
    hub.download(ID, folder)
    assert (folder / SINGLE).read_bytes() == remote.files[SINGLE]


def test_a_plain_folder_of_a_model_of_the_zoo_is_that_model(remote, tmp_path, monkeypatch):
    """GenomeOcean v1.2, whose own files say neither how it reads N nor that no special token begins a sequence."""
    genolm.convert("tiny-random-ocean", tmp_path / "published")
    remote.files.clear()
    for name in ("config.json", "tokenizer.json", SINGLE):
        remote.files[name] = (tmp_path / "published" / name).read_bytes()
    remote.files["tokenizer_config.json"] = b'{"pad_token": "[PAD]", "model_max_length": 7}'
    entry = replace(ZOO["genomeocean-100m-v1.2"], hub_id=ID)
    monkeypatch.setattr("genolm.models.zoo.zoo.ZOO", {entry.name: entry})
    by_name = genolm.load(entry.name)
    for name in (entry.name, ID, ID):  # again finds everything as it was
        by_folder = genolm.load(genolm.download(name, tmp_path / "here"))
        assert by_folder.card == by_name.card and by_folder.begin_ids == by_name.begin_ids == ()
        assert by_folder.tokenizer == by_name.tokenizer and by_folder.tokenizer.n == "mask"
        assert by_folder.tokenizer.bases_per_token == 4.9
    assert len(remote.asked_for(SINGLE)) == 2
    assert json.loads((tmp_path / "here" / "tokenizer_config.json").read_text())["model_max_length"] == 7


def test_shards_are_those_that_the_index_names(remote, folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    names = sorted(tensors)
    halves = {"one.safetensors": names[:10], "two.safetensors": names[10:]}
    places = {name: file for file, held in halves.items() for name in held}
    del remote.files[SINGLE]
    remote.files |= {file: save({name: tensors[name] for name in held}) for file, held in halves.items()}
    remote.files |= {INDEX: json.dumps({"weight_map": places}).encode(), "consolidated.safetensors": b"other"}
    folder = hub.download(ID)
    assert "consolidated.safetensors" not in {path.name for path in folder.iterdir()}
    assert genolm.load(ID).config.num_experts == 4
    del remote.files["two.safetensors"]
    with pytest.raises(ModelError, match=r"lab/model: has no two\.safetensors at commit cccccccccccc"):
        hub.download(ID, tmp_path / "here")


def test_a_cut_connection_is_resumed_within_one_call(remote):
    remote.cuts[SINGLE] = [1000, 500]
    folder = hub.download(ID)
    assert (folder / SINGLE).read_bytes() == remote.files[SINGLE]
    assert remote.asked_for(SINGLE) == [None, "bytes=1000-", "bytes=1500-"]


def test_a_cut_download_is_resumed_by_the_next_call(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(http_files, "ATTEMPTS", 1)
    remote.cuts[SINGLE] = [1000]
    with pytest.raises(
        NetworkError, match=r"the connection ended after 1,000 of .* bytes; check the network .*then try again"
    ):
        hub.download(ID)
    (left,) = unfinished(tmp_path)
    assert left.stat().st_size == 1000
    folder = hub.download(ID)
    assert (folder / SINGLE).read_bytes() == remote.files[SINGLE]
    assert remote.asked_for(SINGLE) == [None, "bytes=1000-"]
    assert unfinished(tmp_path) == []


def test_a_line_that_breaks_often_but_moves_gets_there(remote):
    remote.cuts[SINGLE] = [700] * (2 * http_files.ATTEMPTS)
    assert (hub.download(ID) / SINGLE).read_bytes() == remote.files[SINGLE]


def test_a_line_that_never_moves_is_given_up(remote):
    remote.cuts[SINGLE] = [0] * 100
    with pytest.raises(NetworkError, match="the connection ended after 0 of"):
        hub.download(ID)
    assert len(remote.asked_for(SINGLE)) == http_files.ATTEMPTS


def test_a_server_without_ranges_starts_anew(remote):
    remote.ranges = False
    remote.cuts[SINGLE] = [1000]
    assert (hub.download(ID) / SINGLE).read_bytes() == remote.files[SINGLE]


def test_leftovers_that_are_too_long_are_thrown_away(remote, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / f"{SINGLE}.incomplete").write_bytes(b"x" * (len(remote.files[SINGLE]) + 1))
    hub.download(ID, folder)
    assert (folder / SINGLE).read_bytes() == remote.files[SINGLE]
    assert remote.asked_for(SINGLE) == [None]


@pytest.mark.parametrize(("name", "wrong"), [(SINGLE, "0" * 64), ("config.json", "0" * 40)])
def test_a_wrong_checksum_removes_the_file(remote, tmp_path, name, wrong):
    remote.stated[name] = wrong
    with pytest.raises(NetworkError, match=rf"{name}: the content does not match its checksum; it was removed"):
        hub.download(ID)
    assert unfinished(tmp_path) == []
    assert not any(path.name == name for path in tmp_path.rglob("*"))
    del remote.stated[name]
    assert hub.download(ID).is_dir()


def test_leftovers_of_another_file_are_found_by_the_checksum(remote, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / f"{SINGLE}.incomplete").write_bytes(b"x" * 100)
    with pytest.raises(NetworkError, match="does not match its checksum"):
        hub.download(ID, folder)
    assert hub.download(ID, folder) == folder


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"not found; check the spelling of ORGANISATION/NAME, .* \(HTTP 404\)"),
        (401, "gated, private or missing: accept its terms on its page and set HF_TOKEN"),
        (403, "access is not granted"),
        (407, "the proxy asks for a password: put it into HTTPS_PROXY"),
        (418, r"the server refused.* \(HTTP 418\)"),
    ],
)
def test_refusals(remote, status, message):
    remote.status["main"] = [status]
    with pytest.raises(NetworkError, match=message) as refused:
        genolm.load(ID)
    assert http_files.ELSEWHERE in str(refused.value)


@pytest.mark.parametrize(("status", "message"), [(429, "too many requests; .*HF_TOKEN"), (502, "the server failed")])
def test_a_busy_or_failing_server_that_stays_so_names_the_mirror_and_the_folder(remote, status, message):
    remote.status["main"] = [status] * 20
    with pytest.raises(NetworkError, match=message) as refused:
        genolm.load(ID)
    assert http_files.ELSEWHERE in str(refused.value)


def test_a_certificate_that_cannot_be_verified_names_what_to_set(remote, monkeypatch):
    """A server that speaks no TLS where TLS is expected fails in the same place as a wrong certificate."""
    monkeypatch.setenv("HF_ENDPOINT", remote.url.replace("http:", "https:"))
    with pytest.raises(NetworkError, match=r"SSL_CERT_FILE.*HF_ENDPOINT"):
        genolm.load(ID)


def test_a_proxy_that_is_not_there_is_named_as_a_cause(remote, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NetworkError, match=r"refused; check the network \(behind a proxy: HTTPS_PROXY\)"):
        genolm.load(ID)


def test_heads_are_downloaded_with_their_backbone(remote, tmp_path):
    plain = genolm.load("tiny-random", device="cpu")
    heads = {"labels": build_head(LabelHeadConfig(("a", "b")), plain.config)}
    model = genolm.Model(plain.network, plain.tokenizer, plain.card, heads=heads)
    folder = genolm.save(model, tmp_path / "saved")
    files = (path for path in folder.rglob("*") if path.is_file())
    remote.files = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    assert genolm.load(ID, device="cpu").fingerprint == model.fingerprint
    assert (genolm.download(ID, tmp_path / "plain") / "heads" / "labels.safetensors").is_file()


def test_an_adapter_on_the_hub_is_refused_before_its_weights_are_fetched(remote):
    remote.files["adapter_config.json"] = b"{}"
    with pytest.raises(ModelError, match=r"lab/model: holds a PEFT adapter, which genolm reads from a folder only"):
        hub.download(ID)
    assert not remote.asked_for(SINGLE)


def test_a_repository_folder_of_the_cache_stands_for_its_snapshot(remote, tmp_path):
    snapshot = hub.download(ID)
    root = hub.cache_folder() / "models--lab--model"
    assert genolm.load(root).fingerprint == genolm.load(snapshot).fingerprint
    assert describe(root)["parameters"] == describe(ID)["parameters"]
    (root / "refs" / "main").unlink()
    assert genolm.load(root).fingerprint == genolm.load(snapshot).fingerprint
    (root / "snapshots" / ("d" * 40)).mkdir()
    with pytest.raises(ModelError, match="models--lab--model: holds 2 snapshots of a model; give the folder"):
        genolm.load(root)


def test_without_a_home_the_cache_is_a_private_temporary_folder(monkeypatch, tmp_path):
    for name in ("GENOLM_CACHE", "HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "home", _homeless)
    assert hub.cache_folder() == tmp_path / f"genolm-{os.getuid()}" / "huggingface" / "hub"
    assert (tmp_path / f"genolm-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_somebody_elses_temporary_folder_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"genolm-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"genolm-{os.getuid()}").chmod(0o777)
    assert temporary_cache().parent == tmp_path
    assert temporary_cache().name != f"genolm-{os.getuid()}"
    assert temporary_cache().stat().st_mode & 0o777 == 0o700


def _homeless():
    raise RuntimeError("Could not determine home directory.")


def test_a_cache_that_cannot_be_written_serves_what_it_holds(remote, monkeypatch):
    first = hub.download(ID)
    monkeypatch.setattr(hub, "_cache_store", _read_only)
    assert hub.download(ID) == first
    (first / SINGLE).unlink()
    with pytest.raises(RunError, match="cannot be written: Read-only file system; set GENOLM_CACHE"):
        hub.download(ID)


def _read_only(*_):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_refused_file_of_a_gated_model(remote):
    remote.status[SINGLE] = [403]
    with pytest.raises(NetworkError, match=r"model\.safetensors: access is not granted"):
        genolm.load(ID)


def test_passing_faults_are_tried_again(remote):
    remote.status["main"], remote.status[SINGLE] = [503, 429], [500]
    assert hub.download(ID).is_dir()


def test_a_fault_that_stays(remote):
    remote.status["main"] = [503] * 20
    with pytest.raises(NetworkError, match="the server failed"):
        hub.download(ID)
    assert len(remote.requests) == http_files.ATTEMPTS


def test_the_users_token_opens_a_gated_model(remote, monkeypatch):
    remote.token = "hf_test"
    with pytest.raises(NetworkError, match="set HF_TOKEN"):
        hub.download(ID)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_test")
    assert hub.download(ID).is_dir()


def test_the_token_does_not_follow_to_another_host(remote, monkeypatch):
    other, server = serve(remote.files)
    try:
        monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_test")
        remote.redirect = other.url
        hub.download(ID)
        assert {token for _, _, token in remote.requests} == {"Bearer hf_test"}
        assert {token for _, _, token in other.requests} == {None}
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_network_the_cache_serves(remote, monkeypatch):
    first = hub.download(ID)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.download(ID) == first
    assert describe(ID)["parameters"] == genolm.load(ID).config.parameters


def test_without_a_network_and_a_cache(remote, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        NetworkError,
        match=r"127\.0\.0\.1:9/.*refused.*check the network .*set HF_ENDPOINT .* or give a folder",
    ):
        genolm.load("genos-1.2b")


def test_a_half_filled_cache_does_not_count(remote, monkeypatch):
    folder = hub.download(ID)
    (folder / SINGLE).unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        NetworkError,
        match=r"lab/model is incomplete in the cache and HF_HUB_OFFLINE forbids .* or give a folder",
    ):
        hub.download(ID)


def test_offline_asks_nobody(remote, monkeypatch):
    first = hub.download(ID)
    remote.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.download(ID) == first
    assert remote.requests == []


OLD = "0" * 39 + "1"


@pytest.fixture
def versioned(remote, folders):
    """The hub with a second, earlier version of the model, on a branch, in a pull request and under a tag."""
    remote.commits[OLD] = {**remote.files, SINGLE: save(folders.tensors(folders.mixtral, seed=1))}
    remote.branches |= {"v1.0": OLD, "lab/first": OLD, "refs/pr/1": OLD}
    return remote


@pytest.mark.parametrize("revision", ["v1.0", "lab/first", "refs/pr/1", OLD])
def test_a_revision_is_a_branch_a_tag_or_a_commit(versioned, folders, tmp_path, revision):
    expected = folders.tensors(folders.mixtral, seed=1)["lm_head.weight"]
    for model in (genolm.load(ID, revision=revision), genolm.load(f"{ID}@{revision}")):
        assert torch.equal(model.network.head.weight, expected)
    root = tmp_path / "home" / "hub" / "models--lab--model"
    assert [path.name for path in (root / "snapshots").iterdir()] == [OLD]
    written = [path for path in root.glob("refs/**/*") if path.is_file()]
    references = {str(path.relative_to(root / "refs")): path.read_text() for path in written}
    assert references == ({} if revision == OLD else {revision: OLD})


def test_revisions_live_side_by_side(versioned):
    main, old = genolm.load(ID), genolm.load(ID, revision="v1.0")
    assert main.fingerprint != old.fingerprint
    assert genolm.load(ID, revision="main").fingerprint == genolm.load(ID).fingerprint == main.fingerprint
    assert genolm.load(f"{ID}@{COMMIT}").fingerprint == main.fingerprint


def test_every_function_of_a_name_takes_a_revision(versioned, tmp_path, monkeypatch):
    old = genolm.load(ID, revision="v1.0").fingerprint
    name = f"{ID}@v1.0"
    assert genolm.load(genolm.download(name)).fingerprint == old
    assert genolm.load(genolm.download(name, tmp_path / "plain")).fingerprint == old
    assert genolm.load(genolm.convert(name, tmp_path / "converted", to="genolm")).fingerprint == old
    assert describe(name)["experts"] == 4
    assert genolm.score(name, "ACGTACGT").table.equals(genolm.score(genolm.load(name), "ACGTACGT").table)
    entry = replace(ZOO["genos-1.2b"], hub_id=ID)
    monkeypatch.setattr("genolm.models.zoo.zoo.ZOO", {entry.name: entry})
    model = genolm.load("genos-1.2b@v1.0")
    assert (model.fingerprint, model.card.name) == (old, "genos-1.2b")
    assert describe("genos-1.2b@v1.0")["parameters"] == model.config.parameters


def test_a_revision_that_the_hub_does_not_have(versioned, tmp_path):
    for load in (lambda: genolm.load(ID, revision="v9"), lambda: describe(f"{ID}@v9")):
        with pytest.raises(
            NetworkError, match=r"lab/model: the hub has no .* or no branch, tag or commit 'v9' in it \("
        ):
            load()
    assert not list(tmp_path.rglob("refs/*"))


@pytest.mark.parametrize("revision", ["", "..", "../../x", "/etc", "v1/../..", "v 1", "-x", "a@b"])
def test_a_revision_that_is_no_name_is_refused_before_the_hub_is_asked(versioned, revision):
    for load in (lambda: genolm.load(ID, revision=revision), lambda: genolm.load(f"{ID}@{revision}")):
        with pytest.raises(ModelError, match=r"lab/model: invalid revision .*: expected a branch, tag or commit"):
            load()
    assert versioned.requests == []


def test_two_revisions_must_agree(versioned):
    with pytest.raises(ModelError, match=r"lab/model@v1\.0: two revisions are given, 'v1.0' and 'main'"):
        genolm.load(f"{ID}@v1.0", revision="main")
    genolm.load(f"{ID}@v1.0", revision="v1.0")


def test_a_folder_and_a_built_in_model_have_no_revisions(tmp_path):
    for name in ("genolm-nano", "tiny-random", tmp_path, str(tmp_path)):
        with pytest.raises(ModelError, match="only models on the Hugging Face hub have revisions"):
            genolm.load(name, revision="v1.0")
        if isinstance(name, str):
            with pytest.raises(ModelError, match=r"have revisions \(revision 'v1.0'\)"):
                genolm.load(f"{name}@v1.0")


def test_a_folder_may_have_an_at_sign_in_its_name(tmp_path):
    folder = genolm.convert("tiny-random", tmp_path / "model@v1", to="genolm")
    assert genolm.load(str(folder)).fingerprint == genolm.load("tiny-random").fingerprint
    with pytest.raises(ModelError, match=r"model@v2: no such folder"):
        genolm.load(str(tmp_path / "model@v2"))


def test_offline_uses_only_what_was_downloaded(versioned, monkeypatch):
    main, old = genolm.load(ID).fingerprint, genolm.load(ID, revision="v1.0").fingerprint
    versioned.requests.clear()
    assert genolm.load(ID, offline=True).fingerprint == main
    for name in (f"{ID}@v1.0", f"{ID}@{OLD}"):
        assert genolm.load(name, offline=True).fingerprint == old
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert genolm.load(ID, revision="v1.0").fingerprint == old
    assert versioned.requests == []
    assert genolm.load(ID, offline=False).fingerprint == main
    assert versioned.requests != []


def test_offline_without_the_model(versioned, monkeypatch):
    for settings, named in (({}, "lab/model"), ({"revision": "v1.0"}, "revision v1.0 of lab/model")):
        with pytest.raises(NetworkError, match=f"^{named} is not in the cache and offline=True forbids downloading it"):
            genolm.load(ID, offline=True, **settings)
    assert versioned.requests == []
    (hub.download(f"{ID}@v1.0") / SINGLE).unlink()
    with pytest.raises(NetworkError, match=r"^revision v1.0 of lab/model is incomplete in the cache and offline=True"):
        genolm.load(ID, revision="v1.0", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    genolm.load(ID, revision="v1.0", offline=False)


def test_a_pickle_of_each_revision_is_rewritten(versioned, folders):
    for files, seed in ((versioned.files, 0), (versioned.commits[OLD], 1)):
        del files[SINGLE]
        files["pytorch_model.bin"] = pickled(folders.tensors(folders.mixtral, seed=seed))
    prints = [genolm.load(ID, revision=revision).fingerprint for revision in (None, "v1.0")]
    assert len(set(prints)) == 2
    assert [genolm.load(ID, revision=revision, offline=True).fingerprint for revision in (None, "v1.0")] == prints


def test_a_description_fetches_the_config_alone(remote):
    info = describe(ID)
    assert (info["name"], info["experts"], info["hub_id"]) == (ID, 4, ID)
    assert remote.asked_for(SINGLE) == []


def pickled(state) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


class Carrier:
    """Runs a line of Python when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def test_a_pickle_is_rewritten_once_as_safetensors(remote, folders, tmp_path, monkeypatch):
    del remote.files[SINGLE]
    tensors = folders.tensors(folders.mixtral)
    remote.files["pytorch_model.bin"] = pickled(tensors)
    model = genolm.load(ID)
    assert torch.equal(model.network.head.weight, tensors["lm_head.weight"])
    root = tmp_path / "home" / "hub" / "models--lab--model"
    assert not list((root / "snapshots").rglob("*.safetensors"))
    assert sorted(path.name for path in (root / "genolm").iterdir()) == [COMMIT]
    kept = load_file(root / "genolm" / COMMIT / SINGLE)
    assert kept.keys() == tensors.keys() and all(torch.equal(kept[name], tensors[name]) for name in kept)
    assert genolm.load(ID).fingerprint == model.fingerprint
    assert len(remote.asked_for("pytorch_model.bin")) == 1
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert genolm.load(ID).fingerprint == model.fingerprint


def test_a_gena_of_the_zoo_comes_from_its_pickle_with_its_card(remote, tmp_path, monkeypatch):
    values = CONFIGS["last"]
    write(tmp_path / "published", values, tensors_of(values))
    remote.files.clear()
    for name in ("config.json", "tokenizer.json"):
        remote.files[name] = (tmp_path / "published" / name).read_bytes()
    remote.files["pytorch_model.bin"] = pickled(tensors_of(values))
    entry = replace(ZOO["gena-lm-bert-base-lastln-t2t"], hub_id=ID)
    monkeypatch.setattr("genolm.models.zoo.zoo.ZOO", {entry.name: entry})
    model = genolm.load(entry.name)
    assert model.card.notes[: len(entry.card.notes)] == entry.card.notes and model.card.family == "gena-lm"
    assert model.config.final_norm and model.with_special_tokens(model.tokenizer.encode("ACC")).tolist()[0] == 1
    assert model.fingerprint == genolm.load(tmp_path / "published").fingerprint


def test_a_pickle_downloaded_to_a_folder_is_rewritten_there(remote, folders, tmp_path):
    del remote.files[SINGLE]
    for seed in (0, 1):  # the second one is another version of the model
        tensors = folders.tensors(folders.mixtral, seed=seed)
        remote.files["pytorch_model.bin"] = pickled(tensors)
        folder = genolm.download(ID, tmp_path / "plain")
        assert folder == tmp_path / "plain"
        assert torch.equal(genolm.load(folder).network.head.weight, tensors["lm_head.weight"])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_pickle_that_carries_code_is_refused(remote, tmp_path):
    del remote.files[SINGLE]
    remote.files["pytorch_model.bin"] = pickled({"a": Carrier()})
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: names .*exec, which is not plain data"):
        genolm.load(ID)
    assert not list(tmp_path.rglob(SINGLE))


def test_a_repository_without_weights(remote):
    del remote.files[SINGLE], remote.files["pytorch_model.bin"]
    with pytest.raises(ModelError, match=r"lab/model: has neither safetensors nor pytorch_model\.bin"):
        genolm.load(ID)


def test_a_repository_without_a_config(remote):
    del remote.files["config.json"]
    with pytest.raises(ModelError, match=r"lab/model: has no config\.json"):
        hub.download(ID)


def test_an_answer_that_is_no_hubs(remote, monkeypatch):
    monkeypatch.setattr(Hub, "listing", lambda self: b"<html>")
    with pytest.raises(NetworkError, match="not JSON; is HF_ENDPOINT correct"):
        hub.download(ID)
    monkeypatch.setattr(Hub, "listing", lambda self: b"{}")
    with pytest.raises(NetworkError, match="the answer lacks 'siblings'"):
        hub.download(ID)


def test_no_room_on_the_disk(remote, monkeypatch):
    monkeypatch.setattr(http_files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(ResourceError, match="10 free"):
        hub.download(ID)


def test_progress_tells_the_files_name_and_ends_at_its_size(remote):
    told: list[tuple[str, int, int]] = []
    hub.download(ID, progress=lambda *what: told.append(what))
    size = len(remote.files[SINGLE])
    assert (SINGLE, size, size) in told
    assert all(done <= total for _, done, total in told)


@pytest.mark.parametrize("look", [1, 2])
def test_an_unfinished_file_that_another_process_removes_is_opened_again(tmp_path, monkeypatch, look):
    """The other process removes it before the first or the second look at it."""
    partial, looks = tmp_path / "blob.incomplete", []
    stat = Path.stat

    def another_process_is_faster(path, **settings):
        looks.extend([path] if path == partial else [])
        if path == partial and len(looks) == look:
            partial.unlink()
        return stat(path, **settings)

    monkeypatch.setattr(Path, "stat", another_process_is_faster)
    with http_files._alone(partial) as stream:
        stream.write(b"weights")
    monkeypatch.undo()
    assert partial.read_bytes() == b"weights"


def test_processes_that_link_the_same_file_leave_the_blob_in_place(tmp_path, monkeypatch):
    blob, pointer = tmp_path / "blobs" / "digest", tmp_path / "snapshots" / "commit" / SINGLE
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    original = Path.unlink

    def another_process_is_faster(path, missing_ok=False):
        original(path, missing_ok=missing_ok)
        if not pointer.is_symlink():
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))

    monkeypatch.setattr(Path, "unlink", another_process_is_faster)
    hub._point(pointer, blob)
    assert pointer.is_symlink() and blob.read_bytes() == b"weights" == pointer.read_bytes()
    assert [path.name for path in pointer.parent.iterdir()] == [SINGLE]


DOWNLOAD = "import sys; from genolm.models.checkpoints.download import download; print(download(sys.argv[1]))"


def test_processes_that_want_the_same_model_share_one_download(remote):
    remote.pause = 1.0  # until the others have started
    running = [
        subprocess.Popen([sys.executable, "-c", DOWNLOAD, ID], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    folders = {process.communicate(timeout=60)[0].strip() for process in running}
    assert all(process.returncode == 0 for process in running)
    (folder,) = folders
    assert (Path(folder) / SINGLE).read_bytes() == remote.files[SINGLE]
    assert remote.asked_for(SINGLE) == [None]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GENOLM_CACHE": "/a", "HF_HUB_CACHE": "/b"}, "/a"),
        ({"HF_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/b"),
        ({"HF_HOME": "/c"}, "/c/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
    ],
)
def test_where_the_cache_is(monkeypatch, variables, expected):
    for name in ("GENOLM_CACHE", "HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub.cache_folder() == Path(expected)
