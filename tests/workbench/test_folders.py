from pathlib import Path

import pytest

from dysample.workbench.folders import alone_in


def test_a_folder_is_one_command_s(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with alone_in(folder):
        other = alone_in(folder)
        with pytest.raises(ValueError, match=r"new\) is in use by another run of dysample"):
            other.__enter__()
    with alone_in(folder):
        assert folder.is_dir()
