"""``python -m xrayaug`` is the ``xrayaug`` command."""

from xrayaug.cli import main

if __name__ == "__main__":
    main()
