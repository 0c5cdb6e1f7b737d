# make model: explores the memory orders on the code that ships (tests/model/runtime.h). Included by the Makefile.

MODEL_B     := $(B)/model
MODEL_FLAGS := -O2 -DPEEK_MODEL -DLOOKUP_TRIES=model_tries -DLOOKUP_UNPINNED_BYTES=model_unpinned_bytes -include model/calls.h
# tests/model/world.c and heap.c take the kernel's place for these calls.
MODEL_WRAP  := malloc calloc aligned_alloc realloc free mmap munmap fallocate clock_coarse_ms clock_word_now map_open map_close
# Scenarios include the source of map.c themselves.
MODEL_SRC   := $(filter-out src/shm/map.c,$(wildcard src/shm/*.c src/engine/*.c src/lib/*.c src/wire/*.c)) $(wildcard tests/model/*.c)
MODEL_OBJ   := $(patsubst %.c,$(MODEL_B)/%.o,$(MODEL_SRC))

$(MODEL_B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(MODEL_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(MODEL_B)/model: $(MODEL_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=%,$(MODEL_WRAP)) -o $@ $^ -lpthread

comma := ,

.PHONY: model
model: $(MODEL_B)/model ## explore every memory order on the code that ships; without any one of them a scenario must fail (under 60 s)
	$(MODEL_B)/model

-include $(MODEL_OBJ:.o=.d)
