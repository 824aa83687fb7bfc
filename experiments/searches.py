"""What studies of a feedback share: searches on an atlas, compared on domains that none saw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

from psi.fit.feedback.fit import SEEDS, apart, facts_law
from psi.fit.feedback.judging import Candidates, judge
from psi.fit.feedback.pool import Pool, on_processors, pool_of
from psi.fit.feedback.search import Searchable, SearchConfig, search
from psi.fit.scale.table import Atlas, read_atlas
from psi.lab.engine.devices import prepare
from psi.lab.engine.seeds import JUDGING
from psi.law.law import Law
from psi.report.progress import bar


@dataclass(frozen=True)
class Searches:
    """Which tasks are trained, and how long is searched."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    optimizer: str
    """One of the atlas's."""
    out: Path
    """Folder of the searches and the table."""
    generations: int = 40
    seeds: int = 2
    """Searches of a row, whose mean it is."""
    lanes: int = 24
    operations: float = 4e8
    """The most that a training may take."""

    def tasks(self) -> tuple[Atlas, Pool]:
        """The atlas without validation domains, and the tasks of all domains."""
        prepare()
        on_processors()
        atlas = read_atlas(self.atlas)
        return apart(atlas), pool_of(atlas, self.optimizer, self.operations)

    def base(self, atlas: Atlas) -> Law:
        """The law of facts around which is searched."""
        return facts_law(atlas, self.optimizer)

    def config(self) -> SearchConfig:
        """Of a search of all constants."""
        return SearchConfig(self.generations, self.lanes, operations=self.operations)

    def mean(self, name: str, pool: Pool, family: Searchable, config: SearchConfig) -> np.ndarray:
        """The mean of what searches from the base come to, one a seed; each has a folder."""
        train, found = pool.take(~pool.validation), []
        for seed in range(self.seeds):
            folder = self.out / f"{name} {seed}".replace(" ", "-").replace(",", "")
            own = replace(config, seed=seed)
            with bar(f"{name}, search {seed + 1}") as report:
                found.append(search(train, family, family.start, own, folder, report).constants)
        return np.mean(found, axis=0)

    def judged(self, pool: Pool, judged: Sequence[tuple[Searchable, Candidates]]) -> pd.DataFrame:
        """Regrets of candidates on validation tasks."""
        with bar("comparing") as report:
            own = pool.take(pool.validation)
            return judge(own, judged, self.lanes, JUDGING.array(SEEDS), report)
