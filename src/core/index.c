/*
 * A chained hash table whose links live in the services. uthash would do, but for two things: its
 * handle takes 56 bytes where this takes 24, and adding to it may need memory, in the middle of a
 * step. Here the buckets grow when a service is made, and adding is two stores.
 */
#include "core/private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MIN 16

/* Keys are tokens (consecutive) and checksums (even already): a multiplication spreads both. */
static size_t bucket_of(const struct index *index, uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (index->n_buckets - 1);
}

static void put(struct index *index, struct index_link *link)
{
	struct index_link **bucket = &index->buckets[bucket_of(index, link->key)];

	link->next = *bucket;
	*bucket = link;
}

int index_reserve(struct index *index, size_t n)
{
	size_t n_buckets = index->n_buckets > 0 ? index->n_buckets : BUCKETS_MIN;
	while (n_buckets < n)
		n_buckets *= 2;
	if (n_buckets == index->n_buckets)
		return 0;
	struct index grown = {.buckets = calloc(n_buckets, sizeof(*grown.buckets)),
		.n_buckets = n_buckets,
		.n = index->n};
	if (!grown.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < index->n_buckets; i++) {
		while (index->buckets[i]) {
			struct index_link *link = index->buckets[i];
			index->buckets[i] = link->next;
			put(&grown, link);
		}
	}
	free(index->buckets);
	*index = grown;
	return 0;
}

void index_add(struct index *index, struct index_link *link, uint64_t key, struct service *service)
{
	assert(index->n_buckets > 0 && !link->service);
	link->key = key;
	link->service = service;
	put(index, link);
	index->n++;
}

void index_remove(struct index *index, struct index_link *link)
{
	if (!link->service)
		return;
	struct index_link **place = &index->buckets[bucket_of(index, link->key)];
	while (*place != link)
		place = &(*place)->next;
	*place = link->next;
	link->service = NULL;
	index->n--;
}

struct index_link *index_find(const struct index *index, uint64_t key)
{
	if (index->n == 0)
		return NULL;
	struct index_link *link = index->buckets[bucket_of(index, key)];
	while (link && link->key != key)
		link = link->next;
	return link;
}

struct index_link *index_find_next(const struct index_link *link)
{
	uint64_t key = link->key;

	for (link = link->next; link && link->key != key;)
		link = link->next;
	return (struct index_link *)link;
}
