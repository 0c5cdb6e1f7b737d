/*
 * corpus.c: every regular file below a folder, in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* NULL: unreadable, or not as long as it was. */
static unsigned char *
read_file(const char *path, uint32_t len)
{
	unsigned char *bytes = malloc(len + 1u);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint32_t at = 0;

	while (fd >= 0 && bytes != NULL && at < len) {
		ssize_t n = read(fd, bytes + at, len - at);
		if (n <= 0)
			break;
		at += (uint32_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (fd < 0 || at < len) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static int
take(struct corpus *c, size_t *cap, const FTSENT *e)
{
	uint32_t len = (uint32_t)e->fts_statp->st_size;

	if (c->n == *cap) {
		*cap = *cap == 0 ? 1024 : *cap * 2;
		struct file *more = realloc(c->files, *cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		c->files = more;
	}
	struct file f = {
	    .path = strdup(e->fts_path), .path_len = (uint32_t)strlen(e->fts_path), .len = len};
	if (f.path == NULL)
		return -ENOMEM;
	f.bytes = read_file(f.path, len);
	if (f.bytes == NULL) {
		free(f.path);
		c->n_unreadable++;
		return 0;
	}
	c->files[c->n++] = f;
	c->bytes += len;
	c->longest = len > c->longest ? len : c->longest;
	return 0;
}

int
corpus_read(const char *dir, uint32_t len_max, uint64_t bytes_max, struct corpus *ret)
{
	char *const roots[] = {(char *)(uintptr_t)dir, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	size_t cap = 0;
	FTSENT *e;
	int error = 0;

	*ret = (struct corpus){0};
	if (fts == NULL)
		return -errno;
	while (error == 0 && (e = fts_read(fts)) != NULL) {
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			ret->n_unreadable++;
		if (e->fts_info != FTS_F)
			continue;
		if (e->fts_pathlen > PEEK_KEY_MAX_BYTES)
			ret->n_long_path++;
		else if (e->fts_statp->st_size > (off_t)len_max)
			ret->n_large++;
		else if (ret->bytes + (uint64_t)e->fts_statp->st_size > bytes_max)
			ret->n_no_room++;
		else
			error = take(ret, &cap, e);
	}
	fts_close(fts);
	return error;
}

void
corpus_free(struct corpus *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->files[i].path);
		free(c->files[i].bytes);
	}
	free(c->files);
	*c = (struct corpus){0};
}
