/*
 * conf_memcached.h: memcached's options that peekd hasn't, and what it has in
 * their place.
 */
#ifndef PEEKD_CONF_MEMCACHED_H
#define PEEKD_CONF_MEMCACHED_H

/* What to say of the option with this letter, or of the word that begins with
 * two dashes; NULL: it is none of them. */
const char *conf_memcached_letter(int letter);
const char *conf_memcached_word(const char *word);

/* What to say of an argument that is left over, when the options before it were
 * memcached's. */
const char *conf_memcached_argument(const char *argument, int checks);

#endif
