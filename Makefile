# peekd: one makefile, not recursive. `make help` lists the targets.
#
# build/MODE/ holds all files that MODE makes. MODE is release, debug, hooks (test
# points compiled in), asan, tsan or aarch64. B=DIR builds elsewhere; CC=clang
# works too. CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are the caller's: they come after
# the flags of this file, so that they win (make check-builds).

MODE    ?= release
PREFIX  ?= /usr/local
B       := build/$(MODE)
VERSION := $(shell sed -n 's/^\#define PEEK_VERSION_[A-Z]* *//p' include/peek.h | paste -sd.)
SOMAJOR := $(firstword $(subst ., ,$(VERSION)))

prefix     ?= $(PREFIX)
bindir     ?= $(prefix)/bin
sbindir    ?= $(prefix)/sbin
libdir     ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir     ?= $(prefix)/share/man
sysconfdir ?= /etc
unitdir    ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
compdir    ?= $(prefix)/share/bash-completion/completions

ifeq ($(origin CC),default)
CC      := gcc
endif
CROSS   :=
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS  ?= -g
BASE    := -std=c11 -D_GNU_SOURCE -DPEEKD_VERSION='"$(VERSION)"' -Iinclude -Isrc -Itests -fPIC -fvisibility=hidden $(WARN)

OPT.release := -O2
OPT.debug   := -O0 -DPEEK_CHECK
OPT.hooks   := -O2 -DPEEK_HOOKS
OPT.asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DPEEK_HOOKS
OPT.tsan    := -O1 -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan) -DPEEK_HOOKS
OPT.aarch64 := -O2 -DPEEK_HOOKS
ifeq ($(MODE),aarch64)
CROSS   := aarch64-linux-gnu-
CC      := $(CROSS)gcc
endif
ALL_CFLAGS = $(BASE) $(OPT.$(MODE)) $(CPPFLAGS) $(CFLAGS)
AR      := $(if $(filter default,$(origin AR)),$(CROSS)ar,$(AR))
LD      := $(if $(filter default,$(origin LD)),$(CROSS)ld,$(LD))
OBJCOPY ?= $(CROSS)objcopy

# jemalloc and the sanitizers both replace malloc, so only one of them can. Debian's
# jemalloc and libevent can't be installed for two architectures at once: the cross
# build has no jemalloc, and takes libevent's headers of this machine.
NO_JEMALLOC := $(filter asan tsan aarch64,$(MODE))
HEAP_LIBS  := $(if $(NO_JEMALLOC),,-ljemalloc)
HEAP_DEFS  := $(if $(NO_JEMALLOC),-DPEEKD_NO_JEMALLOC)
EVENT_LIBS := $(if $(CROSS),-l:libevent-2.1.so.7,-levent)
EVENT_DEFS := $(if $(CROSS),-idirafter /usr/include/$(shell gcc -print-multiarch 2>/dev/null))

# make uses all cores, unless -j is given.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

