"""Find a backbone's weight files on this machine or on the Hugging Face hub, and check them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from citytune._errors import MissingWeights
from citytune.backbones._protocol import Card

VARIABLE = "CITYTUNE_WEIGHTS"
"""Names folders to look in before the hub, separated as in PATH."""
ACCEPTED = "CITYTUNE_ACCEPT"
"""Names backbones whose restricted licence a person has accepted, separated by commas."""
PATIENCE = 4.0
"""Seconds given to the hub to say that it has a file, before it counts as out of reach."""


def find_weights(card: Card, *, download: bool = True) -> dict[str, Path]:
    """The checked files of a card, name → path, all from one folder.

    Looked for in `<folder>/<backbone name>/` for every folder of CITYTUNE_WEIGHTS, then in the
    Hugging Face cache, then (if `download`) on the hub itself.

    Raises:
        MissingWeights: they are nowhere, or damaged, or under a licence that restricts and was not
            accepted; one sentence says what to do.
    """
    if why := _not_accepted(card):
        raise MissingWeights(why)
    if absent := absent_packages(card):
        raise MissingWeights(_no_package(card, absent))
    if not card.files:
        return {}
    faults: list[str] = []
    for folder in _folders(card):
        if not (found := _complete(folder, card)):
            continue
        damages = [f"{found[name]} {what}" for name, what in _damages(found, card)]
        if not damages:
            return found
        faults += damages
    if card.hub:
        found, why = _from_hub(card, download=download)
        damages = [f"{found[name]} {what}" for name, what in _damages(found, card)]
        if found and not damages:
            return found
        faults += damages or ([why] if download and not faults else [])
    raise MissingWeights(_no_weights(card, faults))


def absent_packages(card: Card) -> list[str]:
    """The card's packages that are not installed; nothing is imported."""
    return [name for name in card.packages if importlib.util.find_spec(name) is None]


def check_file(path: Path, sha256: str = "") -> str:
    """What is wrong with a weight file, in words; empty text if nothing is."""
    if not path.is_file():
        return "is not there"
    about = path.stat()
    return _damage(path, about.st_size, about.st_mtime_ns, sha256)


def _not_accepted(card: Card) -> str:
    accepted = {name.strip() for name in os.environ.get(ACCEPTED, "").split(",")}
    if not card.restricted or card.name in accepted:
        return ""
    return (
        f"backbone {card.name!r} is under {card.licence}, which {card.restricted}: read it, and if "
        f"you accept it, set {ACCEPTED}={card.name}"
    )


def _named() -> list[Path]:
    return [Path(f).expanduser() for f in os.environ.get(VARIABLE, "").split(os.pathsep) if f]


def _folders(card: Card) -> Iterator[Path]:
    for folder in _named():
        for name in (card.name, *card.folders):
            yield folder / name


def _complete(folder: Path, card: Card) -> dict[str, Path]:
    files = {name: folder / name for name in card.files}
    return files if all(path.is_file() for path in files.values()) else {}


def _damages(files: dict[str, Path], card: Card) -> Iterator[tuple[str, str]]:
    hashes = dict(zip(card.files, card.sha256, strict=False))
    for name, path in files.items():
        if what := check_file(path, hashes.get(name, "")):
            yield name, what


@functools.cache
def _damage(path: Path, size: int, _changed: int, sha256: str) -> str:
    """The verdict on one state of a file; size and time of change are its identity."""
    try:
        if sha256:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            return (
                ""
                if found == sha256
                else f"is damaged ({size} bytes, SHA-256 {found[:12]}…, expected {sha256[:12]}…)"
            )
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="pt"):
                return ""
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    except Exception as error:  # noqa: BLE001 - any failure to read it is the same news to a person
        return f"cannot be read ({error})"
    return ""


def _from_hub(card: Card, *, download: bool) -> tuple[dict[str, Path], str]:
    """The files from the hub's cache, or downloaded; else none of them and the reason."""
    import huggingface_hub as hub

    repository, _, revision = card.hub.partition("@")
    revision = revision or "main"
    paths = [hub.try_to_load_from_cache(repository, name, revision=revision) for name in card.files]
    known = {
        name: Path(path)
        for name, path in zip(card.files, paths, strict=True)
        if isinstance(path, str)
    }
    if len(known) == len(card.files):
        return known, ""
    if not download or hub.constants.HF_HUB_OFFLINE:
        return {}, "the Hugging Face hub is switched off by HF_HUB_OFFLINE"
    if why := _silent(hub.hf_hub_url(repository, card.files[0], revision=revision)):
        return {}, why
    try:
        return {
            name: Path(hub.hf_hub_download(repository, name, revision=revision))
            for name in card.files
        }, ""
    except Exception as error:  # noqa: BLE001 - no room, no such file, cut off: all the same here
        return {}, f"the Hugging Face hub did not deliver ({type(error).__name__})"


def _silent(address: str) -> str:
    """Why the hub cannot be asked, found within a few seconds whatever the network does; or "".

    Timeouts of requests do not bound how long a name is looked up, so the question is put aside.
    """
    from huggingface_hub import get_session

    answer = [f"the Hugging Face hub did not answer within {PATIENCE:g} s"]

    def ask() -> None:
        try:
            get_session().head(address, timeout=PATIENCE)  # any answer will do
            answer[0] = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no answer
            answer[0] = f"the Hugging Face hub did not answer ({type(error).__name__})"

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answer[0]


def _no_package(card: Card, absent: list[str]) -> str:
    what = "package" if len(absent) == 1 else "packages"
    return f"backbone {card.name!r} needs the Python {what} {', '.join(absent)}: {card.get}"


def _no_weights(card: Card, faults: list[str]) -> str:
    if not faults:
        looked = ", ".join(map(str, _named()))
        faults = [
            f"looked for {' and '.join(card.files)} in {looked}"
            if looked
            else f"{VARIABLE} is not set"
        ]
    return f"backbone {card.name!r} has no usable weights here ({'; '.join(faults)}): {card.get}"
