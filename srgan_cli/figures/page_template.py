"""A page from its parts: templates/page.html around one page's own HTML, CSS, script and data."""

import html
import json
import re
from importlib.resources import files


def fill(name: str, title: str, data: object) -> str:
    """One HTML file that asks for nothing outside itself; its script reads `data` as JSON."""
    parts = {
        "title": html.escape(title),
        "style": _template("page.css") + _template(f"{name}.css"),
        "body": _template(f"{name}.html"),
        "data": _json_in_html(data),
        "script": _template(f"{name}.js"),
    }
    return _replaced(_template("page.html"), parts)


def _replaced(skeleton: str, parts: dict[str, str]) -> str:
    """Every {{name}}, once: what is put in is not searched again but for a body's {{title}}."""
    parts = {**parts, "body": parts["body"].replace("{{title}}", parts["title"])}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], skeleton)


def _template(name: str) -> str:
    return files("srgan_cli.figures").joinpath("templates", name).read_text(encoding="utf-8")


def _json_in_html(data: object) -> str:
    """No "<" is left that could end the script element or open a comment."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
