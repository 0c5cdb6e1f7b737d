# Robustness: daemons and readers that are killed, stopped, full or hostile.

MINUTES ?= 1

tests: $(B)/robust_clock.so $(B)/soak $(B)/robust_recovery

$(B)/robust_clock.so: tests/proc/robust_clock.c
	@mkdir -p $(@D)
	$(CC) $(BASE) -O2 -DROBUST_CLOCK_SO -shared -o $@ $<

$(B)/soak $(B)/robust_recovery: $(B)/%: $(B)/tests/proc/%.o $(B)/test.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(B)/test.a -lm -lpthread

crash: ## kill the daemon at every labelled point and at 500 random instants
	@$(MAKE) --no-print-directory -s MODE=hooks build/hooks/peekd build/hooks/tests/proc/test_engine_crash \
	    build/hooks/tests/proc/test_robust_crash build/hooks/tests/proc/test_lib_ring_crash
	@B=build/hooks MODE=hooks PEEK_TEST_LONG=1 PEEKD_TIMEOUT=3600 tests/run -v build/hooks/tests/proc/test_engine_crash \
	    build/hooks/tests/proc/test_robust_crash build/hooks/tests/proc/test_lib_ring_crash

soak: ## run clients and readers for MINUTES=n while daemon and readers are killed, stopped, resized
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/soak
	@PEEKD=$(B)/peekd $(B)/soak $(MINUTES)

.PHONY: robust
robust: ## run every test of robustness, each with its table, and measure the time of recovery
	@$(MAKE) --no-print-directory -s tests
	@$(MAKE) --no-print-directory -s MODE=hooks build/hooks/peekd build/hooks/peekctl build/hooks/libpeek.so \
	    build/hooks/tests/proc/test_robust_crash
	@B=$(B) MODE=$(MODE) tests/run -v tests/proc/test_robust_*.py
	@B=build/hooks MODE=hooks tests/run -v build/hooks/tests/proc/test_robust_crash tests/proc/test_robust_stopped.py
	@$(B)/robust_recovery

.PHONY: robust-M
robust-M: ## with -M every acknowledged write is there, full or killed; ROBUST_SEED=n begins at another seed
	@$(MAKE) --no-print-directory -s tests
	@B=$(B) MODE=$(MODE) PEEK_TEST_LONG=1 PEEKD_TIMEOUT=1800 tests/run -v $(B)/tests/unit/test_room $(B)/tests/unit/test_room_refuse \
	    tests/proc/test_robust_refuse.py

.PHONY: valgrind
valgrind: ## run the daemon's start, work and end under valgrind, without jemalloc: no leak, no error
	@$(MAKE) --no-print-directory -s MODE=debug B=build/valgrind NO_JEMALLOC=1 build/valgrind/peekd
	@PEEKD=build/valgrind/peekd tests/proc/robust_valgrind
