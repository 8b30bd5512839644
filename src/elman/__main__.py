"""`python -m elman` is `elman`: both begin here, where Ctrl-C is a clean stop before anything else is imported."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        from elman.cli.entry import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while the first modules were imported
        code = 130
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: nothing is left to stop while the interpreter ends
    sys.exit(code)


if __name__ == "__main__":
    main()
