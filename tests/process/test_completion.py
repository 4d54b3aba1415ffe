"""The script that `frostgate-server completion` prints, in a real bash."""

from pathlib import Path

import pytest
from support.processes import output, run
from support.server_process import COMMAND

REPLIES = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
_shtab_frostgate_server
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "frostgate-server.bash"
    path.write_text(output(*COMMAND, "completion", "bash"))
    return path


@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["st"], {"stats"}),
        (["serve", "--unknown"], {"--unknown-customer"}),
        (["serve", "--database", "fro"], {"frostgate.db"}),
        (["stats", "--format", "j"], {"json"}),
        (["serve", "--tls-certificate", "fro"], {"frostgate.db"}),
        (["restore", "fro"], {"frostgate.db"}),
        (["completion", "z"], {"zsh"}),
    ],
    ids=" ".join,
)
def test_bash_completes_commands_options_values_and_files(
    script: Path, words: list[str], replies: set[str], tmp_path: Path
) -> None:
    (tmp_path / "frostgate.db").touch()
    (tmp_path / "other").touch()
    replied = output("bash", "-c", REPLIES, "bash", script, "frostgate-server", *words, cwd=tmp_path)
    assert set(replied.split()) == replies


def test_a_shell_without_a_script_is_refused_by_name() -> None:
    done = run(*COMMAND, "completion", "csh")
    assert done.returncode == 2
    assert "invalid choice: 'csh'" in done.stderr
