# Ways to build and to install that take too long for make check.

.PHONY: check-builds
check-builds: ## build as packagers do: LTO, clang, musl, hardening, libpeek alone; install with any umask and DESTDIR
	@.ci/deps install build builds
	@tests/builds/run
