# peekd: one makefile, not recursive. `make help` lists the targets.
#
# build/MODE/ holds everything that MODE made: release, debug, hooks (test points compiled in), asan, tsan, aarch64.

MODE    ?= release
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
B       := build/$(MODE)
VERSION := $(shell sed -n 's/^#define PEEK_VERSION_[A-Z]* *//p' include/peek.h | paste -sd.)
SOMAJOR := $(firstword $(subst ., ,$(VERSION)))

CC      ?= gcc
CROSS   :=
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS  ?= -g
BASE    := -std=c11 -D_GNU_SOURCE -DPEEKD_VERSION='"$(VERSION)"' -Iinclude -Isrc -Itests -fPIC -fvisibility=hidden $(WARN)

OPT.release := -O2
OPT.debug   := -O0
OPT.hooks   := -O2 -DPEEK_HOOKS
OPT.asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DPEEK_HOOKS
OPT.tsan    := -O1 -fsanitize=thread -Wno-tsan -DPEEK_HOOKS
OPT.aarch64 := -O2 -DPEEK_HOOKS -static
ifeq ($(MODE),aarch64)
CC := aarch64-linux-gnu-gcc
endif
ALL_CFLAGS = $(BASE) $(OPT.$(MODE)) $(CFLAGS)

# jemalloc and the sanitizers both replace malloc.
HEAP_LIBS := $(if $(filter asan tsan,$(MODE)),,-ljemalloc)
HEAP_DEFS := $(if $(filter asan tsan,$(MODE)),-DPEEKD_NO_JEMALLOC)

room = $(patsubst %.c,$(B)/%.o,$(wildcard src/$(1)/*.c))
SHM    := $(call room,shm)
WIRE   := $(call room,wire)
LIB    := $(call room,lib)
ENGINE := $(call room,engine)
DAEMON := $(call room,daemon)
CTL    := $(call room,ctl)
BENCH  := $(patsubst %.c,$(B)/%.o,$(wildcard bench/*.c))

PROGRAMS := $(B)/peekd $(B)/peekctl $(B)/libpeek.a $(B)/libpeek.so $(B)/peekbench

.PHONY: all run demo check check-long model bench lint fmt asan tsan install clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(EXTRA) -MMD -MP -c -o $@ $<

$(B)/src/daemon/heap.o: EXTRA := $(HEAP_DEFS)

$(B)/peekd: $(DAEMON) $(ENGINE) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -levent -lconfuse $(HEAP_LIBS)

$(B)/peekctl: $(CTL) $(B)/libpeek-all.o $(WIRE)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(CTL) $(WIRE) $(B)/libpeek-all.o -lncurses -ltinfo -lpthread

$(B)/peekbench: $(BENCH) $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lm -lpthread

# One object whose only global names are those of peek.h.
$(B)/libpeek-all.o: $(LIB) $(WIRE) $(SHM)
	$(CROSS)ld -r -o $@ $^
	$(CROSS)objcopy --localize-hidden $@

$(B)/libpeek.a: $(B)/libpeek-all.o
	rm -f $@
	$(CROSS)ar rcs $@ $^

$(B)/libpeek.so: $(LIB) $(WIRE) $(SHM) src/lib/libpeek.map
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libpeek.so.$(SOMAJOR) -Wl,--version-script=src/lib/libpeek.map -Wl,-z,defs \
	    -o $@ $(LIB) $(WIRE) $(SHM) -lpthread
	ln -sf libpeek.so $(B)/libpeek.so.$(SOMAJOR)

# ---- tests: programs and scripts that speak TAP ----
UNIT      := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c tests/regress/test_*.c))
PROC      := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/proc/test_*.c tests/wire/test_*.c))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread
$(B)/tests/regress/%: $(B)/tests/regress/%.o $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread
$(B)/tests/proc/%: $(B)/tests/proc/%.o $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread
$(B)/tests/wire/%: $(B)/tests/wire/%.o $(WIRE)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
