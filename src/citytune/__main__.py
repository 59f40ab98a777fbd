"""`python -m citytune` is the command `citytune`."""

import gc
import signal
import sys

GARBAGE = 50_000
"""Objects made before Python looks for garbage; at 700 of them a command looks so often that a
refresh of 400 sensors takes 0.6 s more."""


def main() -> int:
    """Run the command; a signal to stop while it is still being loaded gives no traceback.

    While it runs it answers signals itself; after that all is done and said, and they are ignored.
    """
    gc.set_threshold(GARBAGE, 20, 100)
    came: list[int] = []
    loading = True

    def stop(number: int, _frame: object) -> None:
        if loading:
            came.append(number)
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        from citytune.cli import main as command

        loading = False
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted; nothing had begun\n")
        return 128 + came[0]
    return command()


if __name__ == "__main__":
    sys.exit(main())