# The objects of one room. Example: $(call room,wire) is
# build/release/src/wire/base64.o build/release/src/wire/client.o ...
room = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard src/$(1)/*.c)))
# WIDE: the instructions of the wide build of the reads. cpu.c asks the processor for
# the same ones. An ifunc chooses the build, so WIDE is empty without glibc
# (src/lib/cpu.h).
hash   := \#
HAS_WIDE := $(shell echo '$(hash)include <features.h>' | $(CC) $(CPPFLAGS) $(CFLAGS) -E -dM -x c - 2>/dev/null | \
    grep -cE 'define __(x86_64__|GLIBC__) ')
WIDE   := $(if $(filter asan tsan,$(MODE)),,$(if $(filter 2,$(HAS_WIDE)),-mavx512bw -mavx512vl -mbmi -mbmi2 -mlzcnt))
SHM    := $(call room,shm)
WIRE   := $(call room,wire)
LIB    := $(call room,lib) $(if $(WIDE),$(foreach f,get mget view place,$(B)/src/lib/$(f)_wide.o))
ENGINE := $(call room,engine)
DAEMON := $(call room,daemon) $(call room,daemon/*)
CTL    := $(call room,ctl)
BENCH  := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard bench/*.c)))

PROGRAMS := $(B)/peekd $(B)/peekctl $(B)/libpeek.a $(B)/libpeek.so $(B)/peekbench

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

.PHONY: all
all: $(PROGRAMS) ## build everything into build/MODE (MODE=release)

.PHONY: lib
lib: $(B)/libpeek.a $(B)/libpeek.so ## build libpeek alone: it needs a compiler and xxHash's header

# ---- compiling and linking ------------------------------------------------------------------------------------------

# Prints which library is missing and what to do about it, before the compiler fails
# less clearly. libpeek needs fewer libraries than the programs.
$(B)/.probed $(B)/.probed-lib: .ci/deps
	@mkdir -p $(@D)
	@CC="$(CC)" FLAGS=$(call quoted,$(CPPFLAGS) $(CFLAGS)) \
	    .ci/deps probe $(if $(CROSS),cross,$(if $(filter %-lib,$@),lib))
	@touch $@

compile = $(CC) $(ALL_CFLAGS) $(EXTRA) $(NO_LTO) -MMD -MP -c

$(B)/%.o: %.c | $(B)/.probed
	@mkdir -p $(@D)
	$(compile) -o $@ $<

define room_of_lib
$(B)/src/$(1)/%.o: src/$(1)/%.c | $(B)/.probed-lib
	@mkdir -p $$(@D)
	$$(compile) -o $$@ $$<
endef
$(foreach r,lib wire shm,$(eval $(call room_of_lib,$(r))))

# get.c, mget.c, view.c and place.c are compiled a second time, with WIDE (src/lib/cpu.h).
$(B)/src/lib/%_wide.o: src/lib/%.c | $(B)/.probed-lib
	@mkdir -p $(@D)
	$(compile) $(WIDE) -DLIB_WIDE -o $@ $<

# libpeek is one object of native code that hides its other names, so it can't be
# optimized while linking; the programs can. The reads are compiled as they were
# measured.
$(LIB) $(WIRE) $(SHM): NO_LTO := $(if $(findstring -flto,$(CC) $(CPPFLAGS) $(CFLAGS)),-fno-lto)

# HOT: the registers of the hot path. A function must save rbx, rbp and r12 to r15
# before it uses them. -ffixed-rbx and its like keep the compiler from using them:
# a get is 12 instructions shorter. -frename-registers and -fno-gcse then save
# copies between the other registers. Example: get_wide.o is compiled by
#   gcc -O2 ... -frename-registers -fno-gcse -ffixed-rbx ... -ffixed-r15 \
#       -mavx512bw ... -DLIB_WIDE -o build/release/src/lib/get_wide.o src/lib/get.c
# `make bench-gate` counts the instructions. clang has no such options.
HOT := $(if $(findstring clang,$(CC)),,-frename-registers)
$(B)/src/lib/mget.o $(B)/src/lib/mget_wide.o: EXTRA := $(HOT)
$(foreach f,get view place,$(B)/src/lib/$(f).o $(B)/src/lib/$(f)_wide.o): EXTRA := $(HOT) $(if $(HOT),$(if $(WIDE),-fno-gcse $(foreach r,rbx rbp r12 r13 r14 r15,-ffixed-$(r))))

$(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/test_*_wide.c)): EXTRA := $(WIDE)
$(B)/src/daemon/host/memory.o: EXTRA := $(HEAP_DEFS)
$(filter $(B)/src/daemon/net/server%,$(DAEMON)): EXTRA := $(EVENT_DEFS)

DAEMON_LIBS := $(EVENT_LIBS) -lconfuse -lzstd -lpthread $(HEAP_LIBS)

$(B)/peekd: $(DAEMON) $(ENGINE) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS) $(LDLIBS)

$(B)/peekctl: $(CTL) $(B)/libpeek-all.o $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(CTL) $(WIRE) $(SHM) $(B)/libpeek-all.o -Wl,--as-needed -lncurses -ltinfo -lpthread $(LDLIBS)

$(B)/peekbench: $(BENCH) $(ENGINE) $(LIB) $(WIRE) $(SHM)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lm -lpthread $(LDLIBS)

# One object. Its only global names are those of peek.h.
$(B)/libpeek-all.o: $(LIB) $(WIRE) $(SHM)
	$(LD) -r -o $@ $^
	$(OBJCOPY) --localize-hidden $@

$(B)/libpeek.a: $(B)/libpeek-all.o
	rm -f $@
	$(AR) rcs $@ $^

$(B)/libpeek.so: $(LIB) $(WIRE) $(SHM) src/lib/libpeek.map
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libpeek.so.$(SOMAJOR) -Wl,--version-script=src/lib/libpeek.map \
	    $(if $(filter asan tsan,$(MODE)),,-Wl$(comma)-z$(comma)defs) -o $@ $(LIB) $(WIRE) $(SHM) -lpthread $(LDLIBS)
	ln -sf libpeek.so $(B)/libpeek.so.$(SOMAJOR)
comma := ,

.PHONY: $(B)/libpeek.pc # its text depends on prefix and libdir
$(B)/libpeek.pc:
	@mkdir -p $(@D)
	@rm -f $@ # an earlier install may have made it as root
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$(includedir)' '' 'Name: libpeek' \
	    'Description: lock-free reader of the peekd shared-memory cache' 'Version: $(VERSION)' \
	    'Libs: -L$${libdir} -lpeek' 'Libs.private: -lpthread' 'Cflags: -I$${includedir}' >$@

.PHONY: run demo deps
run: $(B)/peekd ## run the daemon in the foreground, as instance "default"
	$(B)/peekd

demo: ## load /usr/include, read it from many processes, kill the daemon on the way (under 60 s)
	@.ci/deps install build
	@.ci/deps writable build $(B)
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/demo
	@$(B)/demo --peekd $(B)/peekd

$(B)/demo: $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/proc/demo/*.c))) $(B)/libpeek.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lm -lpthread

deps: ## install the Debian packages that building and testing need (as root or with sudo)
	@.ci/deps install build test lint

# ---- tests: programs and scripts that speak TAP, in dependency order -------------------------------------------------
# tests/DIR/test_*.c is one program each; the other .c files of these folders serve all of them.

tests_in = $(patsubst %.c,$(B)/%,$(sort $(wildcard $(foreach d,$(1),tests/$(d)/test_*.c))))
UNIT    := $(call tests_in,unit)
REGRESS := $(call tests_in,regress)
PROC    := $(call tests_in,proc)
WIRE_T  := $(call tests_in,wire)
HELPERS := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard tests/*/test_*.c),\
    $(sort $(wildcard $(foreach d,unit regress proc wire,tests/$(d)/*.c)))))
SCRIPTS  = $(sort $(wildcard $(foreach d,$(1),tests/$(d)/test_*.sh tests/$(d)/test_*.py)))

# All rooms are in one archive: no name is in two of them, and a test links only the
# objects that it calls.
ALL_TESTS := $(UNIT) $(REGRESS) $(PROC) $(WIRE_T)
$(B)/test.a: $(HELPERS) $(filter-out %/peekbench.o,$(BENCH)) $(filter-out %/daemon/main.o,$(DAEMON)) $(filter-out %/ctl/main.o,$(CTL)) \
    $(ENGINE) $(LIB) $(WIRE) $(SHM)
	rm -f $@
	$(CROSS)ar qcs $@ $^

$(ALL_TESTS): %: %.o $(B)/test.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(B)/test.a -Wl,--as-needed -lcmocka $(DAEMON_LIBS) -lm -lpthread

# The tests of the lowest room first. Example: $(call ordered,$(UNIT)) begins with
# build/release/tests/unit/test_base, which includes src/base alone.
ordered = $(patsubst %.c,$(B)/%,$(shell tests/order $(patsubst $(B)/%,%.c,$(1))))

# A release has no test points. Tests that need them (they name PEEK_HOOKS) are built
# in HOOKS_B, build/hooks, and run from there. rehook replaces their paths. Example:
# $(call rehook,build/release/tests/unit/test_map build/release/tests/proc/test_engine_crash)
# is build/release/tests/unit/test_map build/hooks/tests/proc/test_engine_crash.
# programs takes those of one folder: $(call programs,proc) is
# build/hooks/tests/proc/test_engine_crash build/release/tests/proc/test_lib_reads ...
HOOKED  := $(patsubst %.c,%,$(shell grep -ls PEEK_HOOKS tests/*/test_*.c))
HOOKS_B := $(if $(filter release debug,$(MODE)),$(if $(filter build/release,$(B)),build/hooks,$(B)-hooks),$(B))
rehook   = $(foreach t,$(1),$(if $(filter $(HOOKED),$(patsubst $(B)/%,%,$(t))),$(HOOKS_B)/$(patsubst $(B)/%,%,$(t)),$(t)))
PROGRAM_TESTS = $(call rehook,$(call ordered,$(ALL_TESTS)))
programs = $(foreach d,$(1),$(foreach t,$(PROGRAM_TESTS),$(if $(findstring /tests/$(d)/,$(t)),$(t))))
TESTS    = $(foreach d,unit regress proc wire ctl clients docs demo,$(call programs,$(d)) $(call SCRIPTS,$(d)))

.PHONY: check check-long quick tests hooked
tests: $(PROGRAMS) $(B)/demo $(ALL_TESTS)
hooked: $(B)/peekd $(B)/peekctl $(B)/libpeek.so $(addprefix $(B)/,$(HOOKED))

check: ## install what the tests need, build, run every test (T=pattern: those of that name); ends with `N passed, N failed`
	@.ci/deps install build test
	@.ci/deps writable build $(B)
	@$(MAKE) --no-print-directory -s tests
	@$(if $(filter-out $(B),$(HOOKS_B)),$(MAKE) --no-print-directory -s MODE=hooks B=$(HOOKS_B) hooked)
	@B=$(B) HOOKS_B=$(HOOKS_B) MODE=$(MODE) T='$(T)' tests/run $(TESTS)

# Without the tests that need test points: those need a second build.
QUICK := $(filter-out $(addprefix $(B)/,$(HOOKED)),$(call tests_in,unit regress wire))

quick: ## only the tests of units, regressions and wire: half a minute
	@$(MAKE) --no-print-directory -s $(B)/peekd $(B)/peekctl $(QUICK)
	@B=$(B) MODE=$(MODE) T='$(T)' tests/run $(call ordered,$(QUICK)) $(call SCRIPTS,unit regress wire)

check-long: export PEEK_TEST_LONG := 1
check-long: check ## make check with long runs

.PHONY: asan tsan
asan: ## run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory MODE=asan check
tsan: ## run the tests under ThreadSanitizer
	@PEEKD_TIMEOUT=300 $(MAKE) --no-print-directory MODE=tsan check

# This shows nothing about memory orders, since this machine's processor runs below
# qemu. The model shows them (make model).
check-aarch64: ## build programs and tests for aarch64, and run them under qemu-user
	@.ci/deps install build test aarch64
	@$(MAKE) --no-print-directory -s MODE=aarch64 B=build/aarch64 tests
	@for p in peekd peekctl; do mkdir -p build/aarch64/qemu; \
	    printf '#!/bin/sh\nexec qemu-aarch64 %s/build/aarch64/%s "$$@"\n' "$$PWD" $$p >build/aarch64/qemu/$$p; \
	    chmod +x build/aarch64/qemu/$$p; done
	@$(MAKE) --no-print-directory -s MODE=aarch64 B=build/aarch64 run-aarch64

.PHONY: run-aarch64
run-aarch64:
	@B=$(B) MODE=$(MODE) RUNNER=qemu-aarch64 PEEKD=$$PWD/$(B)/qemu/peekd PEEKCTL=$$PWD/$(B)/qemu/peekctl PEEKD_TIMEOUT=300 \
	    tests/run $(PROGRAM_TESTS) $(call SCRIPTS,wire ctl)

# ---- checks of the source ---------------------------------------------------------------------------------------------

.PHONY: lint fmt
lint: ## every rule of tests/lint/rules: includes, names, orders, sizes, format, sentences; cppcheck; manual pages
	@.ci/deps install build lint
	@$(MAKE) --no-print-directory -s $(ENGINE)
	@B=$(B) tests/lint/run

fmt: ## clang-format over the C files that were changed and not committed (FILES="..." for others)
	clang-format -i $(or $(FILES),$(shell git diff --name-only --diff-filter=d HEAD -- '*.c' '*.h'))

# ---- install ----------------------------------------------------------------------------------------------------------

# The modes of files don't depend on the umask. Folders that exist keep their modes.
# DESTDIR may have blanks in it.
INSTALL := install
quoted   = '$(subst ','\'',$(1))'
dest     = $(call quoted,$(DESTDIR)$(1))
folder   = [ -d $(call dest,$(1)) ] || $(INSTALL) -d -m 755 $(call dest,$(1))

