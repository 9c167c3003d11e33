"""`samkat export` as a person runs it, and its files as other programs read them: pymarc and yaz-marcdump."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymarc
import pytest

from deployments.sample import write_catalogue, write_night
from tests.integration.commands import SAMKAT, Done, environment_of, samkat

pytestmark = pytest.mark.integration


class Home:
    """A home with the sample consortium's catalogue and one day file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment_of(folder, SAMKAT_DATA_DOCS="off")

    def samkat(self, *arguments: str) -> Done:
        return samkat(self.environment, *arguments)

    def exports(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """Run an export; its lines by profile."""
        done = self.samkat("export", *arguments, "--json")
        assert done.code == 0, done.err
        return {each["profile"]: each for each in done.document()["exports"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("exports")
    found = Home(folder / "home")
    assert found.samkat("init").code == 0
    files = [str(path) for path in write_catalogue(folder / "catalogue", 1)]
    loaded = found.samkat("catalogue", "load", *files, "--delta")
    assert loaded.code == 0, loaded.err
    yield found
    found.samkat("server", "stop")


@pytest.fixture(scope="module")
def first(home: Home) -> dict[str, dict[str, Any]]:
    """The first files: everything."""
    return home.exports()


def path_of(line: dict[str, Any]) -> Path:
    return Path(str(line["uri"]).removeprefix("file://"))


def yaz(*arguments: str | Path) -> str:
    if shutil.which("yaz-marcdump") is None:
        pytest.skip("yaz-marcdump is not here (Debian package yaz)")
    done = subprocess.run(["yaz-marcdump", *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == b""
    return done.stdout.decode("utf-8")


def test_yaz_reads_every_file_without_complaint(first: dict[str, dict[str, Any]]) -> None:
    solberg, nordhavet, portal = (first[name] for name in ("solberg", "nordhavet", "portal"))
    assert yaz("-n", path_of(solberg)) == ""
    lines = yaz(path_of(solberg)).splitlines()
    assert sum(line.startswith("001 ") for line in lines) == solberg["counts"]["records"]
    assert not [line for line in lines if line.startswith("<!--")]
    latin = yaz("-f", "iso8859-1", "-t", "utf-8", path_of(nordhavet))
    assert latin.count("\n001 ") == nordhavet["counts"]["records"]
    assert "Nordhavet" in latin or "ö" in latin
    assert yaz("-i", "marcxml", "-o", "line", path_of(portal)).count("\n001 ") == portal["counts"]["records"]


def test_pymarc_reads_every_record(first: dict[str, dict[str, Any]]) -> None:
    solberg = first["solberg"]
    with path_of(solberg).open("rb") as file:
        reader = pymarc.MARCReader(file, to_unicode=True, permissive=False)
        records = [record for record in reader if record is not None]
    assert len(records) == solberg["counts"]["records"]
    bibs = {record["001"].data for record in records if record.leader[6] != "x"}
    links = {record["004"].data for record in records if record.leader[6] == "x"}
    assert links == bibs
    assert {each["b"] for record in records for each in record.get_fields("852")} == {"SOLB", "SOLG"}
    assert len(pymarc.parse_xml_to_array(str(path_of(first["portal"])))) == first["portal"]["counts"]["records"]


def test_the_next_file_has_what_a_supplier_delivered_since(
    home: Home, first: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    night = {path.name.rsplit("_", 1)[-1]: path for _, path, _ in write_night(tmp_path, 1)}
    assert home.samkat("ingest", str(night["dagfil.mrc"]), "--supplier", "NORDBOK").code == 0
    previewed = home.exports("--dry-run")
    assert [each["state"] for each in previewed.values()] == ["preview"] * 3
    second = home.exports()
    assert {name: each["counts"] for name, each in second.items()} == {
        name: each["counts"] for name, each in previewed.items()
    }
    assert second["portal"]["counts"]["bibs_written"] >= 5
    assert path_of(second["portal"]).name == "portal.20250314-2.xml"
    assert home.exports("--profile", "solberg")["solberg"]["state"] == "nothing"
    again = home.exports("--profile", "solberg", "--since", "1970-01-01")["solberg"]
    assert again["counts"]["bibs_written"] >= first["solberg"]["counts"]["bibs_written"]
    assert home.exports("--profile", "solberg")["solberg"]["state"] == "nothing"


def test_a_wrong_window_or_profile_ends_in_words(home: Home) -> None:
    wrong = home.samkat("export", "--profile", "solberg", "--since", "yesterday")
    assert (wrong.code, "'yesterday' is no day or moment" in wrong.err) == (2, True)
    unknown = home.samkat("export", "--profile", "solbreg")
    assert (unknown.code, "known names: nordhavet, portal, solberg" in unknown.err) == (2, True)


def test_killed_amid_an_export_the_next_one_sends_everything_once(home: Home) -> None:
    """Killed with SIGKILL at several moments, with a receiver's place of its own for each."""
    for moment, seconds in enumerate((0.5, 1.5)):
        place = home.folder / f"place-{moment}"
        place.mkdir()
        register = home.folder / f"register-{moment}"
        source = Path(__file__).parents[2] / "config" / "register"
        shutil.copytree(source, register)
        profile = f'[[export_profile]]\nname = "kill-{moment}"\nreceiver = "K"\nlibraries = ["*"]\nplace = "{place}"\n'
        (register / "export_profiles.toml").write_text(profile, encoding="utf-8")
        environment = {**home.environment, "SAMKAT_REGISTER": str(register)}
        process = subprocess.Popen(
            [SAMKAT, "export"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "choose profiles" in line:
                break
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        done = samkat(environment, "export", "--json")
        assert done.code == 0, done.err
        files = list(place.rglob("*.marc"))
        manifests = [json.loads(path.read_text()) for path in place.rglob("*.manifest.json")]
        assert len(files) == len(manifests) == 1
        with files[0].open("rb") as file:
            assert sum(1 for _ in pymarc.MARCReader(file)) == manifests[0]["counts"]["records"]
