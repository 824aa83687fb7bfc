"""The laws that the schedulers are tested with."""

from tests.schedulers.conftest import formula as formula
from tests.schedulers.conftest import law as law
