"""scripts/lab scenario | matrix | corpus"""
import sys

from .command import main

sys.exit(main(sys.argv[1:]))
