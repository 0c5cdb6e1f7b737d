/* resident.c: see resident.h. */
#include "daemon/resident.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

uint64_t
resident_private_bytes(void)
{
	char line[128];
	uint64_t n_pages, n_shared; /* that are resident; of these, of files and of shared memory */
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	ssize_t n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	if (sscanf(line, "%*u %" SCNu64 " %" SCNu64, &n_pages, &n_shared) != 2 || n_shared > n_pages)
		return 0;
	return (n_pages - n_shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}
