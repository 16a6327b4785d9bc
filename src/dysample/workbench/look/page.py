"""`show` as a local web page: choose an image and a model, click a pixel."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

# Read when gradio is imported: nothing is sent anywhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from PIL import Image, ImageDraw

from dysample.checks import one_line
from dysample.workbench.look.figure import draw
from dysample.workbench.look.gate import Gate
from dysample.workbench.look.picture import MOST_BYTES, load_picture
from dysample.workbench.look.subject import Subject, look_at
from dysample.workbench.look.view import place_of

SCENES = 100
"""Embedded frames that the slider reaches."""
SHOWN = 512
"""Longest side of the image that is clicked, in pixels."""
KEPT = 8
"""Pairs of model and image that need not be computed again for another pixel."""
WAITING = 16
"""Clicks that may wait at a time."""
MISTAKES = (ValueError, TypeError, FileNotFoundError)

_CSS = """
#figure .image-container { overflow-x: auto; }
#figure .image-container > button { min-width: 900px; }
#image img { cursor: crosshair; image-rendering: pixelated; }
footer { display: none !important; }
"""
_FONTS = ["system-ui", "sans-serif"]  # the reader's own: none is fetched


def build_page(models: Mapping[str, Path]) -> gr.Blocks:
    """Build the page.

    Args:
        models: folders of runs or checkpoints, by the names to choose from.
    """
    labels = list(models)

    @lru_cache(maxsize=KEPT)
    def subject_of(label: str, source: str) -> Subject:
        return look_at(models[label], source)

    def render(label: str, source: str, pixel: tuple[int, int] | None) -> tuple[Any, Any, str]:
        subject = subject_of(label, source)
        place = place_of(subject, pixel)
        png = io.BytesIO()
        draw(subject, place).figure.savefig(png, format="png")
        figure = Image.open(png, formats=("PNG",))
        H, W = subject.size
        where = "chosen by the features" if pixel is None else f"{pixel[0]}, {pixel[1]}"
        status = f"{subject.name}, {W}x{H}, pixel {where}. Click the image for another one."
        return _clickable(source, subject, place), figure, status

    with gr.Blocks(
        title="dysample: looking inside", analytics_enabled=False, fill_width=True
    ) as page:
        source, pixel = gr.State("scene:0"), gr.State(None)
        gr.Markdown("## Looking inside an upsampler")
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                label = gr.Dropdown(labels, value=labels[0], label="Model", elem_id="model")
                number = gr.Slider(
                    0, SCENES - 1, value=0, step=1, label="Embedded scene", elem_id="scene"
                )
                upload = gr.UploadButton(
                    f"Upload (up to {MOST_BYTES // 2**20} MB)",
                    file_types=["image"],
                    elem_id="upload",
                )
                image = gr.Image(
                    label="Click a pixel",
                    interactive=False,
                    format="png",
                    buttons=[],
                    elem_id="image",
                )
                status = gr.Markdown(elem_id="status")
            with gr.Column(scale=4, min_width=320):
                figure = gr.Image(
                    show_label=False,
                    interactive=False,
                    format="png",
                    buttons=["download", "fullscreen"],
                    elem_id="figure",
                )

        outputs = [source, pixel, image, figure, status]

        def on_scene(label: str, number: float) -> Any:
            name = f"scene:{int(number)}"
            return name, None, *render(label, name, None)

        def on_upload(label: str, path: str) -> Any:
            load_picture(path)
            return path, None, *render(label, path, None)

        def on_model(label: str, source: str, pixel: tuple[int, int] | None) -> Any:
            return source, pixel, *render(label, source, pixel)

        def on_click(label: str, source: str, event: gr.SelectData) -> Any:
            H, W = subject_of(label, source).size
            height, width = _shown_size((H, W))
            x, y = event.index
            chosen = min(H - 1, int(y * H / height)), min(W - 1, int(x * W / width))
            return source, chosen, *render(label, source, chosen)

        def bind(event: Any, action: Callable[..., Any], inputs: list[Any]) -> None:
            event(
                _told(action),
                inputs,
                outputs,
                api_visibility="private",
                concurrency_id="looking",
                trigger_mode="always_last",
                show_progress_on=figure,
            )

        bind(page.load, on_scene, [label, number])
        bind(number.change, on_scene, [label, number])
        bind(label.change, on_model, [label, source, pixel])
        bind(upload.upload, on_upload, [label, upload])
        bind(image.select, on_click, [label, source])
    page.queue(default_concurrency_limit=1, max_size=WAITING, api_open=False)
    blocks: gr.Blocks = page
    return blocks


@contextmanager
def serve(models: Mapping[str, Path], host: str, port: int | None) -> Iterator[str]:
    """Serve the page in background threads until the context ends; yields its address.

    Args:
        models: see `build_page`.
        host: address to listen at.
        port: to listen at; None for a free one from 7860 on.

    Raises:
        ValueError: the address cannot be listened at.
    """
    # Uploads are kept as long as the page is served.
    with tempfile.TemporaryDirectory(prefix="dysample-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build_page(models)

        @asynccontextmanager
        async def gated(app: Any) -> AsyncIterator[None]:
            """Before the first request is taken."""
            app.middleware_stack = Gate(app.middleware_stack, host, Path(folder), events_of(page))
            yield

        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                max_file_size=MOST_BYTES,
                app_kwargs={"lifespan": gated},
                theme=gr.themes.Default(font=_FONTS, font_mono=["monospace"]),
                css=_CSS,
                footer_links=[],
                share=False,
                ssr_mode=False,
                prevent_thread_lock=True,
                quiet=True,
            )
        except OSError as error:
            wanted = "7860 to 7959" if port is None else port
            raise ValueError(
                f"`port` (={wanted}) must be free, and `host` (={host}) an address of this machine"
            ) from error
        try:
            yield address
        finally:
            page.close(verbose=False)


def events_of(page: gr.Blocks) -> Callable[[Any], None]:
    """A check that raises ValueError for an event that no visitor of the page can cause."""

    def check(event: Any) -> None:
        number = event.get("fn_index") if isinstance(event, dict) else None
        if type(number) is not int or number not in page.fns:
            raise ValueError(
                f"`fn_index` (={number!r}) must be one of {', '.join(map(str, page.fns))}"
            )
        function, data = page.fns[number], event.get("data")
        if not isinstance(data, list) or len(data) != len(function.inputs):
            raise ValueError(f"`data` must be a list of {len(function.inputs)} values")
        for component, value in zip(function.inputs, data):
            _check_value(component, value)
        if any(kind == "select" for _, kind in function.targets):
            _check_index(event.get("event_data"))

    return check


def _check_value(component: Any, value: Any) -> None:
    """Raise unless a component can have that value."""
    name = component.elem_id
    if isinstance(component, gr.Dropdown):
        known = [choice for _, choice in component.choices]
        if value not in known:
            raise ValueError(f"`{name}` (={value!r}) must be one of {', '.join(map(str, known))}")
    elif isinstance(component, gr.Slider):
        if type(value) not in (int, float) or not component.minimum <= value <= component.maximum:
            raise ValueError(
                f"`{name}` (={value!r}) must be from {component.minimum} to {component.maximum}"
            )
    elif isinstance(component, gr.UploadButton) and not isinstance(value, dict):
        raise ValueError(f"`{name}` (={value!r}) must be a file")


def _check_index(event: Any) -> None:
    """Raise unless a click says where."""
    index = event.get("index") if isinstance(event, dict) else None
    if (
        not isinstance(index, list)
        or len(index) != 2
        or any(type(place) not in (int, float) or not 0 <= place <= SHOWN for place in index)
    ):
        raise ValueError(f"`index` (={index!r}) must be column and row of a pixel that is shown")


def _told(action: Callable[..., Any]) -> Callable[..., Any]:
    """Show errors as a message on the page."""

    @wraps(action)
    def call(*values: Any) -> Any:
        try:
            return action(*values)
        except MISTAKES as error:
            raise gr.Error(one_line(error), print_exception=False) from error

    return call


def _shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which an image is clicked."""
    scale = SHOWN / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _clickable(source: str, subject: Subject, place: tuple[int, int]) -> Image.Image:
    """The image, large enough to be clicked, with a frame around the output pixel."""
    height, width = _shown_size(subject.size)
    picture = load_picture(source)
    if picture.scene is None:
        shown = Image.fromarray(picture.at((height, width)))
    else:
        nearest = Image.Resampling.NEAREST
        shown = Image.fromarray(subject.image).resize((width, height), nearest)
    Y, X = subject.call.size
    left, top = (place[1] - 1) * width / X, (place[0] - 1) * height / Y
    box = [left, top, left + 3 * width / X, top + 3 * height / Y]
    pen = ImageDraw.Draw(shown)
    pen.rectangle(box, outline="white", width=5)
    pen.rectangle(box, outline="black", width=2)
    return shown
