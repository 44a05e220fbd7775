"""``python -m genolm`` is the same as the ``genolm`` command."""

from genolm.cli.main import main

if __name__ == "__main__":
    main()
