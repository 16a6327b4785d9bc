"""Decoding of what a run carries: pictures and sampling positions."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.record import Sampling, read_records
from dysample.workbench.report.samples import decode_frame, decode_positions, regular_positions


def test_positions_are_little_endian_256ths_group_then_axis_then_row():
    values = np.arange(2 * 2 * 4 * 6, dtype=np.int16).reshape(2, 2, 4, 6) - 40
    stored = b"".join(int(value).to_bytes(2, "little", signed=True) for value in values.flat)
    sampling = Sampling(2, 3, 4, 6, 2, base64.b64encode(stored).decode())
    positions = decode_positions(sampling)
    assert positions.shape == (2, 2, 4, 6)
    assert positions[1, 0, 2, 3] == values[1, 0, 2, 3] / 256
    np.testing.assert_array_equal(positions * 256, values)


def test_regular_positions_of_a_fractional_scale():
    x, y = regular_positions(Sampling(2, 3, 4, 5, 1, ""))
    np.testing.assert_allclose(y[:, 0], [-0.25, 0.25, 0.75, 1.25])
    np.testing.assert_allclose(x[0], [(X + 0.5) * 3 / 5 - 0.5 for X in range(5)])
    assert x.shape == y.shape == (4, 5)


def test_positions_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"`positions` has 3 bytes, \(1, 2, 2, 2\) needs 16"):
        decode_positions(Sampling(1, 1, 2, 2, 1, base64.b64encode(b"abc").decode()))
    with pytest.raises(ValueError, match="`positions` is not base64"):
        decode_positions(Sampling(1, 1, 2, 2, 1, "?"))


def test_frames_of_any_shape(entry, write):
    (record,) = read_records(write([entry(size=(30, 40), frames=1)]))
    frame = decode_frame(record, record.samples[0])
    assert frame.image.shape == (30, 40, 3)
    assert frame.label.shape == frame.prediction.shape == (30, 40)
    assert (frame.label[:, -2:] == 255).all()


def test_a_broken_picture_is_named(entry, write):
    (record,) = read_records(write([entry(frames=1)]))
    broken = dataclasses.replace(record.samples[0], label="AAAA")
    with pytest.raises(ValueError, match=r"line 1: sample 0, `label` is not a readable"):
        decode_frame(record, broken)


def test_only_the_formats_of_records_are_opened(entry, write):
    (record,) = read_records(write([entry(frames=1)]))
    for form in ("EPS", "GIF", "TIFF"):
        picture = io.BytesIO()
        Image.new("L", (64, 64)).save(picture, form)
        text = base64.b64encode(picture.getvalue()).decode()
        with pytest.raises(ValueError, match=r"sample 0, `label` is not a readable base64 picture"):
            decode_frame(record, dataclasses.replace(record.samples[0], label=text))


def test_pictures_of_different_sizes_are_refused(entry, write):
    one, other = read_records(write([entry(frames=1), entry(frames=1, size=(30, 40))]))
    mixed = dataclasses.replace(one.samples[0], prediction=other.samples[0].prediction)
    with pytest.raises(ValueError, match=r"sample 0: .* of one size, not .*\(30, 40\)"):
        decode_frame(one, mixed)
