"""A page that shows any two results of an image over each other, divided by a slider."""

from collections.abc import Sequence
from dataclasses import dataclass

from srgan_cli.errors import ImageError
from srgan_cli.figures.html_page import encode_images, fill_template
from srgan_cli.images.image import Image

PAGE_LIMIT = 60_000_000  # bytes: what a phone's browser still opens


@dataclass(frozen=True, eq=False)
class Layer:
    """One method's result. note: shown under the label, figures for instance."""

    label: str
    image: Image
    note: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One image by at least two methods: the first lies on the left at first, the last right.

    Layers may differ in size (the input is smaller); all are shown as large as the largest.
    """

    title: str
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if len(self.layers) < 2:
            raise ImageError(f"{self.title}: a comparison needs at least two images")
        for layer in self.layers:
            self._check_shape(layer)

    @property
    def width(self) -> int:
        return max(layer.image.width for layer in self.layers)

    @property
    def height(self) -> int:
        return max(layer.image.height for layer in self.layers)

    def _check_shape(self, layer: Layer) -> None:
        """Raise ImageError unless it has the largest's shape, up to a pixel of the smaller."""
        width, height = layer.image.width, layer.image.height
        if abs(width * self.height - height * self.width) > max(self.width, self.height):
            raise ImageError(
                f"{self.title}: {layer.label} is {width} x {height}, which has not the shape of "
                f"{self.width} x {self.height}; compare results of one image"
            )


def comparison_page(comparisons: Sequence[Comparison], title: str = "Before and after") -> str:
    """Self-contained HTML. Images of more than PAGE_LIMIT characters become JPEG.

    Raises ImageError if the images are too large for a page.
    """
    layers = [layer for comparison in comparisons for layer in comparison.layers]
    urls = iter(encode_images([layer.image for layer in layers], PAGE_LIMIT).urls)
    images = [
        _description(comparison, [next(urls) for _ in comparison.layers])
        for comparison in comparisons
    ]
    return fill_template("comparison", title, images)


def _description(comparison: Comparison, urls: Sequence[str]) -> dict[str, object]:
    return {
        "title": comparison.title,
        "width": comparison.width,
        "height": comparison.height,
        "layers": [
            {"label": layer.label, "note": layer.note, "url": url}
            for layer, url in zip(comparison.layers, urls, strict=True)
        ],
    }
