"""The committed sample is whole, small, and what data/README.md says it is."""

import re
from pathlib import Path

from psi.ideal.rate import ideal_rates
from psi.ideal.surface import response_surface
from psi.lab.data.store import read_records, read_tasks

DATA = Path(__file__).parents[1] / "data"


def test_the_sample_is_whole_and_small():
    files = [f for f in (DATA / "sample").rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 200_000
    assert len(read_records(DATA / "sample")) == 6 * (2 * 225 + 2 * 6 * 5 * 2)


def test_the_readme_names_every_column():
    readme = (DATA / "README.md").read_text()
    records, _, tasks = readme.partition("## Task table")
    assert re.findall(r"^\| (\w+) \|", records, re.M)[1:] == list(
        read_records(DATA / "sample").columns
    )
    for column in read_tasks(DATA / "sample").columns:
        assert f"`{column}`" in tasks


def test_the_sample_gives_ideal_rates():
    sample = DATA / "sample"
    ideal = ideal_rates(response_surface(read_records(sample), read_tasks(sample)))
    assert len(ideal) == 2 * 6
    assert (ideal.lr_low <= ideal.lr_high).all()
