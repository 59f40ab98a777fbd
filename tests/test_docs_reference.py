"""Promise: the documentation names what there is, and nothing that is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

import citytune as ct
from citytune.backbones import families, shelf
from citytune.cli._reference import reference
from citytune.tuning import strategies

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}


def test_the_command_reference_is_written_from_the_commands() -> None:
    assert TEXTS["docs/cli.md"] == reference(), "run `make docs`"


def test_the_page_about_python_names_all_there_is_and_nothing_else() -> None:
    named = re.findall(r"^\| `ct\.(\w+)` \|", TEXTS["docs/python.md"], re.MULTILINE)
    assert sorted(named) == [name for name in ct.__all__ if name != "__version__"]


@pytest.mark.parametrize("page", TEXTS)
def test_every_attribute_of_the_package_that_is_shown_exists(page: str) -> None:
    shown = set(re.findall(r"\bct\.(\w+)", TEXTS[page]))
    assert not {name for name in shown if name not in ct.__all__}


def test_the_readme_names_every_backbone() -> None:
    related = {member for family in families().values() for member in family.members[1:]}
    wanted = [*(shelf().keys() - related), *families()]
    missing = [name for name in wanted if f"`{name}`" not in TEXTS["README.md"]]
    assert not missing


def test_how_it_works_names_every_strategy() -> None:
    missing = [name for name in strategies if f"`{name}`" not in TEXTS["docs/how_it_works.md"]]
    assert not missing


def kinds_in_the_readers() -> set[str]:
    """First arguments of the calls that note a finding."""
    found = set()
    for path in (ROOT / "src" / "citytune" / "readers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="note" | "warn" | "error" | "fail"),
                    args=[ast.Constant(value=str(kind)), *_],
                ):
                    found.add(kind)
    return found


def test_every_kind_of_fault_is_explained() -> None:
    page = TEXTS["docs/your_data.md"]
    kinds = kinds_in_the_readers()
    assert {"sentinel", "gaps", "two-clocks"} <= kinds
    assert not {kind for kind in kinds if f"`{kind}`" not in page}


def test_no_kind_of_fault_is_made_up() -> None:
    explained = TEXTS["docs/your_data.md"].split("## Every fault")[1].split("In Python")[0]
    rows = re.findall(r"^\| (`.+?) \|", explained, re.MULTILINE)
    kinds = {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)}
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "src" / "citytune" / "readers").rglob("*.py")
    )
    assert kinds
    assert not {kind for kind in kinds if f'"{kind}"' not in source}


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked by."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    broken = []
    for link in links:
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


OF_A_SERVER = ("cli.md", "operate.md")
"""They say where the reader's own server listens."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = r"(?<![\w.])/(?:work|home|root|tmp|usr|mnt)\b|\bshared/"
    if page.name not in OF_A_SERVER:
        paths += r"|localhost|127\.0\.0\.1"
    assert not re.findall(paths, text)


def test_the_readme_has_room_for_the_numbers() -> None:
    for name in ("README.md", "docs/numbers.md"):
        assert re.search(r"<!-- numbers -->\n(.*\n)*?<!-- /numbers -->", TEXTS[name])
