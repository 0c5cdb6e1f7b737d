#include <peek.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	struct peek *cache;
	char value[1024];
	int error = peek_open(argc > 1 ? argv[1] : "default", 0, &cache);

	if (error == 0)
		/* through the daemon; lives for a minute */
		error = peek_set(cache, "greeting", 8, "hello", 5, 60);
	if (error != 0) {
		fprintf(stderr, "%s\n", peek_strerror(error));
		return 1;
	}
	/* from shared memory: no lock, no system call */
	ssize_t n = peek_get(cache, "greeting", 8, value, sizeof(value));
	printf("%.*s\n", n > 0 ? (int)n : 0, value);
	peek_close(cache);
}
