/* Pids, tokens and random ids spread by themselves: their low bits are hash enough. */
#include "init/slots.h"

#include <assert.h>

int slots_take(struct slots *slots)
{
	unsigned n_words = (slots->n_max + 63) / 64;

	for (unsigned word = slots->first_word; word < n_words; word++) {
		uint64_t free_bits = ~slots->words[word];
		if (!free_bits)
			continue;
		unsigned number = word * 64 + (unsigned)__builtin_ctzll(free_bits);
		if (number >= slots->n_max)
			return -1;
		slots->words[word] |= UINT64_C(1) << (number % 64);
		slots->first_word = word;
		return (int)number;
	}
	return -1;
}

void slots_release(struct slots *slots, unsigned number)
{
	unsigned word = number / 64;

	assert(number < slots->n_max);
	slots->words[word] &= ~(UINT64_C(1) << (number % 64));
	if (word < slots->first_word)
		slots->first_word = word;
}

static uint16_t *head_of(struct index *index, uint64_t key)
{
	return &index->heads[key % INDEX_HEADS];
}

void index_add(struct index *index, uint64_t key, unsigned number)
{
	uint16_t *head = head_of(index, key);

	assert(number < SLOTS_MAX);
	index->next[number] = *head;
	*head = (uint16_t)(number + 1);
}

void index_remove(struct index *index, uint64_t key, unsigned number)
{
	for (uint16_t *link = head_of(index, key); *link; link = &index->next[*link - 1]) {
		if (*link == number + 1) {
			*link = index->next[number];
			return;
		}
	}
	assert(!"what is removed was added");
}

int index_first(const struct index *index, uint64_t key)
{
	return (int)index->heads[key % INDEX_HEADS] - 1;
}

int index_next(const struct index *index, int number)
{
	return (int)index->next[number] - 1;
}
