# The load tool's tests.

# tests/unit/test_bench_policies.c
$(B)/test.a: $(patsubst %,$(B)/bench/%.o,policy_lru policy_s3fifo policy_belady trace sizes gen)
