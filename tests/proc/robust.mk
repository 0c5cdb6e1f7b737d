# Robustness: killed, stopped, full, hostile.

.PHONY: crash robust soak fuzz-reader
crash: ## the daemon killed at every labelled point and at 500 random instants
	@$(MAKE) --no-print-directory -s MODE=hooks build/hooks/peekd build/hooks/tests/proc/test_engine_crash \
	    build/hooks/tests/proc/test_robust_crash
	@B=build/hooks MODE=hooks PEEK_TEST_LONG=1 PEEKD_TIMEOUT=1800 tests/run -v build/hooks/tests/proc/test_engine_crash \
	    build/hooks/tests/proc/test_robust_crash
