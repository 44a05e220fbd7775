"""Entry point of ``python -m genolm``, the same as the ``genolm`` command."""

from genolm.cli.main import main

if __name__ == "__main__":
    main()
