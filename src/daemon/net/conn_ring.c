/* conn_ring.c: see conn_ring.h. */
#include "daemon/net/conn_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/crash.h"
#include "shm/ring.h"

struct conn_ring {
	struct ring_end end;
	char *mem;
	bool took; /* in this turn */
	bool hung_up;
	uint64_t left; /* hung up: bytes that are still read */
};

/* A memfd whose size is final and whose pages are there, so that neither side
 * meets SIGBUS. */
static int
make_memory(void)
{
	int fd = memfd_create("peekd-ring", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fallocate(fd, 0, 0, RING_TOTAL_BYTES) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

int
conn_ring_create(struct conn_ring **ret, int *ret_fd)
{
	struct conn_ring *r = calloc(1, sizeof(*r));
	int fd = r != NULL ? make_memory() : -1;
	void *mem = MAP_FAILED;

	if (fd >= 0)
		mem = mmap(NULL, RING_TOTAL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mem == MAP_FAILED) {
		int error = errno == ENOMEM || errno == ENOSPC || r == NULL ? -ENOMEM : -EIO;
		if (fd >= 0)
			close(fd);
		free(r);
		return error;
	}
	unsigned char *const bytes[RING_N_WAYS] = {
	    (unsigned char *)mem + RING_UP_AT, (unsigned char *)mem + RING_DOWN_AT};
	ring_begin(&r->end, mem, bytes, RING_BYTES, true);
	r->mem = mem;
	CRASH_POINT("ring:made");
	*ret = r;
	*ret_fd = fd;
	return 0;
}

static void
wake_client(const struct conn_ring *r)
{
	const struct ring *shared = (const struct ring *)(const void *)r->mem;

	/* the futex is the low half of the word */
	syscall(SYS_futex, &shared->client_awaits.w, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void
conn_ring_hang_up(struct conn_ring *r)
{
	if (!r->hung_up)
		r->left = RING_BYTES;
	r->hung_up = true;
}

void
conn_ring_end(struct conn_ring *r)
{
	/* so that the client rings at its next put, and learns of the end */
	ring_await(&r->end, RING_AWAITS_BYTES | RING_AWAITS_ROOM);
	if (ring_must_wake(&r->end, RING_AWAITS_BYTES | RING_AWAITS_ROOM))
		wake_client(r);
	munmap(r->mem, RING_TOTAL_BYTES);
	free(r);
}

ssize_t
conn_ring_read(struct conn_ring *r, char *to, size_t n)
{
	ssize_t got;

	if (r->hung_up && n > r->left)
		n = (size_t)r->left;
	got = ring_take(&r->end, to, n);
	if (got > 0) {
		r->took = true;
		if (r->hung_up)
			r->left -= (uint64_t)got;
		CRASH_POINT("ring:taken");
		return got;
	}
	if (r->hung_up)
		return 0;
	errno = got < 0 ? EBADMSG : EAGAIN;
	return -1;
}

ssize_t
conn_ring_write(struct conn_ring *r, const char *bytes, size_t n)
{
	size_t put;

	if (r->hung_up)
		return (ssize_t)n;
	put = ring_put(&r->end, bytes, n);
	CRASH_POINT("ring:put");
	if (put > 0 || n == 0)
		return (ssize_t)put;
	errno = EAGAIN;
	return -1;
}

void
conn_ring_wake(struct conn_ring *r)
{
	unsigned what = r->took ? RING_AWAITS_ROOM : 0;

	if (ring_publish(&r->end)) {
		CRASH_POINT("ring:published");
		what |= RING_AWAITS_BYTES;
	}
	r->took = false;
	if (what != 0 && ring_must_wake(&r->end, what)) {
		CRASH_POINT("ring:flag cleared");
		wake_client(r);
	}
}

bool
conn_ring_is_ready(struct conn_ring *r, bool to_write)
{
	if (r->hung_up)
		return true;
	return to_write ? ring_room(&r->end) > 0 : ring_input(&r->end) != 0;
}

bool
conn_ring_sleep(struct conn_ring *r, bool to_write)
{
	ring_await(&r->end, to_write ? RING_AWAITS_ROOM : RING_AWAITS_BYTES);
	ring_awaiting();
	if (!conn_ring_is_ready(r, to_write))
		return true;
	ring_awake(&r->end);
	return false;
}