.PHONY: install install-lib
install-lib: lib $(B)/libpeek.pc ## install libpeek alone below prefix
	$(call folder,$(libdir)/pkgconfig)
	$(call folder,$(includedir))
	$(INSTALL) -m 644 include/peek.h $(call dest,$(includedir))
	$(INSTALL) -m 644 $(B)/libpeek.a $(call dest,$(libdir))
	$(INSTALL) -m 755 $(B)/libpeek.so $(call dest,$(libdir)/libpeek.so.$(VERSION))
	ln -sf libpeek.so.$(VERSION) $(call dest,$(libdir)/libpeek.so.$(SOMAJOR))
	ln -sf libpeek.so.$(SOMAJOR) $(call dest,$(libdir)/libpeek.so)
	$(INSTALL) -m 644 $(B)/libpeek.pc $(call dest,$(libdir)/pkgconfig)
	$(if $(DESTDIR),,[ "$$(id -u)" != 0 ] || ! PATH=$$PATH:/usr/sbin:/sbin command -v ldconfig >/dev/null || PATH=$$PATH:/usr/sbin:/sbin ldconfig)

install: install-lib $(PROGRAMS) ## install below prefix (DESTDIR, prefix, libdir ...)
	$(call folder,$(bindir))
	$(call folder,$(sbindir))
	$(call folder,$(compdir))
	$(call folder,$(sysconfdir)/peekd)
	$(call folder,$(unitdir))
	$(call folder,$(sysusersdir))
	$(call folder,$(tmpfilesdir))
	$(INSTALL) -m 755 $(B)/peekd $(B)/peekctl $(B)/peekbench $(call dest,$(bindir))
	[ $(call dest,$(sbindir)) -ef $(call dest,$(bindir)) ] || \
	    ln -sf $(call quoted,$(bindir)/peekd) $(call dest,$(sbindir)/peekd)
	$(INSTALL) -m 644 src/ctl/completion.bash $(call dest,$(compdir)/peekctl)
	set -e; for page in $(wildcard src/*/*.[13578] bench/*.[13578]); do \
	    [ -d $(call dest,$(mandir)/man)$${page##*.} ] || \
	        $(INSTALL) -d -m 755 $(call dest,$(mandir)/man)$${page##*.}; \
	    $(INSTALL) -m 644 $$page $(call dest,$(mandir)/man)$${page##*.}; done
	set -e; for conf in $(wildcard conf/*.conf); do to=$(call dest,$(sysconfdir)/peekd)/$${conf##*/}; \
	    if [ ! -e "$$to" ] || cmp -s $$conf "$$to"; then $(INSTALL) -m 644 $$conf "$$to"; \
	    else $(INSTALL) -m 644 $$conf "$$to.new"; echo "$$to stays as it is; this release's is $$to.new"; fi; done
	set -e; for unit in $(wildcard systemd/*.service systemd/*.socket); do \
	    sed 's|@bindir@|$(bindir)|; s|@sysconfdir@|$(sysconfdir)|' $$unit | \
	    $(INSTALL) -m 644 /dev/stdin $(call dest,$(unitdir))/$${unit##*/}; done
	set -e; for f in $(wildcard systemd/*.sysusers); do \
	    $(INSTALL) -m 644 $$f $(call dest,$(sysusersdir))/$$(basename $$f .sysusers).conf; done
	set -e; for f in $(wildcard systemd/*.tmpfiles); do \
	    $(INSTALL) -m 644 $$f $(call dest,$(tmpfilesdir))/$$(basename $$f .tmpfiles).conf; done

.PHONY: install-service
install-service: ## after make install, as root: the service's user, who may own segments, and its units known to systemd
	systemd-sysusers $(sysusersdir)/peekd.conf
	systemd-tmpfiles --create $(tmpfilesdir)/peekd.conf
	[ -e /etc/peekd/owner ] || (umask 022 && mkdir -p /etc/peekd && id -u peekd >/etc/peekd/owner)
	[ ! -d /run/systemd/system ] || systemctl daemon-reload

# ---- targets of other jobs: each of these files has those of one job -------------------------------------------------

.PHONY: model codegen check-aarch64 fuzz crash soak bench
-include $(sort $(wildcard tests/*/*.mk bench/*.mk))

# The compiler's command line for each source, as clangd and other editors read it.
.PHONY: compile_commands.json
compile_commands.json: ## write the command that compiles each file, for editors
	@$(MAKE) --no-print-directory -Bnk all tests 2>/dev/null | awk -v dir="$$PWD" ' \
	    / -c -o / { file = $$NF; gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); \
	        printf "%s\n {\"directory\": \"%s\", \"file\": \"%s\", \"command\": \"%s\"}", n++ ? "," : "[", dir, file, $$0 } \
	    END { print "\n]" }' >$@
	@echo "$@: $$(grep -c '"file"' $@) files"

.PHONY: clean help
clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## *\(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort -u | expand -t 16
	@echo 'Variables: MODE=release|debug|hooks|asan|tsan|aarch64  B=DIR  CC=clang  CPPFLAGS= CFLAGS= LDFLAGS= LDLIBS=  DESTDIR= prefix= libdir='

-include $(patsubst %.o,%.d,$(shell find $(B) -name '*.o' 2>/dev/null))
