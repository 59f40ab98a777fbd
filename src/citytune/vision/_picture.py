"""Turn one picture, as a file or as bytes, into colours of one size; say what is wrong with it."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, MissingWeights

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = Path | bytes
Colours: TypeAlias = NDArray[np.uint8]
"""(row, column, 3), red, green, blue in 0…255."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What is opened; other kinds, such as PostScript, may run programs."""
MOST_PIXELS = 64_000_000
"""A picture of more is refused before it is unpacked: a small file may unpack to gigabytes."""
MOST_BYTES = 200_000_000
DEEP = ("I;16", "I;16B", "I;16L", "I")
"""Modes of grey pictures in 16 bits."""
MOST_DEEP = 65_535
TAKEN_AT = (36867, 306)
"""EXIF's DateTimeOriginal and DateTime."""
THREADS = 4


@dataclass(frozen=True)
class Look:
    """What a picture is like."""

    fault: str = ""
    """Why it cannot be used; empty if it can."""
    size: tuple[int, int] = (0, 0)
    """Columns and rows."""
    kind: str = ""
    """"grey", "CMYK" or "16-bit", if it must be converted; empty if not."""
    taken: str = ""
    """When, as the camera wrote it."""


def needs_pillow() -> None:
    """Raise unless Pillow is installed."""
    if importlib.util.find_spec("PIL") is None:
        raise MissingWeights(
            "pictures need the Python package pillow: run `pip install 'citytune[vision]'`"
        )


def look_at(picture: Picture) -> Look:
    """Open and unpack one picture; whatever is wrong with it is said in `fault`."""
    try:
        with _opened(picture) as image:
            exif = image.getexif()
            inner = exif.get_ifd(34665)
            taken = str(inner.get(TAKEN_AT[0]) or exif.get(TAKEN_AT[1]) or "")
            image.load()
            _check_depth(image)
            return Look("", image.size, _kind(image), taken)
    except InputError as error:
        return Look(str(error))


def look_at_all(pictures: Sequence[Picture]) -> list[Look]:
    """Of every picture what it is like, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(look_at, pictures))


def decode(picture: Picture, pixels: int) -> Colours:
    """The whole picture, resized to a square of so many pixels a side.

    Grey becomes three equal colours, CMYK is converted, 16 bits become 8 by division (not by
    cutting off what is above 255), a transparent ground black, and a photograph that lies on its
    side is turned as its EXIF says. Nothing is cropped, as counts are of whole pictures.

    Raises:
        InputError: it is broken, or too large.
    """
    from PIL import Image, ImageOps

    with _opened(picture) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * pixels, 2 * pixels))  # unpacks a large one at a part of its size
        turned = ImageOps.exif_transpose(image)
        square = _to_colours(turned).resize((pixels, pixels), Image.Resampling.BICUBIC)
        return np.array(square, dtype=np.uint8)


def decode_all(pictures: Sequence[Picture], pixels: int) -> Colours:
    """(picture, row, column, 3) of several."""
    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(lambda one: decode(one, pixels), pictures)))


def _to_colours(image: Image) -> Image:
    from PIL import Image

    if image.mode in DEEP:
        shallow = np.asarray(image).astype(np.float64) / 257
        image = Image.fromarray(shallow.round().clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def _kind(image: Image) -> str:
    if image.mode in DEEP:
        return "16-bit"
    return {"L": "grey", "LA": "grey", "1": "grey", "CMYK": "CMYK"}.get(image.mode, "")


@contextmanager
def _opened(picture: Picture) -> Iterator[Any]:
    """An open picture; whatever goes wrong with it while it is used is an `InputError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        source: Any = io.BytesIO(picture) if isinstance(picture, bytes) else picture
        _check_bytes(picture)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a large picture is judged below
            with Image.open(source, formats=FORMATS) as image:
                _check_shape(image)
                yield image
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large("more pixels than are ever unpacked") from None
    except FileNotFoundError:
        raise InputError("it is not there") from None
    except IsADirectoryError:
        raise InputError("it is a folder") from None
    except PermissionError:
        raise InputError("it may not be read by you") from None
    except UnidentifiedImageError:
        raise InputError(f"it is no picture ({', '.join(FORMATS)})") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = said.splitlines()[0][:100]
        raise InputError(f"it is broken ({_nameless(reason)})") from None


def _check_shape(image: Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(f"{image.width:,} × {image.height:,} pixels")
    if image.mode == "F":
        raise InputError("it holds fractions, not colours")


def _check_depth(image: Image) -> None:
    """Whole numbers of 32 bits are measurements: as colours most would be white."""
    if image.mode == "I":
        numbers = np.asarray(image)
        if numbers.min() < 0 or numbers.max() > MOST_DEEP:
            raise InputError("it holds numbers of more than 16 bits, not colours")


def _check_bytes(picture: Picture) -> None:
    size = len(picture) if isinstance(picture, bytes) else picture.stat().st_size
    if size == 0:
        raise InputError("it is empty")
    if size > MOST_BYTES:
        raise _too_large(f"{size:,} bytes")


def _too_large(what: str) -> InputError:
    return InputError(
        f"it is too large ({what}; {MOST_PIXELS:,} pixels and {MOST_BYTES:,} bytes are the most)"
    )


def _nameless(reason: str) -> str:
    """A reason without the numbers in it, so that those of many pictures are one."""
    return reason.partition("(")[0].strip().rstrip(":")
