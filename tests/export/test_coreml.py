"""Core ML programs, converted as docs/export/coreml.md says; only a Mac can run them."""

from __future__ import annotations

import pytest
import torch

import dysample
from support.exports import SAMPLING, UPSAMPLERS
from support.ncnn_files import FORMS, model_and_inputs

ct = pytest.importorskip("coremltools")

CASES = [
    pytest.param(name, sampler, form, marks=() if name == "dysample" else pytest.mark.slow)
    for name in UPSAMPLERS
    for sampler in (("grid_sample", "gather") if name in SAMPLING else ("grid_sample",))
    for form in FORMS
]


@pytest.mark.parametrize(("name", "sampler", "form"), CASES)
@pytest.mark.filterwarnings("ignore")  # coremltools' own
def test_it_converts(name: str, sampler: str, form: str) -> None:
    model, inputs = model_and_inputs(name, form)
    with dysample.backend(sampler), torch.no_grad():
        wanted = model(*inputs)
        program = torch.export.export(model, inputs).run_decompositions({})
    converted = ct.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    main = converted._mil_program.functions["main"]
    assert [tuple(out.shape) for out in main.outputs] == [tuple(wanted.shape)]
    for sampling in main.find_ops(op_type="resample"):
        assert sampling.sampling_mode.val == "bilinear"
        assert sampling.padding_mode.val == "constant"
        assert sampling.padding_value.val == 0
        assert sampling.coordinates_mode.val == "normalized_minus_one_to_one"
        assert not sampling.align_corners.val
