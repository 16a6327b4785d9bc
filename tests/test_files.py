from pathlib import Path

from dysample.files import sweep, whole_file


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.yaml") as file:
        file.write(b"whole")
        (half,) = tmp_path.iterdir()
    (tmp_path / half.name).write_bytes(b"half")
    (tmp_path / "b.part").write_text("another's")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.part"]
