/*
 * scan.c: finds the ordered lines of the sources by itself, so that a new one
 * can't be forgotten: what calls an accessor of atomic.h that ends in _acq or
 * _rel, or a fence. An order that does not go through these is an error.
 */
#include "model/scan.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/core.h"

/* Blanks out comments and strings; `inside` carries an open comment to the next
 * line. */
static void
strip(char *s, bool *inside)
{
	for (; *s != '\0'; s++) {
		if (*inside) {
			*inside = !(s[0] == '*' && s[1] == '/');
			if (!*inside)
				s[1] = ' ';
			*s = ' ';
		} else if (s[0] == '/' && s[1] == '*') {
			*inside = true;
			s[0] = s[1] = ' ';
		} else if (s[0] == '/' && s[1] == '/') {
			*s = '\0';
			return;
		} else if (*s == '"') {
			for (s++; *s != '\0' && *s != '"'; s++) {
				if (*s == '\\' && s[1] != '\0')
					*s++ = ' ';
				*s = ' ';
			}
			if (*s == '\0')
				return;
		}
	}
}

/* The ordered call on this line; NULL: there is none. */
static const char *
ordered_call(const char *s)
{
	while (*s != '\0') {
		if (!isalpha((unsigned char)*s) && *s != '_') {
			s++;
			continue;
		}
		size_t n =
		    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		const char *end = s + n;
		if (*end == '(') {
			bool load = n > 4 && memcmp(end - 4, "_acq", 4) == 0,
			     store = n > 4 && memcmp(end - 4, "_rel", 4) == 0;
			if (n > 6 && memcmp(s, "fence_", 6) == 0)
				return load                          ? "acquire fence"
				    : store                          ? "release fence"
				    : memcmp(end - 3, "_sc", 3) == 0 ? "seq_cst fence"
								     : "crash fence";
			if (load)
				return "acquire load";
			if (store)
				return "release store";
		}
		s = end;
	}
	return NULL;
}

static unsigned
scan_file(const char *path)
{
	char line[1024];
	unsigned n = 0, errors = 0;
	bool inside = false;
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		n++;
		strip(line, &inside);
		const char *kind = ordered_call(line);
		if (kind != NULL)
			site_add(strdup(path), (int)n, kind);
		for (const char *p = line; (p = strstr(p, "memory_order_")) != NULL; p++)
			if (strncmp(p, "memory_order_relaxed", 20) != 0) {
				printf("# %s:%u: an order that the checker can't see\n", path, n);
				errors++;
			}
	}
	fclose(f);
	return errors;
}

unsigned
scan_sources(const char *dir)
{
	struct dirent **names;
	unsigned errors = 0;
	int n = scandir(dir, &names, NULL, alphasort);

	if (n < 0) {
		perror(dir);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char path[512];
		struct stat st;
		const char *name = names[i]->d_name, *dot = strrchr(name, '.');
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (name[0] != '.' && stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode))
				errors += scan_sources(path);
			else if (dot != NULL &&
			    (strcmp(dot, ".h") == 0 || strcmp(dot, ".c") == 0) &&
			    strcmp(path, "src/shm/atomic.h") != 0)
				errors += scan_file(path);
		}
		free(names[i]);
	}
	free(names);
	return errors;
}
