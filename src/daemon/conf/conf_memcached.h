/* conf_memcached.h: memcached's options that peekd doesn't have, and what to
 * use instead. */
#ifndef PEEKD_CONF_MEMCACHED_H
#define PEEKD_CONF_MEMCACHED_H

/* The answer to the option with this letter, or to a word that begins with two
 * dashes; NULL: it is none of these options. */
const char *conf_memcached_letter(int letter);
const char *conf_memcached_word(const char *word);

/* The answer to an argument that is left over behind options of memcached's. */
const char *conf_memcached_argument(const char *argument, int checks);

#endif
