/*
 * index_list.h: a doubly linked list of an array's elements, by their indices.
 *
 * An element carries a struct index_link for each list that it can be on. A
 * function gets the links of all elements as the address of that link in
 * element 0 and the size of an element:
 *
 *   struct block *block;
 *   index_list_append(&queue, &block->queued, sizeof(*block), i);
 *
 * An element is on a list at most once. Every function takes constant time.
 */
#ifndef PEEK_BASE_INDEX_LIST_H
#define PEEK_BASE_INDEX_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define INDEX_NONE UINT32_MAX

struct index_link {
	uint32_t next, prev; /* INDEX_NONE: the element is the last, the first */
};

struct index_list {
	uint32_t first, last; /* INDEX_NONE, both: the list is empty */
};

#define INDEX_LIST_EMPTY ((struct index_list){INDEX_NONE, INDEX_NONE})

/* The link of element i. */
static inline struct index_link *
index_link_of(struct index_link *links, size_t element_bytes, uint32_t i)
{
	return (struct index_link *)(void *)((char *)links + i * element_bytes);
}

/* True if the element's neighbours, or the ends of the list, lead to it. */
static inline bool
index_list_holds(
    const struct index_list *list, struct index_link *links, size_t element_bytes, uint32_t i)
{
	const struct index_link *link = index_link_of(links, element_bytes, i);
	uint32_t from_prev = link->prev != INDEX_NONE
	    ? index_link_of(links, element_bytes, link->prev)->next
	    : list->first;
	uint32_t from_next = link->next != INDEX_NONE
	    ? index_link_of(links, element_bytes, link->next)->prev
	    : list->last;

	return from_prev == i && from_next == i;
}

/* The element becomes the last one. It is on no list with this link. */
static inline void
index_list_append(
    struct index_list *list, struct index_link *links, size_t element_bytes, uint32_t i)
{
	CHECK((list->first == INDEX_NONE) == (list->last == INDEX_NONE));
	*index_link_of(links, element_bytes, i) = (struct index_link){INDEX_NONE, list->last};
	if (list->last != INDEX_NONE) {
		CHECK(index_link_of(links, element_bytes, list->last)->next == INDEX_NONE);
		index_link_of(links, element_bytes, list->last)->next = i;
	} else
		list->first = i;
	list->last = i;
}

/* The element is on this list. Its own link stays as it was. */
static inline void
index_list_remove(
    struct index_list *list, struct index_link *links, size_t element_bytes, uint32_t i)
{
	const struct index_link *link = index_link_of(links, element_bytes, i);

	CHECK(index_list_holds(list, links, element_bytes, i));
	if (link->prev != INDEX_NONE)
		index_link_of(links, element_bytes, link->prev)->next = link->next;
	else
		list->first = link->next;
	if (link->next != INDEX_NONE)
		index_link_of(links, element_bytes, link->next)->prev = link->prev;
	else
		list->last = link->prev;
}

#endif
