"""What a figure shows: the last one that was saved, whatever its bytes are."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch):
    """The figure that was saved last, while its file is still a PNG."""
    saved = []
    write = Figure.savefig

    def savefig(self, path, **options):
        write(self, path, **options)
        assert path.read_bytes().startswith(b"\x89PNG")
        saved.append(self)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return lambda: saved[-1]


@pytest.fixture
def unsaved(monkeypatch):
    """The figure that would have been saved: measuring it draws it."""
    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: kept.append(figure))
    return lambda: kept[-1]


def labels(figure):
    """What the legend names, in order."""
    return [text.get_text() for text in figure.legends[0].get_texts()]
