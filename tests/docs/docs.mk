# The documents' command lines, run as a newcomer would.

.PHONY: docs-check drawing
docs-check: ## run README's and the manuals' command lines as they stand, as root and as a user, in a bare Debian root (as root; LONG=1: make check too)
	@.ci/deps install deb
	LONG=$(LONG) tests/docs/newcomer

drawing: ## make README's drawing of the memory from the numbers of the headers
	bench/plot/memory.sh >bench/plot/memory.svg
