# Fuzzes a reader on memory that changes while it reads (libFuzzer, ASan, UBSan).

FUZZ_READER_SRC := $(foreach r,shm wire lib engine,$(wildcard src/$(r)/*.c))

READER_RUNS ?= 4000

fuzz-reader: build/fuzz/fuzz_reader ## attach 17 readers READER_RUNS (4000) times, or for FUZZ_SECONDS, to damaged and changing segments
	mkdir -p build/fuzz/reader
	test -e build/fuzz/reader/seed || head -c 456 /dev/urandom >build/fuzz/reader/seed
	build/fuzz/fuzz_reader $(if $(filter file,$(origin FUZZ_SECONDS)),-runs=$(READER_RUNS),-max_total_time=$(FUZZ_SECONDS)) -max_len=456 -len_control=0 -timeout=10 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/reader- build/fuzz/reader

build/fuzz/fuzz_reader: tests/fuzz/fuzz_reader.c $(FUZZ_READER_SRC) $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	clang $(BASE) -DLOOKUP_TRIES=32 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $< $(FUZZ_READER_SRC) -lpthread

# Starts on damaged segments (ASan, UBSan): no engine's code but what a start and its first requests run.

FUZZ_SEGMENT_SRC := $(foreach r,base shm engine,$(wildcard src/$(r)/*.c))
SEGMENT_STARTS   ?= 20000

.PHONY: fuzz-segment
fuzz-segment: build/fuzz/fuzz_segment ## start SEGMENT_STARTS (20000) times on damaged segments
	build/fuzz/fuzz_segment $(SEGMENT_STARTS) $(SEED)

build/fuzz/fuzz_segment: tests/fuzz/fuzz_segment.c $(FUZZ_SEGMENT_SRC) $(wildcard src/*/*.h tests/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(BASE) -DPEEK_CHECK -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -o $@ $< $(FUZZ_SEGMENT_SRC) -lpthread
