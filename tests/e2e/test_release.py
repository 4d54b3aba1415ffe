"""What a package index gets: both distributions and their pages."""

import re
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.distributions import build_distributions, build_wheel
from support.processes import output
from support.runner.built_once import built_once

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/frostgate/frostgate"
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMES = ("frostgate_client", "frostgate_server")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the source of each distribution."""
    return built_once(tmp_path_factory, "distributions", build_distributions)


def metadata(dist: Path, name: str) -> dict[str, list[str]]:
    """The fields of a wheel's metadata; the readme under "Readme"."""
    (wheel,) = dist.glob(f"{name}-*.whl")
    with ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        message = Parser().parsestr(archive.read(path).decode())
    return {**{key: message.get_all(key, []) for key in message}, "Readme": [str(message.get_payload())]}


@pytest.mark.parametrize("name", NAMES)
def test_a_package_index_takes_the_files_without_a_warning(dist: Path, name: str) -> None:
    files = sorted(dist.glob(f"{name}-*"))
    assert [file.suffix for file in files] == [".whl", ".gz"]
    printed = output(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files)
    assert printed.count("PASSED") == len(files)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_on_the_index_links_to_files_of_this_version(dist: Path, name: str) -> None:
    found = metadata(dist, name)
    (version,) = found["Version"]
    assert found["Project-URL"] == [f"Repository, {REPOSITORY}"]
    links = LINK.findall(found["Readme"][0])
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    own = [link for link in links if link.startswith(f"{REPOSITORY}/")]
    assert own
    for link in own:
        path, _, _ = link.removeprefix(f"{REPOSITORY}/blob/v{version}/").partition("#")
        assert (ROOT / path).exists(), link


def test_both_distributions_have_one_version_and_the_changelog_tells_it(dist: Path) -> None:
    versions = {metadata(dist, name)["Version"][0] for name in NAMES}
    (version,) = versions
    assert f"\n## {version} - " in (ROOT / "CHANGELOG.md").read_text()
    assert f"frostgate-client=={version}" in metadata(dist, "frostgate_server")["Requires-Dist"]


@pytest.mark.parametrize("name", NAMES)
def test_the_source_distribution_builds_the_same_wheel(dist: Path, name: str, tmp_path: Path) -> None:
    (source,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    build_wheel(project, tmp_path / "out")
    (wheel,), (again,) = dist.glob(f"{name}-*.whl"), (tmp_path / "out").iterdir()
    with ZipFile(wheel) as first, ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())
