# Fuzzing with libFuzzer (clang) under ASan and UBSan. The corpus is replayed in `make check` by tests/unit/test_wire_corpus.c.

FUZZ_SECONDS ?= 60
FUZZ_B       := build/fuzz
FUZZ_FLAGS    = $(BASE) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

.PHONY: fuzz fuzz-wire
fuzz: fuzz-wire ## fuzz the codec for FUZZ_SECONDS (60)

fuzz-wire: $(FUZZ_B)/fuzz_wire $(FUZZ_B)/wire.dict
	mkdir -p $(FUZZ_B)/found
	$(FUZZ_B)/fuzz_wire -dict=$(FUZZ_B)/wire.dict -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ_B)/ $(FUZZ_B)/found tests/fuzz/corpus/wire

$(FUZZ_B)/fuzz_wire: tests/fuzz/fuzz_wire.c $(wildcard src/wire/*.[ch] src/wire/*.def)
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -o $@ tests/fuzz/fuzz_wire.c $(wildcard src/wire/*.c)

$(FUZZ_B)/wire.dict: tests/fuzz/wire_dict.c src/wire/verbs.def
	@mkdir -p $(@D)
	$(CC) $(BASE) -o $(FUZZ_B)/wire_dict $<
	$(FUZZ_B)/wire_dict >$@
