"""`python -m streams.cli` is `lotrisk`."""

from streams.cli import main

main()
