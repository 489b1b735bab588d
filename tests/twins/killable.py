"""What can be killed outright, frozen, and started again."""

import signal
import subprocess
from abc import ABC, abstractmethod


class Killable(ABC):
    """A process of which `start` makes one."""

    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Returns at once."""

    def kill(self) -> None:
        if self._process is not None:
            self._tell(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def restart(self) -> None:
        """Killed, and there again at once."""
        self.kill()
        self.start()

    def _tell(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
