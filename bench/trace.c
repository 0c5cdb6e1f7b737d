/*
 * trace.c: reads traces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sizes.h"
#include "base/buffer.h"
#include "trace.h"

/* Reads fd to its end into one block of memory. */
static int
read_all(int fd, void **ret_buf, size_t *ret_len)
{
	size_t len = 0, cap = 1 << 20;
	char *buf = malloc(cap);

	if (buf == NULL)
		return -ENOMEM;
	for (;;) {
		if (len == cap) {
			int error = buffer_grow(&buf, &cap, len + 1, cap);
			if (error != 0) {
				free(buf);
				return error;
			}
		}
		ssize_t n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(buf);
			return -EIO;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_buf = buf;
	*ret_len = len;
	return 0;
}

/* Runs zstd -dc with fd as its standard input, and reads its output. */
static int
read_compressed(int fd, void **ret_buf, size_t *ret_len)
{
	int ends[2], status;

	if (pipe(ends) != 0)
		return -EIO;
	pid_t pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -EIO;
	}
	if (pid == 0) {
		if (dup2(fd, 0) < 0 || dup2(ends[1], 1) < 0)
			_exit(127);
		close(ends[0]);
		close(ends[1]);
		execlp("zstd", "zstd", "-dc", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	int rc = read_all(ends[0], ret_buf, ret_len);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
		free(*ret_buf);
		return -EIO;
	}
	return rc;
}

int
trace_load(const char *path, struct trace *ret)
{
	static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
	unsigned char first[4];
	void *buf;
	size_t len;
	int rc;

	if (strcmp(path, "-") == 0) {
		rc = read_all(0, &buf, &len);
	} else {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (pread(fd, first, 4, 0) == 4 && memcmp(first, zstd_magic, 4) == 0)
			rc = read_compressed(fd, &buf, &len);
		else
			rc = read_all(fd, &buf, &len);
		close(fd);
	}
	if (rc != 0)
		return rc;
	if (len == 0 || len % sizeof(struct trace_record) != 0) {
		free(buf);
		return -EBADMSG;
	}
	return trace_from_records(buf, len / sizeof(struct trace_record), ret);
}

int
trace_from_records(struct trace_record *rec, uint64_t n, struct trace *ret)
{
	struct trace t = {.rec = rec, .n = n};

	for (uint64_t i = 0; i < n; i++) {
		if (rec[i].key > t.n_keys || t.n_keys == UINT32_MAX) {
			free(rec);
			return -EBADMSG;
		}
		t.n_keys += rec[i].key == t.n_keys;
		t.has_sizes |= rec[i].size != 0;
		t.has_ttls |= rec[i].ttl_s != 0;
	}
	t.size_of = calloc(t.n_keys, sizeof(*t.size_of));
	if (t.size_of == NULL) {
		free(rec);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < n; i++)
		if (t.size_of[rec[i].key] == 0)
			t.size_of[rec[i].key] = rec[i].size;
	const struct size_mix *etc = size_mix_find("etc");
	for (uint32_t k = 0; k < t.n_keys; k++) {
		struct sizes s;
		if (t.size_of[k] != 0)
			continue;
		etc->of(k, &s);
		t.size_of[k] = s.key_bytes + s.value_bytes;
	}
	*ret = t;
	return 0;
}

void
trace_free(struct trace *t)
{
	free(t->rec);
	free(t->size_of);
}
