"""What schedulers on the host tell of their run."""

from psi.law.clock import Clock, ClockState
from psi.law.domain import Outside
from psi.law.parts import explained
from psi.schedulers.host import Notices


class Told:
    """A scheduler with a clock, its state and what has been said of it."""

    _clock: Clock
    _state: ClockState
    _notices: Notices

    @property
    def outside(self) -> tuple[Outside, ...]:
        """What of this run its law has not seen, as far as it has shown."""
        return tuple(self._notices.outside.values())

    @property
    def skipped(self) -> int:
        """Epochs so far whose loss was not finite; with `steps_per_epoch`, periods."""
        return int(self._state.skipped)

    def explain(self) -> str:
        """Why the rate is what it is: its scale, shape and feedback in a sentence."""
        return explained(self._clock, self._state)
