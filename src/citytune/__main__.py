"""`python -m citytune` is the command `citytune`."""

import signal
import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command; Ctrl-C while it is still being loaded ends it without a traceback."""
    code = None
    try:
        from citytune.cli import main as command

        code = command()
    except KeyboardInterrupt:
        if code is None:
            sys.stderr.write("Error: interrupted; nothing had begun\n")
            code = INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is done and said; let it end with its own code
    return code


if __name__ == "__main__":
    sys.exit(main())
