/* conf_memcached.c: see conf_memcached.h. */
#include "daemon/conf/conf_memcached.h"

#include <stddef.h>
#include <string.h>

#define NO_AUTH \
	"no passwords: the kernel says who connects; settings access_read, access_write, " \
	"access_admin name users and groups"
#define THREADS \
	"no threads to set: one writes, and readers need none; peekd's own -t checks the " \
	"configuration"
#define NO_LRU "nothing to set there: neither slab classes nor an LRU"

static const struct {
	char letter;
	const char *word, *has;
} options[] = {
    {'t', "--threads", THREADS},
    {'S', "--enable-sasl", NO_AUTH},
    {'Y', "--auth-file", NO_AUTH},
    {'B', "--protocol",
	"one protocol: text, classic and meta; a client that speaks the binary protocol has an "
	"option for text"},
    {'o', "--extended",
	"settings in place of -o: --idle-timeout=N, --maxconns-fast; slabs, LRU and external "
	"storage have none"},
    {'e', "--memory-file",
	"items kept over every restart, without a file; --unlink ends with an empty cache"},
    {'f', "--slab-growth-factor", NO_LRU "; peekd's own -f reads a configuration file"},
    {'n', "--slab-min-size", NO_LRU "; peekd's own -n names the instance"},
    {'D', NULL, "no counters by prefix; `peekctl top` shows the keys that are read most"},
    {'L', "--enable-largepages", "the setting huge_pages (--huge-pages), which is `try` by itself"},
    {'k', "--lock-memory",
	"no lock on memory: /dev/shm is swapped only under pressure; give the service "
	"MemorySwapMax=0"},
    {'r', "--enable-coredumps",
	"no limit of its own on core files: `ulimit -c`, or LimitCORE= of the service"},
    {'C', "--disable-cas", "CAS ids always: they cost nothing"},
    {'X', "--disable-dumping", "the setting access_admin, which names the users who may list keys"},
    {'W', "--disable-watch", "no `watch` to disable"},
    {'Z', "--enable-ssl", "no TLS: it listens on Unix sockets and loopback"},
    {'i', "--license", "its licence in the file LICENSE"},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const char *
conf_memcached_letter(int letter)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].letter == letter)
			return options[i].has;
	return NULL;
}

const char *
conf_memcached_word(const char *word)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		size_t n = options[i].word != NULL ? strlen(options[i].word) : 0;
		if (n > 0 && strncmp(word, options[i].word, n) == 0 &&
		    (word[n] == '\0' || word[n] == '='))
			return options[i].has;
	}
	return NULL;
}

const char *
conf_memcached_argument(const char *argument, int checks)
{
	return checks && argument[0] != '\0' && strspn(argument, "0123456789") == strlen(argument)
	    ? THREADS
	    : NULL;
}
