"""Which package imports which: the picture of docs/architecture.md, and what tests check it against.

python docs/imports.py    # writes docs/architecture.svg
"""

import ast
from collections import defaultdict
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
# From what a user calls down to what everything uses. A package imports packages of lower layers, and of its own layer
# as long as no circle comes of it.
LAYERS = (
    ("cli", "ui"),
    ("anonymize", "export", "evaluation"),
    ("rendering",),
    ("systems",),
    ("training", "sampling"),
    ("models", "metrics", "data"),
    ("poses", "video"),
    ("runtime", "io"),
    ("errors",),
)
WIDTH, HEIGHT, GAP = 130, 34, 62  # of a box, and from the top of a row to that of the next, in pixels
STYLE = (
    "rect{fill:#f4f6fa;stroke:#345}.page{fill:#fff;stroke:none}text{font:14px sans-serif;text-anchor:middle;fill:#123}"
    "path{fill:none;stroke:#789;stroke-opacity:.45}"
)
ENTRIES = ("signgen", "signgen.__main__")  # what is imported and run: they belong to no package


def module_imports() -> dict[str, set[str]]:
    """Module -> the modules of signgen that it imports, wherever in the file; those only for type checkers left out."""
    files = {_name(path): path for path in sorted((HOME / "signgen").rglob("*.py"))}
    return {name: _imported(path, files) for name, path in files.items() if name not in ENTRIES}


def package_imports() -> dict[str, set[str]]:
    """Package -> the packages that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, imported in module_imports().items():
        found[_package(module)] |= {_package(name) for name in imported - {"signgen"}} - {_package(module)}
    return dict(found)


def upward_imports() -> list[str]:
    """Imports from a lower layer into a higher one, each as "module -> module"."""
    layer = {package: number for number, packages in enumerate(LAYERS) for package in packages}
    return [
        f"{module} -> {name}"
        for module, imported in module_imports().items()
        for name in sorted(imported - {"signgen"})
        if layer[_package(name)] < layer[_package(module)]
    ]


def circles(imports: dict[str, set[str]]) -> list[str]:
    """The names that import themselves through others."""
    reached = {name: set(imported) for name, imported in imports.items()}
    grown = True
    while grown:
        sizes = [len(names) for names in reached.values()]
        for names in reached.values():
            names.update(*(reached.get(name, ()) for name in tuple(names)))
        grown = sizes != [len(names) for names in reached.values()]
    return [name for name, names in reached.items() if name in names]


def picture(imports: dict[str, set[str]]) -> str:
    """An SVG: a row a layer, a box a package, a line from a package to each that it imports."""
    place = {
        package: (450 + (column - (len(row) - 1) / 2) * 260, 20 + number * GAP)
        for number, row in enumerate(_present(imports))
        for column, package in enumerate(row)
    }
    lines = [_line(*place[package], *place[other]) for package in place for other in sorted(imports.get(package, ()))]
    boxes = [
        f'<rect x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x:g}" y="{y + 22:g}">{package}</text>'
        for package, (x, y) in place.items()
    ]
    size = f'width="900" height="{len(LAYERS) * GAP}"'
    content = "\n".join([f"<style>{STYLE}</style>", '<rect class="page" width="100%" height="100%"/>', *lines, *boxes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{content}\n</svg>\n'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    """From a box down to another, or to its neighbour."""
    if y == to_y:
        return f'<path d="M{x:g} {y + HEIGHT / 2:g} H{to_x:g}"/>'
    y += HEIGHT
    return f'<path d="M{x:g} {y:g} C{x:g} {y + 28:g} {to_x:g} {to_y - 28:g} {to_x:g} {to_y:g}"/>'


def _present(imports: dict[str, set[str]]) -> list[list[str]]:
    packages = set(imports).union(*imports.values())
    return [[package for package in row if package in packages] for row in LAYERS]


def _name(path: Path) -> str:
    return ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")


def _package(module: str) -> str:
    return module.split(".")[1]


def _imported(path: Path, modules: dict[str, Path]) -> set[str]:
    found = set()
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {_module(node.module, alias.name, modules) for alias in node.names}
    return {name for name in found if name.split(".")[0] == "signgen"} - {_name(path)}


def _module(package: str, name: str, modules: dict[str, Path]) -> str:
    return f"{package}.{name}" if f"{package}.{name}" in modules else package


def _run(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    nodes: list[ast.AST] = [tree]
    for node in nodes:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            nodes.extend(ast.iter_child_nodes(node))
    return nodes


if __name__ == "__main__":
    (HOME / "docs" / "architecture.svg").write_text(picture(package_imports()), encoding="utf-8")
