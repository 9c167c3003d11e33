"""`python -m deployments.cli`: the same as `samkat`."""

from deployments.cli import main

main()
