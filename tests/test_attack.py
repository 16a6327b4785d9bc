"""The campaign of `make attack`: a few attacks of each kind, and faults that it must find."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="attacks are made in forks")

TESTS = Path(__file__).parent


def attack(*arguments: str, planted: str = "") -> subprocess.CompletedProcess[str]:
    """The campaign in a process of its own, which forks; `planted` is run before it."""
    text = f"import sys\nfrom attack.__main__ import main\n{planted}\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}",
             "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


QUICK = ["image", "mask", "coco", "panoptic", "yaml", "hub", "append", "words"]
TRAINED = ["checkpoint", "kill-train", "kill-compare", "file-size", "open-files"]


def test_attacks_of_each_kind_are_counted() -> None:
    kinds = [argument for kind in (*QUICK, *TRAINED) for argument in ("--kind", kind)]
    done = attack("--each", "1", *kinds)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^coco +1 of 1 bad inputs +\d+ s  0 failed$", done.stdout, re.MULTILINE)
    assert re.search(
        r"\n9 bad inputs, 0 failed\n[2-8] kills, 0 failed\n2 limits, 0 failed\n$", done.stdout
    )


PLANTED = """
from pathlib import Path
from unittest.mock import patch

def spoil(path):
    path.write_text("")
    raise ValueError("no")

patch("dysample.workbench.data.coco_json._load", side_effect=KeyError("nope")).start()
patch("dysample.hub.read_config", spoil).start()
"""


def test_planted_faults_are_found_and_can_be_repeated() -> None:
    """A reader that raises what nobody foresaw, and a refusal that has written before."""
    done = attack("--kind", "coco", "--kind", "hub", "--seed", "123", planted=PLANTED)
    assert done.returncode == 1
    assert "coco 123: a traceback; stderr: " in done.stdout
    assert "KeyError: 'nope'" in done.stdout.replace("\\", "")
    assert '  repeat: make attack ARGS="--kind coco --seed 123"\n' in done.stdout
    assert "hub 123: up/config.json: changed, although refused: dysample: error: no" in done.stdout
    assert '  repeat: make attack ARGS="--kind hub --seed 123"\n' in done.stdout
    assert done.stdout.endswith("\n2 bad inputs, 2 failed\n")


STOPPED = """
from unittest.mock import patch
from attack.kinds import Outcome
patch("attack.campaign.one", side_effect=[Outcome(), Outcome(), KeyboardInterrupt]).start()
"""


def test_a_stopped_campaign_has_counts() -> None:
    done = attack("--kind", "words", planted=STOPPED)
    assert done.returncode == 130
    assert done.stdout.endswith("\n2 bad inputs, 0 failed\n")
