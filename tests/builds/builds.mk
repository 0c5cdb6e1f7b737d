# Ways to build and to install that the short run has no time for.

.PHONY: check-builds
check-builds: ## build as packagers do: LTO, clang, musl, hardening, libpeek alone; install with any umask and DESTDIR
	@.ci/deps install build builds
	@tests/builds/run
