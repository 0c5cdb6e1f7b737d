/*
 * arch.h: chooses the machine that the primitives below are compiled for.
 *
 *   generic.h   C. Also for the model and the sanitizers, which can't see asm.
 *   x86.h       every x86-64
 *   x86_wide.h  x86-64 with AVX-512 and BMI2, where the compiler may use them
 *
 * Order: none. Every load and store of shared memory is relaxed; the caller's
 * sequence or incarnation decides whether the result counts. Each machine gives
 * all of these:
 *
 *   table_bucket_idx(hash, n_buckets)
 *       The head bucket of a hash; 1 <= n_buckets < 2^63. There is no branch:
 *       whether the bucket has been split yet can't be predicted.
 *   bucket_match(bucket, tag)
 *       The slots that carry the tag: bit i for slot i. All of them are
 *       compared without a branch, since a mispredicted branch on a line that
 *       has not arrived destroys the overlap with the next lookup. tag is never
 *       0, so that neither an empty slot nor a link matches.
 *   bucket_match_slot(match)
 *       The slot of the first match; there must be one. 64 bits wide, so that
 *       the result can be part of an address.
 *   copy_out(dst, base, byte_off, n)
 *       Copies bytes [byte_off, byte_off + n) behind base, which must lie
 *       inside the mapping, to dst (private memory).
 *   copy_key_equal(at, key, key_len)
 *       Compares key_len bytes of private memory with the key that begins at
 *       the aligned word `at`. No byte of private memory beyond the key is
 *       read.
 *   item_is_plain(item, key, key_len)
 *       Says whether the item has this key and is plain: no expiry, and a state
 *       whose low byte is 0 (no counter, extents or flags). Header and key are
 *       compared at once: the fewer instructions wait for the item's line, the
 *       more lookups overlap. key_len <= ITEM_PLAIN_KEY_MAX, which is 0 where a
 *       machine has no such comparison: then the answer is always false. No
 *       byte of private memory beyond the key is read.
 *   copy_in_bulk(to, from, n)
 *       Stores whole words, as many as the machine stores in larger steps.
 *       Returns their bytes, at most n.
 *   count_one(word), count_down(n_left, n)
 *       Adds 1 to a counter that this thread alone writes; takes n from a
 *       number of this thread's own, and says whether it is 0 or less.
 */
#ifndef PEEK_SHM_ARCH_H
#define PEEK_SHM_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && !defined(SHM_NO_ASM) && !defined(PEEK_MODEL) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#if defined(__has_feature)
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer) && \
    !__has_feature(memory_sanitizer)
#define SHM_X86_ASM 1
#endif
#else
#define SHM_X86_ASM 1
#endif
#endif

#if defined(SHM_X86_ASM) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__BMI2__)
#define SHM_X86_WIDE 1
#include "shm/arch/x86_wide.h"
#elif defined(SHM_X86_ASM)
#include "shm/arch/x86.h"
#else
#include "shm/arch/generic.h"
#endif

#endif
