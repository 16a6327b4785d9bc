"""The operators need torch alone, and importing them is quiet."""

import subprocess
import sys


def test_import_loads_nothing_heavy_and_prints_nothing() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import dysample;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "heavy = new & {'lightning', 'matplotlib', 'torchmetrics', 'torchvision', 'rich', 'PIL',"
        " 'jsonargparse', 'numpy', 'onnx', 'onnxruntime', 'onnxscript', 'huggingface_hub',"
        " 'safetensors'};"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
