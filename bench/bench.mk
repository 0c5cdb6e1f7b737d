# The load tool, the comparison with peers, the traces, the gate.

# tests/unit/test_bench_policies.c
$(B)/test.a: $(patsubst %,$(B)/bench/%.o,policy_lru policy_s3fifo policy_belady trace sizes gen)

# ---- peers: what isn't installed isn't linked, and the program says so ---------------------------------------------------

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
	$(CXX) -std=c++17 -D_GNU_SOURCE -Wall -Wextra $(OPT.$(MODE)) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/peekbench-peers: $(PEER_OBJS) $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CXX) $(OPT.$(MODE)) $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(PEER_LIBS) -lm -lrt -lpthread
