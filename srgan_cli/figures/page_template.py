"""A page from its parts: templates/page.html around one page's own HTML, CSS, script and data."""

import html
import json
import re
from importlib.resources import files


def fill(name: str, title: str, data: object, package: str = "srgan_cli.figures") -> str:
    """One HTML file that loads nothing else; its script reads `data` as JSON.

    package: the one with templates/NAME.html, .css and .js.
    """
    parts = {
        "title": html.escape(title),
        "style": _template("page.css") + _template(f"{name}.css", package),
        "body": _template(f"{name}.html", package),
        "data": _json_in_html(data),
        "script": _template(f"{name}.js", package),
    }
    page = _replaced(_template("page.html"), parts)
    return page.encode("utf-8", "replace").decode()  # file names may hold what UTF-8 cannot


def _replaced(skeleton: str, parts: dict[str, str]) -> str:
    """Every {{name}}, once: what is put in is not searched again but for a body's {{title}}."""
    parts = {**parts, "body": parts["body"].replace("{{title}}", parts["title"])}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], skeleton)


def _template(name: str, package: str = "srgan_cli.figures") -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def _json_in_html(data: object) -> str:
    """No "<" is left that could end the script element or open a comment."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
