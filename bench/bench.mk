# The load tool, the comparison with peers, the traces, the gate.
#
# TRACES=DIR    a folder of traces (*.zst or plain); without it the generated ones are used
# BENCH_OPTS    more options for peekbench-peers

# tests/unit/test_bench_policies.c
$(B)/test.a: $(patsubst %,$(B)/bench/%.o,policy_lru policy_s3fifo policy_belady trace sizes gen)

# ---- peers: a peer that isn't installed is left out, and the program says so ---------------------------------------------------

header = $(wildcard $(addsuffix /$(1),/usr/include /usr/local/include))
peer   = $(if $(call header,$(1)),$(2))

DPDK_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libdpdk 2>/dev/null))
DPDK_LIBS   = -lrte_hash -lrte_eal -lrte_ring -lrte_rcu -lrte_kvargs -lrte_telemetry

PEER_NAMES := main run report support ideal peekd engine memcached redis \
    $(call peer,lmdb.h,lmdb) $(call peer,ck_ht.h,ck_ht) $(call peer,urcu/rculfhash.h,lfht) $(call peer,dpdk/rte_hash.h,rte_hash) \
    $(call peer,boost/interprocess/managed_shared_memory.hpp,boost) $(call peer,tkrzw_dbm_tiny.h,tkrzw)
PEER_LIBS   = $(call peer,lmdb.h,-llmdb) $(call peer,ck_ht.h,-lck) $(call peer,urcu/rculfhash.h,-lurcu-cds -lurcu-memb -lurcu-common) \
    $(call peer,dpdk/rte_hash.h,$(DPDK_LIBS)) $(call peer,tkrzw_dbm_tiny.h,-ltkrzw)
PEER_OBJS  := $(patsubst %,$(B)/bench/peers/%.o,$(PEER_NAMES)) $(B)/bench/segment.o
CXX        ?= g++

$(B)/bench/peers/rte_hash.o: EXTRA = $(DPDK_CFLAGS)
$(B)/bench/peers/%.o: bench/peers/%.cc | $(B)/.probed
	@mkdir -p $(@D)
	$(CXX) -std=c++20 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers $(OPT.$(MODE)) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/peekbench-peers: $(PEER_OBJS) $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CXX) $(OPT.$(MODE)) $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(PEER_LIBS) -lm -lrt -lpthread

$(B)/peekbench-sockets: $(B)/bench/sockets/sockets.o $(B)/bench/peers/support.o
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/peekbench-writes: $(patsubst %,$(B)/bench/writes/%.o,main ways loads) $(B)/bench/peers/support.o $(B)/bench/timer.o $(B)/libpeek.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

# ---- targets --------------------------------------------------------------------------------------------------------------

TRACE_FILES = $(sort $(if $(TRACES),$(or $(wildcard $(TRACES)/*.zst),$(wildcard $(TRACES)/*.bin))))
BENCH_DEPS  = -@.ci/deps install build bench

.PHONY: bench bench-peers bench-gate traces traces-peer sizes-peer
bench: ## measure reads, batches, misses, writes, fill and generated traces, on a table of its own
	@.ci/deps install build
	@$(MAKE) --no-print-directory -s $(B)/peekbench
	@for c in get mget view place same miss set mixed; do $(B)/peekbench $$c || exit 1; done
	@$(B)/peekbench get --zipf 0.99
	@$(B)/peekbench get --readers 2 --writer flat
	@$(B)/peekbench fill

bench-peers: ## compare peekd, the ideal lookup and every installed peer: a table, ratios, a plot
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench-peers
	@$(B)/peekbench-peers --peekd $(B)/peekd --data $(B)/peers.dat --json $(B)/peers.json $(BENCH_OPTS)
	@! command -v gnuplot >/dev/null || gnuplot -e "data='$(B)/peers.dat'; out='$(B)/peers.svg'" bench/plot/peers.gp && \
	    echo "plot: $(B)/peers.svg"

.PHONY: bench-sockets
bench-sockets: ## compare the control socket with memcached's on one worker thread, by one client
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench-sockets
	@$(B)/peekbench-sockets $(B)/peekd

.PHONY: bench-writes
bench-writes: ## compare writes by a ring with the control socket's and memcached's; bars beside the figures
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench-writes
	@$(B)/peekbench-writes $(B)/peekd

bench-gate: ## compare the instructions of a fixed loop of gets with bench/gate.budget, and its time with the ideal lookup's
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench $(B)/peekbench-peers
	@bench/gate.sh $(B) bench/gate.budget

traces: ## compare the misses of the traces in TRACES=DIR (else generated ones) with LRU, S3-FIFO and Belady: a table, a plot
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekbench
	@[ -n "$(TRACE_FILES)" ] || echo "no traces (TRACES=DIR names a folder of them): generated ones"
	@DATA=$(B)/traces.dat bench/traces.sh $(B)/peekbench $(TRACE_FILES)
	@! command -v gnuplot >/dev/null || gnuplot -e "data='$(B)/traces.dat'; out='$(B)/traces.svg'" bench/plot/traces.gp && \
	    echo "plot: $(B)/traces.svg"

traces-peer: ## run the traces with sizes against a memcached of the same -m, and of the same memory
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench
	@bench/traces-peer.sh $(B)/peekbench $(TRACE_FILES)

sizes-peer: ## run items of one size, 100 bytes to 1 MiB, against a memcached of the same -m: who misses less
	$(BENCH_DEPS)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekbench
	@bench/sizes-peer.sh $(B)/peekbench
