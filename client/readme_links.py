"""A build hook of hatchling: makes the links of a readme absolute, so that they work on the page of a package index.

Links into the repository are relative in the file. `[project.urls]` contains the address of the repository.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def absolute_links(text: str, *, base: str, directory: str) -> str:
    """Makes the links of Markdown absolute. `base` is the repository's address, `directory` the text's path in it."""

    def absolute(link: re.Match[str]) -> str:
        path, number_sign, heading = link[1].partition("#")
        return f"]({base}/{posixpath.normpath(posixpath.join(directory, path))}{number_sign}{heading})"

    return _LINK.sub(absolute, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the readme. Its configuration contains the `directory` of the project in the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Sets the README.md of the project as the readme. Links point to the files of the released version."""
        base = f"{metadata['urls']['Repository']}/blob/v{metadata['version']}"
        text = Path(self.root, "README.md").read_text("utf-8")
        readme = absolute_links(text, base=base, directory=self.config["directory"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
