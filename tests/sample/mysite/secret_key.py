"""Django's secret key, made once per data folder and never part of a release."""

import os
import secrets
import tempfile
from pathlib import Path


def load_or_make(path: Path) -> str:
    """The key at `path`. Several processes may start at once: the first to link its file there wins, whole or not at all."""
    if not path.exists():
        # mkstemp makes the file readable by its owner only.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(50))
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text()
