/*
 * test_wire_corpus.c: replays tests/fuzz/corpus/wire through the fuzzer's
 * checks, each file cut at every length too.
 */
#include <dirent.h>

#include "fuzz/fuzz_wire.c"

#define CORPUS  "tests/fuzz/corpus/wire"
#define CUT_MAX 300 /* longer files are tried whole only */

static unsigned
replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");

	REQUIRE(f != NULL);
	size_t size = fread(data, 1, sizeof(data), f);
	fclose(f);
	(void)LLVMFuzzerTestOneInput(data, size);
	for (size_t n = 0; n < size && size <= CUT_MAX; n++)
		(void)LLVMFuzzerTestOneInput(data, n);
	return 1;
}

int
main(void)
{
	unsigned n = 0;
	const struct dirent *e;
	DIR *dir = opendir(CORPUS);

	printf("1..1\n");
	if (dir == NULL) {
		printf("not ok 1 - %s can't be opened\n", CORPUS);
		return 1;
	}
	while ((e = readdir(dir)) != NULL) {
		char path[512];
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		n += replay(path);
	}
	closedir(dir);
	printf("%s 1 - %u files of the corpus, whole and cut short\n", n > 0 ? "ok" : "not ok", n);
	return n == 0;
}
