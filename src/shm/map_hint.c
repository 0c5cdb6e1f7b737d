/*
 * map_hint.c: the hint page as a reader maps it (hint.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shm/hint.h"

int
map_hint_page(const struct map *m, int fd, uint64_t total_bytes, uint64_t n_clients_max,
    bool writable, struct hint_layout *ret_layout, void **ret_page)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (n_clients_max > HINT_CLIENTS_MAX || seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return -EBADMSG;
	struct hint_layout l = hint_plan(m->n_buckets_max, m->n_overflow_max, n_clients_max);
	if (total_bytes != l.total_bytes || fstat(fd, &st) != 0 ||
	    (uint64_t)st.st_size < l.total_bytes)
		return -EBADMSG;
	void *at = map_aligned(fd, l.total_bytes, writable);
	if (at == NULL)
		return -ENOMEM;
	*ret_layout = l;
	*ret_page = at;
	return 0;
}
