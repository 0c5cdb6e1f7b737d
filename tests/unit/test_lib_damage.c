/*
 * test_lib_damage.c: readers on damaged and changing segments: some inputs of
 * the fuzzer's. Issue 15, line 20.
 */
#include "fuzz/fuzz_reader.c"

#include "unit/random.h"

#define N_INPUTS 100

int
main(void)
{
	uint64_t state = 1;
	uint8_t input[1 + 24 * CHANGE_BYTES];

	printf("1..1\n");
	LLVMFuzzerInitialize(NULL, NULL);
	for (unsigned i = 0; i < N_INPUTS; i++) {
		for (size_t k = 0; k < sizeof(input); k++)
			input[k] = (uint8_t)next_random(&state);
		(void)LLVMFuzzerTestOneInput(input, 1 + (1 + i % 24) * CHANGE_BYTES);
	}
	bool both = n_attached > 0 && n_refused > 0;
	printf(
	    "%s 1 - %lu attachments, %lu refused\n", both ? "ok" : "not ok", n_attached, n_refused);
	return both ? 0 : 1;
}
